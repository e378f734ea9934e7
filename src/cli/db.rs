//! `scalper db migrate|seed|verify|backup|restore`.

use std::collections::BTreeMap;
use std::path::{Path, PathBuf};
use std::sync::Arc;

use anyhow::Result;
use clap::{Args, Subcommand};
use scalper_decide::direct::{CoreTables, Direct};

use super::config::named_or_default;
use super::exit::{BadInput, BadUsage, Code};
use crate::config;
use crate::store::error::{Refusal, StoreError};
use crate::store::link::{Link, Readers};
use crate::store::master::Master;
use crate::store::place::{FolderLock, StoreUrl};
use crate::store::verify::PaperCore;
use crate::store::watchlist::{self, load_watchlist};
use crate::store::{Store, StoreOptions, backup, schema, verify};

/// The database: bring it up to date, fill it, prove it, copy it, put a copy back.
#[derive(Debug, Args)]
pub struct DbArgs {
    /// Data folder: lock, emergency journal, backups and the default database.
    #[arg(long, global = true, value_name = "DIR", default_value = "data", env = "SCALPER_DATA_DIR")]
    pub data_dir: PathBuf,
    /// The database, sqlite:PATH or postgres://..; a file in the data folder when not given.
    #[arg(long, global = true, value_name = "URL", env = "SCALPER_DATABASE_URL", hide_env_values = true)]
    pub url: Option<String>,
    /// What to do.
    #[command(subcommand)]
    pub verb: DbVerb,
}

/// What to do with the database.
#[derive(Debug, Subcommand)]
pub enum DbVerb {
    /// Brings the schema up to date, completely or not at all; a copy of an SQLite file is kept first.
    Migrate,
    /// Puts the watchlist in, every item proved to be exactly one instrument.
    Seed(SeedArgs),
    /// Proves pages, journal, audit trail and, where the settings are the same, every projected table.
    Verify(VerifyArgs),
    /// Copies the database into a new file while it may be in use, and proves the copy.
    Backup(FileArgs),
    /// Proves a backup and puts it in the database's place; what was there is kept beside it.
    Restore(FileArgs),
}

/// Arguments of `db seed`.
#[derive(Debug, Args)]
pub struct SeedArgs {
    /// The broker's compact instrument list, CSV or gzip; without it the instruments table is asked.
    #[arg(long, value_name = "FILE")]
    pub master: Option<PathBuf>,
    /// Seeds other than the shipped ones.
    #[arg(long, value_name = "FILE")]
    pub seeds: Option<PathBuf>,
}

/// Arguments of `db verify`.
#[derive(Debug, Args)]
pub struct VerifyArgs {
    /// Settings to recompute tables with; days of other settings are proved, but not recomputed.
    #[arg(long, value_name = "FILE")]
    pub config: Option<PathBuf>,
    /// Presets on top of it.
    #[arg(long, value_name = "NAME")]
    pub preset: Vec<String>,
}

/// One file.
#[derive(Debug, Args)]
pub struct FileArgs {
    /// The backup.
    #[arg(value_name = "FILE")]
    pub file: PathBuf,
}

/// Runs the verb.
pub fn run(args: &DbArgs) -> Result<Code> {
    let url = match &args.url {
        Some(text) => StoreUrl::parse(text).map_err(StoreError::from)?,
        None => StoreUrl::default_in(&args.data_dir),
    };
    let options = StoreOptions { dir: args.data_dir.clone(), url, owner: None };
    let runtime = tokio::runtime::Builder::new_current_thread().enable_all().build()?;
    runtime.block_on(async {
        match &args.verb {
            DbVerb::Migrate => migrate(&options).await,
            DbVerb::Seed(args) => seed(&options, args).await,
            DbVerb::Verify(args) => verify_all(&options, args).await,
            DbVerb::Backup(args) => make_backup(&options, &args.file).await,
            DbVerb::Restore(args) => restore(&options, &args.file).await,
        }
    })
}

/// The SQLite file of a URL; servers have tools of their own.
fn file_of<'a>(url: &'a StoreUrl, verb: &str, tool: &str) -> Result<&'a Path> {
    match url {
        StoreUrl::Sqlite(path) => Ok(path),
        StoreUrl::Postgres(_) => {
            Err(BadUsage(format!("db {verb} copies SQLite files; for PostgreSQL use {tool}, then db verify")).into())
        }
    }
}

async fn migrate(options: &StoreOptions) -> Result<Code> {
    let before = match Link::open(&options.url, false).await {
        Ok(mut link) => {
            let found = schema::version(&mut link).await;
            link.close().await;
            found?
        }
        Err(StoreError::Refused(Refusal::Missing(_))) => 0,
        Err(e) => return Err(e.into()),
    };
    let store = Store::open(options).await?;
    let newest = schema::NEWEST;
    match before {
        now if now == newest => println!("{}: schema {newest}, nothing to do", options.url),
        before => println!("{}: schema {before} -> {newest}", options.url),
    }
    if matches!(options.url, StoreUrl::Postgres(_)) {
        let timescale = store.transact(|link| Box::pin(schema::timescale_available(link))).await?;
        println!("TimescaleDB: {}", if timescale { "available, not needed" } else { "not installed, not needed" });
    }
    store.close().await;
    Ok(Code::Ok)
}

async fn seed(options: &StoreOptions, args: &SeedArgs) -> Result<Code> {
    let yaml = match &args.seeds {
        None => watchlist::SEEDS.to_owned(),
        Some(path) => std::fs::read_to_string(path).map_err(|e| BadInput(format!("{}: {e}", path.display())))?,
    };
    let seeds = watchlist::parse(&yaml).map_err(|e| BadInput(format!("seeds: {e}")))?;
    let master = args.master.as_deref().map(Master::read_file).transpose()?;
    let store = Store::open(options).await?;
    let outcome = store.seed(seeds, master).await;
    let watched = load_watchlist(store.readers()).await;
    store.close().await;
    let seeded = outcome?;
    if args.master.is_some() {
        let loaded = seeded.loaded;
        println!(
            "instruments {}, derivatives {}, left out as ambiguous {}",
            loaded.instruments, loaded.derivatives, loaded.ambiguous
        );
    }
    println!("watchlist {}, active:", seeded.items);
    for item in watched? {
        println!("  {} {}", item.segment.name(), item.security_id);
    }
    Ok(Code::Ok)
}

async fn verify_all(options: &StoreOptions, args: &VerifyArgs) -> Result<Code> {
    let mut link = Link::open(&options.url, false).await?;
    let sound = async {
        schema::require_newest(&mut link).await?;
        verify::integrity(&mut link).await
    }
    .await;
    link.close().await;
    sound?;
    println!("pages: sound");
    let readers = Readers::new(&options.url)?;
    let outcome = verify_journal(options, args, &readers).await;
    readers.close().await;
    outcome
}

async fn verify_journal(options: &StoreOptions, args: &VerifyArgs, readers: &Readers) -> Result<Code> {
    let proved = verify::chains(readers).await?;
    println!("journal: {} runs, {} segments, {} events: sound", proved.runs, proved.segments, proved.events);
    // Tables of a database in use change under the comparison.
    let lock = match FolderLock::take(&options.dir) {
        Ok(lock) => Some(lock),
        Err(StoreError::Refused(Refusal::Locked { pid, .. })) => {
            println!("tables: not compared, process {pid} is writing");
            None
        }
        Err(e) => return Err(e.into()),
    };
    if lock.is_none() {
        return Ok(Code::Ok);
    }
    let file = named_or_default(args.config.as_deref());
    let effective = config::load_with(file, std::env::vars(), &args.preset)?;
    let mut differences = 0;
    for (day, hashes) in verify::days(readers).await? {
        if let Some(other) = hashes.iter().find(|hash| **hash != effective.hash) {
            println!("tables of {day}: not recomputed, they need the settings with hash {other}");
            continue;
        }
        let tables = CoreTables {
            calendar: Arc::new(effective.tables.calendar.clone()),
            charges: Arc::new(effective.tables.charges.clone()),
        };
        let mut core = Direct::new(effective.params.clone(), tables, &BTreeMap::new());
        let recomputed = if verify::is_paper(readers, day).await? {
            let (recomputed, replayed) = verify::rebuild(readers, day, &mut PaperCore::new(core)).await?;
            println!("paper venue of {day}: says again what it said in {} events", replayed.events);
            recomputed
        } else {
            verify::rebuild(readers, day, &mut core).await?.0
        };
        let found = verify::differences(&verify::stored(readers, day).await?, &recomputed);
        println!("tables of {day}: {} rows, {} differences", recomputed.len(), found.len());
        for difference in found.iter().take(20) {
            eprintln!("{day}: {difference}");
        }
        differences += found.len();
    }
    Ok(if differences == 0 { Code::Ok } else { Code::Data })
}

async fn make_backup(options: &StoreOptions, to: &Path) -> Result<Code> {
    file_of(&options.url, "backup", "pg_dump --format=custom")?;
    if to.exists() {
        return Err(BadUsage(format!("{} exists", to.display())).into());
    }
    let proved = backup::backup(&options.url, to).await?;
    println!("{}: {} runs, {} segments, {} events", to.display(), proved.runs, proved.segments, proved.events);
    Ok(Code::Ok)
}

async fn restore(options: &StoreOptions, from: &Path) -> Result<Code> {
    let database = file_of(&options.url, "restore", "pg_restore --clean into a database nobody uses")?;
    let (proved, kept) = backup::restore(&options.dir, database, from).await?;
    println!("{}: {} runs, {} segments, {} events", database.display(), proved.runs, proved.segments, proved.events);
    if let Some(kept) = kept {
        println!("the database that was there is now {}", kept.display());
    }
    Ok(Code::Ok)
}
