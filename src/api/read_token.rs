//! The read token every data folder has (`/health`, `/metrics`, reads of the API): 256 random bits, shown once when it is made, kept as a hash (S17).

use std::fs::{self, OpenOptions};
use std::io::{self, Write as _};
use std::os::unix::fs::OpenOptionsExt as _;
use std::path::{Path, PathBuf};

use secrecy::SecretString;

/// The file in the data directory that holds the hash.
const FILE: &str = "read-token.blake3";

/// Checks presented tokens.
#[derive(Debug, Clone)]
pub struct ApiToken {
    hash: blake3::Hash,
}

/// The token could not be read or made.
#[derive(Debug, thiserror::Error)]
pub enum ApiTokenError {
    /// The file does not work.
    #[error("{path}: {source}", path = path.display())]
    Io {
        /// Which file.
        path: PathBuf,
        /// What the system said.
        source: io::Error,
    },
    /// The file holds something else.
    #[error("{path}: not a token hash; remove the file to have a new token made", path = .0.display())]
    Malformed(PathBuf),
    /// The system has no randomness to give.
    #[error("no random bytes: {0}")]
    Random(String),
}

/// A new secret of 256 random bits, with its hash.
///
/// # Errors
/// [`ApiTokenError::Random`].
pub(super) fn mint() -> Result<(blake3::Hash, SecretString), ApiTokenError> {
    let mut bytes = [0_u8; 32];
    getrandom::fill(&mut bytes).map_err(|e| ApiTokenError::Random(e.to_string()))?;
    let text = blake3::Hash::from(bytes).to_hex().to_string();
    Ok((blake3::hash(text.as_bytes()), SecretString::from(text)))
}

impl ApiToken {
    /// The token of this data directory. The first time one is made and returned beside it, to be shown once.
    ///
    /// # Errors
    /// [`ApiTokenError`] when the file cannot be read, written or understood.
    pub fn open(dir: &Path) -> Result<(ApiToken, Option<SecretString>), ApiTokenError> {
        let path = dir.join(FILE);
        match fs::read_to_string(&path) {
            Ok(text) => {
                let hash = blake3::Hash::from_hex(text.trim()).map_err(|_| ApiTokenError::Malformed(path))?;
                Ok((ApiToken { hash }, None))
            }
            Err(e) if e.kind() == io::ErrorKind::NotFound => {
                let (hash, secret) = mint()?;
                let token = ApiToken { hash };
                token.save(&path).map_err(|source| ApiTokenError::Io { path, source })?;
                Ok((token, Some(secret)))
            }
            Err(source) => Err(ApiTokenError::Io { path, source }),
        }
    }

    fn save(&self, path: &Path) -> io::Result<()> {
        let mut file = OpenOptions::new().write(true).create_new(true).mode(0o600).open(path)?;
        writeln!(file, "{}", self.hash.to_hex())?;
        file.sync_all()
    }

    /// Whether `presented` is the token. Takes the same time whatever is presented: hashes are compared, and in
    /// constant time (S18).
    pub fn accepts(&self, presented: &str) -> bool {
        blake3::hash(presented.as_bytes()) == self.hash
    }
}

#[cfg(test)]
mod tests {
    use std::os::unix::fs::PermissionsExt as _;

    use secrecy::ExposeSecret as _;

    use super::*;

    #[test]
    fn the_token_is_shown_once_and_only_its_hash_is_kept_in_a_private_file() {
        // S17
        let dir = tempfile::tempdir().unwrap();
        let (first, shown) = ApiToken::open(dir.path()).unwrap();
        let shown = shown.unwrap();
        let (second, again) = ApiToken::open(dir.path()).unwrap();
        assert!(again.is_none());
        assert!(first.accepts(shown.expose_secret()) && second.accepts(shown.expose_secret()));
        assert!(!second.accepts("") && !second.accepts(&shown.expose_secret()[1..]));
        assert_eq!(shown.expose_secret().len(), 64);
        let path = dir.path().join(FILE);
        assert!(!fs::read_to_string(&path).unwrap().contains(shown.expose_secret()));
        assert_eq!(fs::metadata(path).unwrap().permissions().mode() & 0o777, 0o600);
    }

    #[test]
    fn a_file_that_holds_something_else_is_refused_and_not_replaced() {
        let dir = tempfile::tempdir().unwrap();
        fs::write(dir.path().join(FILE), "hello").unwrap();
        assert!(matches!(ApiToken::open(dir.path()), Err(ApiTokenError::Malformed(_))));
        assert_eq!(fs::read_to_string(dir.path().join(FILE)).unwrap(), "hello");
    }
}
