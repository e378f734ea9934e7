//! A PostgreSQL server of our own: Debian's binaries, a temporary folder, a free port.

use std::path::{Path, PathBuf};
use std::process::{Child, Command, Stdio};

use tempfile::TempDir;

/// A running server; it ends when dropped.
pub(crate) struct Server {
    process: Child,
    port: u16,
    _dir: TempDir,
}

/// The newest installed server's programs.
fn programs() -> Option<PathBuf> {
    let mut found: Vec<PathBuf> = std::fs::read_dir("/usr/lib/postgresql")
        .ok()?
        .filter_map(|entry| Some(entry.ok()?.path().join("bin")))
        .filter(|bin| bin.join("initdb").is_file() && bin.join("postgres").is_file())
        .collect();
    found.sort();
    found.pop()
}

/// The server refuses to run as root: then it runs as the user the package made.
fn as_server(program: &Path) -> Command {
    let root = std::fs::metadata("/proc/self").is_ok_and(|m| std::os::unix::fs::MetadataExt::uid(&m) == 0);
    if !root {
        return Command::new(program);
    }
    let mut command = Command::new("setpriv");
    command.args(["--reuid=postgres", "--regid=postgres", "--clear-groups"]).arg(program);
    command
}

impl Server {
    /// Starts one, or says loudly that there is none.
    pub(crate) fn start(test: &str) -> Option<Server> {
        let Some(bin) = programs() else {
            eprintln!("SKIPPED {test}: PostgreSQL is not installed (Debian: apt-get install postgresql)");
            return None;
        };
        let dir = tempfile::Builder::new().prefix("scalper-pg").tempdir().unwrap();
        let open = std::os::unix::fs::PermissionsExt::from_mode(0o777);
        std::fs::set_permissions(dir.path(), open).unwrap();
        let data = dir.path().join("data");
        let init = as_server(&bin.join("initdb"))
            .arg("-D")
            .arg(&data)
            .args(["-U", "scalper", "-A", "trust", "-E", "UTF8", "--locale=C", "--no-sync"])
            .stdout(Stdio::null())
            .output()
            .expect("initdb runs");
        assert!(init.status.success(), "initdb: {}", String::from_utf8_lossy(&init.stderr));
        let port = std::net::TcpListener::bind("127.0.0.1:0").unwrap().local_addr().unwrap().port();
        let log = std::fs::File::create(dir.path().join("log")).unwrap();
        let process = as_server(&bin.join("postgres"))
            .arg("-D")
            .arg(&data)
            .args(["-p", &port.to_string(), "-c", "listen_addresses=127.0.0.1", "-c", "max_connections=60"])
            .args(["-c", &format!("unix_socket_directories={}", dir.path().display())])
            .stdout(Stdio::null())
            .stderr(log)
            .spawn()
            .expect("postgres starts");
        let mut server = Server { process, port, _dir: dir };
        for _ in 0..600 {
            if std::net::TcpStream::connect(("127.0.0.1", port)).is_ok() && server.answers(&bin) {
                return Some(server);
            }
            assert!(server.process.try_wait().unwrap().is_none(), "postgres ended at once");
            std::thread::sleep(std::time::Duration::from_millis(50));
        }
        panic!("postgres does not answer");
    }

    fn answers(&self, bin: &Path) -> bool {
        let port = self.port.to_string();
        let ready = Command::new(bin.join("pg_isready")).args(["-q", "-h", "127.0.0.1", "-p", &port]).status();
        ready.is_ok_and(|status| status.success())
    }

    /// A fresh database; its URL.
    pub(crate) fn database(&self, name: &str) -> String {
        let bin = programs().expect("it runs");
        let port = self.port.to_string();
        let made = Command::new(bin.join("createdb"))
            .args(["-h", "127.0.0.1", "-p", &port, "-U", "scalper", name])
            .output()
            .expect("createdb runs");
        assert!(made.status.success(), "createdb: {}", String::from_utf8_lossy(&made.stderr));
        format!("postgres://scalper@127.0.0.1:{port}/{name}")
    }

    /// Stops the server without a word to anybody.
    pub(super) fn kill(mut self) {
        let _ = self.process.kill();
        let _ = self.process.wait();
    }

    /// Ends every session of a database, as a failover does.
    pub(super) fn cut_sessions(&self, database: &str) {
        let bin = programs().expect("it runs");
        let port = self.port.to_string();
        let sql = format!("SELECT pg_terminate_backend(pid) FROM pg_stat_activity WHERE datname = '{database}'");
        let cut = Command::new(bin.join("psql"))
            .args(["-q", "-h", "127.0.0.1", "-p", &port, "-U", "scalper", "-d", "postgres", "-c", &sql])
            .stdout(Stdio::null())
            .status();
        assert!(cut.unwrap().success());
    }
}

impl Drop for Server {
    fn drop(&mut self) {
        // An immediate shutdown takes its processes and shared memory with it.
        let _ = Command::new("kill").args(["-QUIT", &self.process.id().to_string()]).status();
        let _ = self.process.wait();
    }
}
