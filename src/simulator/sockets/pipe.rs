//! What a connection runs over: TCP, or two ends in one process for tests whose time only moves when nothing else does.

use tokio::io::{AsyncRead, AsyncWrite};
use tokio::net::TcpStream;

/// Bytes both ways.
pub(crate) trait Pipe: AsyncRead + AsyncWrite + Unpin + Send + 'static {
    /// Makes its end a reset, where there is such a thing.
    fn reset_when_dropped(&self);
    /// Sends small messages at once, where they would wait otherwise.
    fn hurry(&self);
}

impl Pipe for TcpStream {
    fn reset_when_dropped(&self) {
        // A socket that is gone already cannot be reset any more.
        let _ = self.set_zero_linger();
    }
    fn hurry(&self) {
        let _ = self.set_nodelay(true);
    }
}

#[cfg(test)]
impl Pipe for tokio::io::DuplexStream {
    fn reset_when_dropped(&self) {}
    fn hurry(&self) {}
}
