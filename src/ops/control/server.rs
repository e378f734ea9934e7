//! The engine's end of the operator's socket.

use std::io;
use std::os::unix::fs::{MetadataExt as _, PermissionsExt as _};
use std::path::{Path, PathBuf};
use std::sync::Arc;

use scalper_decide::domain::event::OperatorCommand;
use tokio::io::{AsyncBufReadExt as _, AsyncReadExt as _, AsyncWriteExt as _, BufReader};
use tokio::net::unix::{OwnedReadHalf, OwnedWriteHalf};
use tokio::net::{UnixListener, UnixStream};
use tokio::sync::Semaphore;
use uuid::Uuid;

use super::protocol::{LINE_MAX, Request, Response};
use crate::engine::handle::{EngineHandle, Outcome};
use crate::ops::once::{KeyReused, Once};

/// Connections at a time; more wait in the listener's queue.
const CONNECTIONS: usize = 16;
/// Commands whose keys are remembered.
const REMEMBERED: usize = 10_000;

/// The socket could not be opened.
#[derive(Debug, thiserror::Error)]
pub enum ControlError {
    /// Another engine listens there.
    #[error("{path}: another engine listens here; stop it first, or use another data directory", path = .0.display())]
    InUse(PathBuf),
    /// The system refused.
    #[error("{path}: {source}", path = path.display())]
    Io {
        /// Which file.
        path: PathBuf,
        /// What the system said.
        source: io::Error,
    },
}

/// A bound socket; the file is removed when it is dropped.
#[derive(Debug)]
pub struct ControlServer {
    listener: UnixListener,
    path: PathBuf,
    owner: u32,
}

impl Drop for ControlServer {
    fn drop(&mut self) {
        let _ = std::fs::remove_file(&self.path);
    }
}

/// Outcomes by key.
type Remembered = Once<Uuid, OperatorCommand, Outcome>;

impl ControlServer {
    /// Opens the socket, readable and writable by its owner only. A file left by a process that died is replaced.
    ///
    /// # Errors
    /// [`ControlError::InUse`] when somebody answers there, [`ControlError::Io`] when the system refuses.
    pub async fn bind(path: &Path) -> Result<ControlServer, ControlError> {
        let io = |source| ControlError::Io { path: path.to_owned(), source };
        if UnixStream::connect(path).await.is_ok() {
            return Err(ControlError::InUse(path.to_owned()));
        }
        match std::fs::remove_file(path) {
            Err(e) if e.kind() != io::ErrorKind::NotFound => return Err(io(e)),
            _ => {}
        }
        let listener = UnixListener::bind(path).map_err(io)?;
        std::fs::set_permissions(path, std::fs::Permissions::from_mode(0o600)).map_err(io)?;
        let owner = std::fs::metadata(path).map_err(io)?.uid();
        Ok(ControlServer { listener, path: path.to_owned(), owner })
    }

    /// Serves until the task is dropped.
    pub async fn serve(self, engine: EngineHandle) {
        let seats = Arc::new(Semaphore::new(CONNECTIONS));
        let remembered = Arc::new(Remembered::new(REMEMBERED));
        loop {
            let seat = seats.clone().acquire_owned().await.expect("the semaphore is never closed");
            let stream = match self.listener.accept().await {
                Ok((stream, _)) => stream,
                Err(e) => {
                    tracing::warn!(target: "control", error = %e, "accept failed");
                    tokio::time::sleep(std::time::Duration::from_millis(100)).await;
                    continue;
                }
            };
            let uid = stream.peer_cred().map(|peer| peer.uid());
            match uid {
                Ok(uid) if uid == self.owner || uid == 0 => {}
                other => {
                    tracing::warn!(target: "control", peer = ?other, "refused a caller of another user");
                    continue;
                }
            }
            let actor = format!("uid {}", uid.unwrap_or_default());
            let (engine, remembered) = (engine.clone(), remembered.clone());
            tokio::spawn(async move {
                let _seat = seat;
                if let Err(e) = converse(stream, &engine, &remembered, &actor).await {
                    tracing::debug!(target: "control", error = %e, "connection ended");
                }
            });
        }
    }
}

async fn converse(stream: UnixStream, engine: &EngineHandle, remembered: &Remembered, actor: &str) -> io::Result<()> {
    let (read, mut write) = stream.into_split();
    let mut lines = BufReader::new(read);
    while let Some(line) = next_line(&mut lines).await? {
        let response = match serde_json::from_str::<Request>(&line) {
            Err(e) => Response::Malformed { text: e.to_string() },
            Ok(Request::Watch) => return watch(engine, &mut write).await,
            Ok(request) => answer(request, engine, remembered, actor).await,
        };
        send(&mut write, &response).await?;
    }
    Ok(())
}

/// One line without its end; `None` at the end of the stream. A longer line than [`LINE_MAX`] is an error.
async fn next_line(lines: &mut BufReader<OwnedReadHalf>) -> io::Result<Option<String>> {
    let mut line = String::new();
    let taken = lines.take(LINE_MAX as u64).read_line(&mut line).await?;
    if taken == LINE_MAX {
        return Err(io::Error::new(io::ErrorKind::InvalidData, "the line is too long"));
    }
    Ok((taken > 0).then_some(line))
}

async fn send(write: &mut OwnedWriteHalf, response: &Response) -> io::Result<()> {
    let mut line = serde_json::to_vec(response)?;
    line.push(b'\n');
    write.write_all(&line).await
}

async fn answer(request: Request, engine: &EngineHandle, remembered: &Remembered, actor: &str) -> Response {
    let outcome = match request {
        Request::Status | Request::Watch => {
            return Response::Status { status: Box::new((*engine.status()).clone()) };
        }
        Request::Operate { key, command } => match remembered.slot(&key, command.clone()) {
            Err(KeyReused) => Outcome::refused("KEY_REUSED", format!("key {key} was used for another command")),
            Ok(slot) => {
                let mut known = slot.lock().await;
                match &*known {
                    Some(outcome) => outcome.clone(),
                    None => {
                        let outcome = engine.operate(command, actor).await;
                        *known = Some(outcome.clone());
                        outcome
                    }
                }
            }
        },
        Request::Explain { what } => engine.explain(&what).await,
        Request::Arm { phrase } => engine.arm(&phrase, actor).await,
        Request::Reload => engine.reload(actor).await,
        Request::Doctor => match engine.examine().await {
            Ok(checks) => return Response::Checks { checks },
            Err(outcome) => outcome,
        },
        Request::Stop => engine.stop(actor).await,
    };
    Response::Outcome { outcome }
}

/// Sends the newest status whenever there is one; a reader that falls behind skips the ones between.
async fn watch(engine: &EngineHandle, write: &mut OwnedWriteHalf) -> io::Result<()> {
    let mut newer = engine.watch();
    loop {
        let status = newer.borrow_and_update().clone();
        send(write, &Response::Status { status: Box::new((*status).clone()) }).await?;
        if newer.changed().await.is_err() {
            return Ok(());
        }
    }
}
