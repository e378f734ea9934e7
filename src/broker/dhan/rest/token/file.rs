//! The token file: two lines, `DHAN_CLIENT_ID=..` and `DHAN_ACCESS_TOKEN=..`, mode 0600 (S30).

use std::fs;
use std::io::Write as _;
use std::os::unix::fs::{MetadataExt as _, PermissionsExt as _};
use std::path::{Path, PathBuf};

use secrecy::{ExposeSecret as _, SecretString};

/// Larger files are something else.
const MAX_BYTES: u64 = 16 * 1024;

/// Why a token file cannot be used. No variant holds its content.
#[derive(Debug, thiserror::Error)]
pub enum TokenFileError {
    /// Somebody else could read it.
    #[error("{path} can be read by others (mode {mode:03o}); run: chmod 600 {path}", path = .path.display())]
    TooOpen {
        /// The file.
        path: PathBuf,
        /// Its permission bits.
        mode: u32,
    },
    /// Not what a token file looks like.
    #[error("{path} must hold the lines DHAN_CLIENT_ID=.. and DHAN_ACCESS_TOKEN=..", path = .0.display())]
    Form(PathBuf),
    /// The system says no.
    #[error("{path}: {source}", path = .path.display())]
    Io {
        /// The file.
        path: PathBuf,
        /// What the system said.
        source: std::io::Error,
    },
}

fn io(path: &Path) -> impl Fn(std::io::Error) -> TokenFileError + '_ {
    |source| TokenFileError::Io { path: path.to_owned(), source }
}

/// Client id and token of a file that only its owner can read.
pub fn read(path: &Path) -> Result<(String, SecretString), TokenFileError> {
    // Mode and content of the same file, however often it is replaced meanwhile.
    let mut file = fs::File::open(path).map_err(io(path))?;
    let meta = file.metadata().map_err(io(path))?;
    let mode = meta.permissions().mode() & 0o777;
    if mode & 0o077 != 0 {
        return Err(TokenFileError::TooOpen { path: path.to_owned(), mode });
    }
    if !meta.is_file() || meta.len() > MAX_BYTES {
        return Err(TokenFileError::Form(path.to_owned()));
    }
    let mut text = String::new();
    std::io::Read::read_to_string(&mut file, &mut text).map_err(io(path))?;
    let value = |name: &str| {
        text.lines()
            .filter_map(|line| line.trim().strip_prefix("export ").unwrap_or(line.trim()).split_once('='))
            .find(|(key, _)| key.trim() == name)
            .map(|(_, value)| value.trim().trim_matches(['"', '\'']).to_owned())
            .filter(|value| !value.is_empty())
    };
    match (value("DHAN_CLIENT_ID"), value("DHAN_ACCESS_TOKEN")) {
        (Some(id), Some(token)) => Ok((id, token.into())),
        _ => Err(TokenFileError::Form(path.to_owned())),
    }
}

/// Replaces the file in one step, readable by its owner alone from the first byte on.
pub fn write(path: &Path, client_id: &str, token: &SecretString) -> Result<(), TokenFileError> {
    let folder = path.parent().filter(|p| !p.as_os_str().is_empty()).unwrap_or(Path::new("."));
    fs::create_dir_all(folder).map_err(io(folder))?;
    // A temporary file is made with mode 0600.
    let mut file = tempfile::NamedTempFile::new_in(folder).map_err(io(folder))?;
    let text = format!("DHAN_CLIENT_ID={client_id}\nDHAN_ACCESS_TOKEN={}\n", token.expose_secret());
    file.write_all(text.as_bytes()).map_err(io(path))?;
    file.as_file().sync_all().map_err(io(path))?;
    file.persist(path).map_err(|e| io(path)(e.error))?;
    Ok(())
}

/// What changes when a file is replaced or written to.
pub fn fingerprint(path: &Path) -> Option<(u64, u64, i64, i64)> {
    fs::metadata(path).ok().map(|m| (m.ino(), m.len(), m.mtime(), m.mtime_nsec()))
}
