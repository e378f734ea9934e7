//! Copies of an SQLite database that are whole, taken while it is in use, and put back only after they are proved.

use std::path::{Path, PathBuf};

use super::error::{Refusal, StoreError};
use super::lease::Moment;
use super::link::{Link, Readers, args};
use super::place::{FolderLock, StoreUrl};
use super::replay::Replayed;
use super::{StoreOptions, schema, verify};

fn io(path: &Path) -> impl Fn(std::io::Error) -> StoreError + '_ {
    move |e| match e.kind() {
        std::io::ErrorKind::StorageFull => StoreError::Full(format!("{}: {e}", path.display())),
        _ => StoreError::ReadOnly(format!("{}: {e}", path.display())),
    }
}

/// `NAME.WORD` beside a file.
fn beside(path: &Path, word: &str) -> PathBuf {
    let mut name = path.file_name().unwrap_or_default().to_owned();
    name.push(".");
    name.push(word);
    path.with_file_name(name)
}

/// Copies the database as it is at one moment into a new file.
async fn copy(link: &mut Link, to: &Path) -> Result<(), StoreError> {
    let text = to.to_str().ok_or_else(|| StoreError::Statement(format!("{} is not UTF-8", to.display())))?;
    link.execute("VACUUM INTO $1", &args![text]).await?;
    std::fs::File::open(to).and_then(|file| file.sync_all()).map_err(io(to))
}

/// Before a migration, while nothing else has the database: a copy that stays (H12).
pub(super) async fn before_migration(link: &mut Link, options: &StoreOptions, version: i64) -> Result<(), StoreError> {
    if !matches!(options.url, StoreUrl::Sqlite(_)) {
        return Ok(());
    }
    let dir = options.dir.join("backups");
    std::fs::create_dir_all(&dir).map_err(io(&dir))?;
    copy(link, &dir.join(format!("before-migration-from-{version}-{}.db", Moment::now().wall.nanos()))).await
}

/// Proves a database file nobody uses: pages, schema, journal, audit trail.
///
/// # Errors
/// The first thing that is wrong.
pub async fn prove(file: &Path) -> Result<Replayed, StoreError> {
    let url = StoreUrl::Sqlite(file.to_owned());
    let mut link = Link::open(&url, false).await?;
    let sound = async {
        schema::require_newest(&mut link).await?;
        verify::integrity(&mut link).await
    }
    .await;
    link.close().await;
    sound?;
    let readers = Readers::new(&url)?;
    let proved = verify::chains(&readers).await;
    readers.close().await;
    proved
}

/// Copies the database into a new file while it may be in use, and proves the copy.
///
/// # Errors
/// [`StoreError::Statement`] when the file exists; whatever is wrong with the copy, which is then removed.
pub async fn backup(url: &StoreUrl, to: &Path) -> Result<Replayed, StoreError> {
    if to.exists() {
        return Err(StoreError::Statement(format!("{} exists", to.display())));
    }
    let partial = beside(to, "partial");
    let _ = std::fs::remove_file(&partial);
    let mut link = Link::open(url, false).await?;
    let copied = copy(&mut link, &partial).await;
    link.close().await;
    let proved = match copied {
        Ok(()) => prove(&partial).await,
        Err(e) => Err(e),
    };
    if proved.is_ok() {
        std::fs::rename(&partial, to).map_err(io(to))?;
    }
    let _ = std::fs::remove_file(&partial);
    remove_companions(&partial);
    proved
}

/// SQLite keeps two files beside a database.
fn companions(file: &Path) -> [PathBuf; 2] {
    let with = |suffix: &str| {
        let mut name = file.as_os_str().to_owned();
        name.push(suffix);
        PathBuf::from(name)
    };
    [with("-wal"), with("-shm")]
}

fn remove_companions(file: &Path) {
    for companion in companions(file) {
        let _ = std::fs::remove_file(companion);
    }
}

/// Puts a backup in the place of the database of a data folder. The backup is proved first; the folder must not be in
/// use; the database that was there is kept beside it. The path it has now.
///
/// # Errors
/// [`Refusal::Locked`] while a daemon runs, and whatever is wrong with the backup. Nothing has changed then.
pub async fn restore(dir: &Path, database: &Path, from: &Path) -> Result<(Replayed, Option<PathBuf>), StoreError> {
    let _lock = FolderLock::take(dir)?;
    if !from.is_file() {
        return Err(Refusal::Missing(from.to_owned()).into());
    }
    let incoming = beside(database, "restoring");
    remove_companions(&incoming);
    std::fs::copy(from, &incoming).map_err(io(&incoming))?;
    let proved = prove(&incoming).await;
    remove_companions(&incoming);
    let replayed = match proved {
        Ok(replayed) => replayed,
        Err(e) => {
            let _ = std::fs::remove_file(&incoming);
            return Err(e);
        }
    };
    std::fs::File::open(&incoming).and_then(|file| file.sync_all()).map_err(io(&incoming))?;
    let mut kept = None;
    if database.exists() {
        let aside = beside(database, &format!("before-restore-{}", Moment::now().wall.nanos()));
        let [wal, shm] = companions(database);
        let [aside_wal, aside_shm] = companions(&aside);
        for (file, to) in [(wal, aside_wal), (shm, aside_shm)] {
            if file.exists() {
                std::fs::rename(&file, &to).map_err(io(&file))?;
            }
        }
        std::fs::rename(database, &aside).map_err(io(database))?;
        kept = Some(aside);
    }
    std::fs::rename(&incoming, database).map_err(io(database))?;
    if let Some(parent) = database.parent()
        && let Ok(folder) = std::fs::File::open(parent)
    {
        folder.sync_all().map_err(io(parent))?;
    }
    Ok((replayed, kept))
}
