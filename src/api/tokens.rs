//! The API's tokens: names, roles and hashes in a private file of the data folder (S17, S20, S23). The daemon reads it
//! again whenever it changes, so a token made or revoked beside it counts at once.

use std::collections::BTreeMap;
use std::fs::{self, File, OpenOptions};
use std::io::{self, Write as _};
use std::os::unix::fs::{OpenOptionsExt as _, PermissionsExt as _};
use std::path::{Path, PathBuf};
use std::sync::Mutex;
use std::time::SystemTime;

use scalper_decide::domain::{Age, Instant};
use secrecy::SecretString;
use serde::{Deserialize, Serialize};

use super::read_token::{ApiToken, ApiTokenError, mint};
use super::route::Role;

/// The file in the data folder.
const FILE: &str = "api-tokens.json";
/// Held while the file is written.
const LOCK: &str = "api-tokens.lock";
/// When each token was used last; the daemon alone writes it.
const USED: &str = "api-tokens.used.json";
/// Name under which the read token of the first start acts.
pub const READ_TOKEN: &str = "read-token";
/// Name of the first admin token.
const FIRST: &str = "first";
/// Tokens kept, revoked ones included: their names stay taken, because the audit trail has them.
const MOST: usize = 200;
/// A use is written down again after this long.
const USE_GAP: Age = Age::from_secs(60);

/// A token as it is kept.
#[derive(Debug, Clone, PartialEq, Eq, Serialize, Deserialize)]
#[serde(deny_unknown_fields)]
pub struct Token {
    /// What it is called; acts are audited under this name.
    pub name: String,
    /// What it may do.
    pub role: Role,
    /// Hash of the secret, in hex.
    hash: String,
    /// When it was made.
    pub created_at: Instant,
    /// When it stopped working.
    pub revoked_at: Option<Instant>,
    /// When it was used last, to the minute; not in the file of tokens.
    #[serde(skip)]
    pub used_at: Option<Instant>,
}

/// Who calls.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct Caller {
    /// Name of the token.
    pub name: String,
    /// What it may do.
    pub role: Role,
}

/// A token could not be read, made or revoked.
#[derive(Debug, thiserror::Error)]
pub enum TokensError {
    /// A file does not work.
    #[error("{path}: {source}", path = path.display())]
    Io {
        /// Which file.
        path: PathBuf,
        /// What the system said.
        source: io::Error,
    },
    /// The file holds something else.
    #[error("{path}: {why}; put it right, or remove it and make new tokens", path = path.display())]
    Malformed {
        /// Which file.
        path: PathBuf,
        /// What is wrong.
        why: String,
    },
    /// Others may read it.
    #[error("{path}: mode {mode:03o} lets others in; chmod 600 {path}", path = path.display())]
    Open {
        /// Which file.
        path: PathBuf,
        /// Its mode.
        mode: u32,
    },
    /// A name that cannot be.
    #[error("{0:?} is no name for a token: 1 to 40 of a-z, A-Z, 0-9, dot, dash, underscore")]
    Name(String),
    /// A name that was used before.
    #[error("there is or was a token {0:?}: names are not used again, the audit trail has them")]
    Taken(String),
    /// Nothing of this name.
    #[error("there is no token {0:?}")]
    Unknown(String),
    /// Too many.
    #[error("{MOST} tokens were made already, and their names are kept: start a new file")]
    TooMany,
    /// The read token, or randomness.
    #[error(transparent)]
    Read(#[from] ApiTokenError),
}

#[derive(Debug, Default, Serialize, Deserialize)]
#[serde(deny_unknown_fields)]
struct Kept {
    tokens: Vec<Token>,
}

/// Tokens with their hashes ready to compare, and the state of the file they came from.
#[derive(Debug, Default)]
struct Loaded {
    seen: Option<(SystemTime, u64)>,
    tokens: Vec<(blake3::Hash, Token)>,
}

/// The tokens of a data folder.
#[derive(Debug)]
pub struct Tokens {
    dir: PathBuf,
    read: ApiToken,
    loaded: Mutex<Loaded>,
    used: Mutex<BTreeMap<String, Instant>>,
}

/// Secrets made at the first start of a folder, to be shown once.
#[derive(Debug, Default)]
pub struct FirstSecrets {
    /// Reads health, metrics and the API.
    pub read: Option<SecretString>,
    /// May do everything.
    pub admin: Option<SecretString>,
}

fn io_at(path: &Path) -> impl FnOnce(io::Error) -> TokensError {
    let path = path.to_owned();
    move |source| TokensError::Io { path, source }
}

fn is_name(name: &str) -> bool {
    let fine = |c: char| c.is_ascii_alphanumeric() || matches!(c, '.' | '-' | '_');
    (1..=40).contains(&name.len()) && name.chars().all(fine)
}

/// The tokens in the file; none when there is no file.
fn load(dir: &Path) -> Result<Loaded, TokensError> {
    let path = dir.join(FILE);
    let meta = match fs::metadata(&path) {
        Ok(meta) => meta,
        Err(e) if e.kind() == io::ErrorKind::NotFound => return Ok(Loaded::default()),
        Err(e) => return Err(io_at(&path)(e)),
    };
    let mode = meta.permissions().mode() & 0o777;
    if mode & 0o077 != 0 {
        return Err(TokensError::Open { path, mode });
    }
    let seen = Some((meta.modified().map_err(io_at(&path))?, meta.len()));
    let malformed = |why: String| TokensError::Malformed { path: path.clone(), why };
    let text = fs::read_to_string(&path).map_err(io_at(&path))?;
    let kept: Kept = serde_json::from_str(&text).map_err(|e| malformed(e.to_string()))?;
    let hashed = |token: Token| {
        let hash = blake3::Hash::from_hex(&token.hash);
        hash.map(|hash| (hash, token)).map_err(|_| malformed("a hash is not one".to_owned()))
    };
    Ok(Loaded { seen, tokens: kept.tokens.into_iter().map(hashed).collect::<Result<_, _>>()? })
}

/// Writes a private file whole or not at all.
fn replace(path: &Path, value: &impl Serialize) -> io::Result<()> {
    let dir = path.parent().unwrap_or(Path::new("."));
    let mut file = tempfile::Builder::new().permissions(fs::Permissions::from_mode(0o600)).tempfile_in(dir)?;
    serde_json::to_writer_pretty(&mut file, value)?;
    file.write_all(b"\n")?;
    file.as_file().sync_all()?;
    file.persist(path)?;
    File::open(dir)?.sync_all()
}

/// Reads, changes and writes the file while nobody else does.
fn change<T>(dir: &Path, work: impl FnOnce(&mut Vec<Token>) -> Result<T, TokensError>) -> Result<T, TokensError> {
    let lock = dir.join(LOCK);
    let held = OpenOptions::new().create(true).truncate(false).write(true).mode(0o600).open(&lock);
    let held = held.map_err(io_at(&lock))?;
    held.lock().map_err(io_at(&lock))?;
    let mut tokens: Vec<Token> = load(dir)?.tokens.into_iter().map(|(_, token)| token).collect();
    let done = work(&mut tokens)?;
    let path = dir.join(FILE);
    replace(&path, &Kept { tokens }).map_err(io_at(&path))?;
    Ok(done)
}

/// Makes a token; its secret, which is kept nowhere.
///
/// # Errors
/// [`TokensError`] for a name that cannot be or was used before, and for files that do not work.
pub fn create(dir: &Path, name: &str, role: Role, now: Instant) -> Result<SecretString, TokensError> {
    if !is_name(name) {
        return Err(TokensError::Name(name.to_owned()));
    }
    let (hash, secret) = mint()?;
    change(dir, |tokens| {
        if name == READ_TOKEN || tokens.iter().any(|token| token.name == name) {
            return Err(TokensError::Taken(name.to_owned()));
        }
        if tokens.len() >= MOST {
            return Err(TokensError::TooMany);
        }
        let hash = hash.to_hex().to_string();
        tokens.push(Token { name: name.to_owned(), role, hash, created_at: now, revoked_at: None, used_at: None });
        Ok(())
    })?;
    Ok(secret)
}

/// Ends a token at once; whether it still worked. Done twice it changes nothing more.
///
/// # Errors
/// [`TokensError::Unknown`], and files that do not work.
pub fn revoke(dir: &Path, name: &str, now: Instant) -> Result<bool, TokensError> {
    change(dir, |tokens| {
        let token = tokens.iter_mut().find(|token| token.name == name);
        let token = token.ok_or_else(|| TokensError::Unknown(name.to_owned()))?;
        let worked = token.revoked_at.is_none();
        token.revoked_at.get_or_insert(now);
        Ok(worked)
    })
}

/// Every token ever made, oldest first, with its last use.
///
/// # Errors
/// [`TokensError`] when the file cannot be read.
pub fn list(dir: &Path) -> Result<Vec<Token>, TokensError> {
    let used = uses(dir);
    let with_use = |(_, mut token): (blake3::Hash, Token)| {
        token.used_at = used.get(&token.name).copied();
        token
    };
    Ok(load(dir)?.tokens.into_iter().map(with_use).collect())
}

/// Last uses; a damaged file loses them and nothing else.
fn uses(dir: &Path) -> BTreeMap<String, Instant> {
    let text = fs::read_to_string(dir.join(USED)).unwrap_or_default();
    serde_json::from_str(&text).unwrap_or_default()
}

impl Tokens {
    /// The tokens of a data folder. The first time a read token is made, and with `wants_admin` an admin token too: only
    /// where a person reads what is printed, as logs keep it.
    ///
    /// # Errors
    /// [`TokensError`] when a file cannot be read or written, or lets others in.
    pub fn open(dir: &Path, wants_admin: bool, now: Instant) -> Result<(Tokens, FirstSecrets), TokensError> {
        let (read, shown) = ApiToken::open(dir)?;
        let is_new = !dir.join(FILE).exists();
        let admin = (is_new && wants_admin).then(|| create(dir, FIRST, Role::Admin, now)).transpose()?;
        let loaded = Mutex::new(load(dir)?);
        let used = Mutex::new(uses(dir));
        Ok((Tokens { dir: dir.to_owned(), read, loaded, used }, FirstSecrets { read: shown, admin }))
    }

    /// The data folder.
    pub fn dir(&self) -> &Path {
        &self.dir
    }

    /// Whose token this is. Every hash is compared, each in constant time, whatever is presented (S18). A file that
    /// cannot be read any more lets nobody in but the read token.
    pub fn caller(&self, presented: &str) -> Option<Caller> {
        let hash = blake3::hash(presented.as_bytes());
        let mut caller = None;
        let loaded = self.fresh();
        for (known, token) in &loaded.tokens {
            if *known == hash && token.revoked_at.is_none() {
                caller = Some(Caller { name: token.name.clone(), role: token.role });
            }
        }
        if self.read.accepts(presented) {
            caller = Some(Caller { name: READ_TOKEN.to_owned(), role: Role::Read });
        }
        caller
    }

    /// The file as it is now.
    fn fresh(&self) -> std::sync::MutexGuard<'_, Loaded> {
        let mut loaded = self.loaded.lock().expect("nothing panics while it holds the tokens");
        let seen = fs::metadata(self.dir.join(FILE)).and_then(|meta| Ok((meta.modified()?, meta.len()))).ok();
        if seen != loaded.seen {
            *loaded = load(&self.dir).unwrap_or_else(|e| {
                tracing::error!(target: "api", error = %e, "the tokens cannot be read: nobody is let in");
                Loaded { seen, tokens: Vec::new() }
            });
        }
        loaded
    }

    /// Notes that a token was used; to the disk at most once a minute.
    pub fn used(&self, name: &str, now: Instant) {
        let mut used = self.used.lock().expect("nothing panics while it holds the uses");
        if used.get(name).is_some_and(|last| *last <= now && now.age_of(*last) < USE_GAP) {
            return;
        }
        used.insert(name.to_owned(), now);
        if let Err(e) = replace(&self.dir.join(USED), &*used) {
            tracing::warn!(target: "api", error = %e, "the last use of a token could not be noted");
        }
    }
}

#[cfg(test)]
#[path = "tokens_tests.rs"]
mod tests;
