//! The operator's end of the socket.

use std::io;
use std::path::{Path, PathBuf};

use tokio::io::{AsyncBufReadExt as _, AsyncWriteExt as _, BufReader};
use tokio::net::UnixStream;
use tokio::net::unix::{OwnedReadHalf, OwnedWriteHalf};

use super::protocol::{Request, Response};

/// The engine could not be asked.
#[derive(Debug, thiserror::Error)]
pub enum AskError {
    /// Nobody listens.
    #[error("no engine listens at {path} ({source}); is `scalper run` running with this data directory?", path = path.display())]
    NoEngine {
        /// The socket.
        path: PathBuf,
        /// What the system said.
        source: io::Error,
    },
    /// The connection broke.
    #[error("the engine hung up: {0}")]
    Broken(#[from] io::Error),
    /// The engine is of another version.
    #[error("the engine answered something else, is it of another version? {0}")]
    Strange(#[from] serde_json::Error),
}

/// A connection to a running engine.
#[derive(Debug)]
pub struct ControlClient {
    read: BufReader<OwnedReadHalf>,
    write: OwnedWriteHalf,
}

impl ControlClient {
    /// Connects.
    ///
    /// # Errors
    /// [`AskError::NoEngine`] when nobody listens.
    pub async fn connect(path: &Path) -> Result<ControlClient, AskError> {
        let stream =
            UnixStream::connect(path).await.map_err(|source| AskError::NoEngine { path: path.to_owned(), source })?;
        let (read, write) = stream.into_split();
        Ok(ControlClient { read: BufReader::new(read), write })
    }

    /// Sends a request and waits for its answer.
    ///
    /// # Errors
    /// [`AskError`] when the connection breaks or the answer cannot be read.
    pub async fn ask(&mut self, request: &Request) -> Result<Response, AskError> {
        let mut line = serde_json::to_vec(request)?;
        line.push(b'\n');
        self.write.write_all(&line).await?;
        self.next().await
    }

    /// The next answer; after [`Request::Watch`] there are many.
    ///
    /// # Errors
    /// As [`ControlClient::ask`].
    pub async fn next(&mut self) -> Result<Response, AskError> {
        let mut line = String::new();
        if self.read.read_line(&mut line).await? == 0 {
            return Err(io::Error::from(io::ErrorKind::UnexpectedEof).into());
        }
        Ok(serde_json::from_str(&line)?)
    }
}
