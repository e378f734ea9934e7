//! The operator's socket: private, idempotent, and of use while everything else is busy (S25, S26, I7).

use std::os::unix::fs::PermissionsExt as _;
use std::time::Duration;

use scalper::engine::handle::{Ask, EngineHandle, Outcome};
use scalper::engine::status::{Mode, Status};
use scalper::ops::control::client::{AskError, ControlClient};
use scalper::ops::control::protocol::{Request, Response};
use scalper::ops::control::server::{ControlError, ControlServer};
use scalper_decide::domain::Instant;
use scalper_decide::domain::event::OperatorCommand;
use tokio::io::{AsyncReadExt as _, AsyncWriteExt as _};
use tokio::net::UnixStream;
use uuid::Uuid;

fn engine() -> (EngineHandle, tokio::sync::mpsc::Receiver<Ask>, tokio::sync::watch::Sender<std::sync::Arc<Status>>) {
    let (handle, status, asked) = EngineHandle::new(Status::starting(Mode::Sim, "v", "h", Instant::from_secs(1)));
    (handle, asked, status)
}

#[tokio::test]
async fn a_command_with_a_known_key_is_carried_out_once_and_answered_alike() {
    let dir = tempfile::tempdir().unwrap();
    let path = dir.path().join("c.sock");
    let (handle, mut asked, _status) = engine();
    let server = ControlServer::bind(&path).await.unwrap();
    assert_eq!(std::fs::metadata(&path).unwrap().permissions().mode() & 0o777, 0o600);
    let serving = tokio::spawn(server.serve(handle));
    let executed = tokio::spawn(async move {
        let mut executed = 0;
        while let Some(ask) = asked.recv().await {
            if let Ask::Operate { answer, actor, .. } = ask {
                assert!(actor.starts_with("uid "));
                executed += 1;
                let _ = answer.send(Outcome::Done { text: format!("run {executed}") });
            }
        }
        executed
    });
    let key = Uuid::new_v4();
    let request = Request::Operate { key, command: OperatorCommand::Flatten { underlying: None } };
    let mut first = ControlClient::connect(&path).await.unwrap();
    let mut second = ControlClient::connect(&path).await.unwrap();
    let (a, b) = tokio::join!(first.ask(&request), second.ask(&request));
    let done = Response::Outcome { outcome: Outcome::Done { text: "run 1".to_owned() } };
    assert_eq!((a.unwrap(), b.unwrap()), (done.clone(), done));
    let other = Request::Operate { key, command: OperatorCommand::Halt };
    let refused = first.ask(&other).await.unwrap();
    assert!(
        matches!(refused, Response::Outcome { outcome: Outcome::Refused { ref code, .. } } if code == "KEY_REUSED")
    );
    assert!(matches!(first.ask(&Request::Status).await.unwrap(), Response::Status { .. }));
    serving.abort();
    let _ = serving.await;
    drop((first, second));
    assert_eq!(tokio::time::timeout(Duration::from_secs(20), executed).await.unwrap().unwrap(), 1);
}

#[tokio::test]
async fn nonsense_is_answered_and_a_second_engine_on_the_same_socket_is_refused() {
    let dir = tempfile::tempdir().unwrap();
    let path = dir.path().join("c.sock");
    let nobody = ControlClient::connect(&path).await.unwrap_err();
    assert!(matches!(nobody, AskError::NoEngine { .. }), "{nobody}");
    assert!(nobody.to_string().contains("scalper run"));
    // Left by a process that died: nobody listens, so it is replaced.
    drop(std::os::unix::net::UnixListener::bind(&path).unwrap());
    let (handle, _asked, _status) = engine();
    let server = ControlServer::bind(&path).await.unwrap();
    assert!(matches!(ControlServer::bind(&path).await, Err(ControlError::InUse(_))));
    tokio::spawn(server.serve(handle));
    let mut stream = UnixStream::connect(&path).await.unwrap();
    stream.write_all(b"{\"ask\":\"sell everything\"}\n").await.unwrap();
    let mut answer = vec![0; 4096];
    let n = stream.read(&mut answer).await.unwrap();
    let answer = String::from_utf8_lossy(&answer[..n]).into_owned();
    assert!(answer.contains("malformed"), "{answer}");
}

#[tokio::test]
async fn watching_sees_every_newer_status() {
    let dir = tempfile::tempdir().unwrap();
    let path = dir.path().join("c.sock");
    let (handle, _asked, status) = engine();
    tokio::spawn(ControlServer::bind(&path).await.unwrap().serve(handle));
    let mut client = ControlClient::connect(&path).await.unwrap();
    let Response::Status { status: first } = client.ask(&Request::Watch).await.unwrap() else { panic!("no status") };
    assert_eq!(first.ticks, 0);
    let mut newer = (*first).clone();
    newer.ticks = 7;
    status.send_replace(std::sync::Arc::new(newer));
    let Response::Status { status: second } = client.next().await.unwrap() else { panic!("no status") };
    assert_eq!(second.ticks, 7);
}
