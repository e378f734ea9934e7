use std::os::unix::fs::PermissionsExt as _;
use std::sync::atomic::{AtomicUsize, Ordering};

use super::*;
use crate::broker::fault::Said;

const ID: &str = "1000000001";

fn at(hour: u32, minute: u32) -> Instant {
    Instant::from_ist("2026-02-10".parse().unwrap(), TimeOfDay::hm(hour, minute).unwrap())
}

fn token(ends: Instant) -> CheckedToken {
    CheckedToken::new(ID, jwt::unsigned(ID, ends).into()).unwrap()
}

fn keeper(ends: Instant, now: Instant, file: Option<PathBuf>) -> (TokenKeeper, SessionClock) {
    let clock = SessionClock::driven(now);
    (TokenKeeper::new((token(ends), TokenSource::Environment), file, clock.clone()), clock)
}

struct Renewer {
    calls: AtomicUsize,
    ends: Instant,
}

impl Renews for Renewer {
    fn renew(&self) -> BoxFuture<'_, Result<NewToken, Fault>> {
        Box::pin(async {
            let n = self.calls.fetch_add(1, Ordering::SeqCst);
            tokio::task::yield_now().await;
            let ends = self.ends + Age::from_secs(n as i64);
            Ok(NewToken { client_id: Some(ID.into()), token: jwt::unsigned(ID, ends).into(), ends: Some(ends) })
        })
    }
}

#[test]
fn a_token_that_is_no_jwt_or_of_another_account_is_refused() {
    let good = jwt::unsigned(ID, at(23, 0));
    assert_eq!(CheckedToken::new(ID, format!(" {good}\n").into()).unwrap().ends, at(23, 0));
    for bad in ["", "abc", "a.b.c", "eyJ.eyJ.x", &good.replacen('.', "", 1), &format!("{good}\u{e9}")] {
        assert!(matches!(CheckedToken::new(ID, bad.to_owned().into()), Err(TokenError::NotAJwt)), "{bad}");
    }
    assert!(matches!(CheckedToken::new("1000000002", good.clone().into()), Err(TokenError::OtherAccount { .. })));
    assert!(matches!(CheckedToken::new("x\r\ny", good.into()), Err(TokenError::ClientId)));
}

#[test]
fn the_environment_comes_before_the_file_and_neither_is_an_error_that_helps() {
    let dir = tempfile::tempdir().unwrap();
    let path = dir.path().join("deep/token");
    file::write(&path, ID, &jwt::unsigned(ID, at(20, 0)).into()).unwrap();
    let none = |_: &str| None;
    let (found, source) = find(none, Some(&path)).unwrap();
    assert_eq!((found.ends, source), (at(20, 0), TokenSource::File(path.clone())));
    let env = |name: &str| Some(if name == "DHAN_CLIENT_ID" { ID.to_owned() } else { jwt::unsigned(ID, at(21, 0)) });
    let (found, source) = find(env, Some(&path)).unwrap();
    assert_eq!((found.ends, source), (at(21, 0), TokenSource::Environment));
    assert!(find(none, None).unwrap_err().to_string().contains("scalper token set"));
}

#[test]
fn a_file_that_others_can_read_is_refused_with_the_command_that_helps() {
    // S30.
    let dir = tempfile::tempdir().unwrap();
    let path = dir.path().join("token");
    file::write(&path, ID, &jwt::unsigned(ID, at(20, 0)).into()).unwrap();
    assert_eq!(std::fs::metadata(&path).unwrap().permissions().mode() & 0o777, 0o600);
    for mode in [0o640, 0o604, 0o660, 0o644, 0o610] {
        std::fs::set_permissions(&path, std::fs::Permissions::from_mode(mode)).unwrap();
        let error = file::read(&path).unwrap_err().to_string();
        assert!(error.contains(&format!("chmod 600 {}", path.display())), "{error}");
    }
    for mode in [0o600, 0o400] {
        std::fs::set_permissions(&path, std::fs::Permissions::from_mode(mode)).unwrap();
        assert!(file::read(&path).is_ok());
    }
    std::fs::set_permissions(&path, std::fs::Permissions::from_mode(0o600)).unwrap();
    std::fs::write(&path, "DHAN_ACCESS_TOKEN=\n").unwrap();
    assert!(matches!(file::read(&path), Err(TokenFileError::Form(_))));
}

#[test]
fn a_live_day_needs_a_token_that_outlives_four_in_the_afternoon() {
    // B1.
    let check = |ends| keeper(ends, at(8, 50), None).0.outlives_the_session();
    assert!(check(at(16, 1)).is_ok());
    assert!(matches!(check(at(16, 0)), Err(TokenError::TooShort { .. })));
    assert!(matches!(check(at(8, 50)), Err(TokenError::Expired(_))));
}

#[tokio::test]
async fn the_warning_comes_two_hours_before_the_end_of_the_token_in_force() {
    let (keeper, clock) = keeper(at(12, 0), at(9, 0), None);
    let keeper = Arc::new(keeper);
    let warned = tokio::spawn({
        let keeper = Arc::clone(&keeper);
        async move { keeper.wait_for_warning().await }
    });
    clock.drive(at(9, 59));
    tokio::task::yield_now().await;
    // A newer token moves the warning.
    assert!(keeper.install(token(at(18, 0)), TokenSource::Command).unwrap());
    tokio::task::yield_now().await;
    clock.drive(at(11, 0));
    tokio::task::yield_now().await;
    assert!(!warned.is_finished());
    clock.drive(at(16, 0));
    let status = warned.await.unwrap();
    assert_eq!((status.ends, status.left), (at(18, 0), Age::from_mins(120)));
}

#[test]
fn a_swap_reaches_subscribers_and_never_changes_the_account() {
    let (keeper, _) = keeper(at(12, 0), at(9, 0), None);
    let seen = keeper.subscribe();
    assert!(!keeper.install(token(at(12, 0)), TokenSource::Command).unwrap());
    assert!(keeper.install(token(at(13, 0)), TokenSource::Command).unwrap());
    assert_eq!(seen.borrow().token.expose_secret(), jwt::unsigned(ID, at(13, 0)));
    let other = CheckedToken::new("1000000002", jwt::unsigned("1000000002", at(13, 0)).into()).unwrap();
    assert!(matches!(keeper.install(other, TokenSource::Command), Err(TokenError::OtherAccount { .. })));
    assert!(matches!(keeper.install(token(at(8, 0)), TokenSource::Command), Err(TokenError::Expired(_))));
}

#[tokio::test]
async fn a_renewal_is_single_flight_and_two_in_ten_minutes_are_the_most() {
    // B2, B3.
    let dir = tempfile::tempdir().unwrap();
    let path = dir.path().join("token");
    let (keeper, clock) = keeper(at(12, 0), at(9, 0), Some(path.clone()));
    let by = Renewer { calls: AtomicUsize::new(0), ends: at(23, 0) };
    let (a, b, c) = tokio::join!(keeper.renew(&by), keeper.renew(&by), keeper.renew(&by));
    assert_eq!(by.calls.load(Ordering::SeqCst), 1);
    assert_eq!(a.unwrap(), b.unwrap());
    assert_eq!(c.unwrap().source, TokenSource::File(path.clone()));
    let (id, written) = file::read(&path).unwrap();
    assert_eq!((id.as_str(), written.expose_secret()), (ID, keeper.subscribe().borrow().token.expose_secret()));

    assert!(keeper.renew(&by).await.is_ok());
    assert!(matches!(keeper.renew(&by).await, Err(TokenError::TooManyRenewals)));
    assert_eq!(by.calls.load(Ordering::SeqCst), 2);
    clock.drive(at(9, 10));
    assert!(keeper.renew(&by).await.is_ok());
}

#[tokio::test]
async fn a_renewal_that_fails_keeps_the_token_in_force() {
    struct Lost;
    impl Renews for Lost {
        fn renew(&self) -> BoxFuture<'_, Result<NewToken, Fault>> {
            Box::pin(async { Err(Fault::RetryableRead(Said::default())) })
        }
    }
    let (keeper, _) = keeper(at(12, 0), at(9, 0), None);
    assert!(matches!(keeper.renew(&Lost).await, Err(TokenError::Renewal(_))));
    assert_eq!(keeper.status().ends, at(12, 0));
}

#[tokio::test(start_paused = true)]
async fn a_new_file_is_noticed_and_a_broken_one_changes_nothing() {
    let dir = tempfile::tempdir().unwrap();
    let path = dir.path().join("token");
    file::write(&path, ID, &jwt::unsigned(ID, at(12, 0)).into()).unwrap();
    let (keeper, _) = keeper(at(12, 0), at(9, 0), Some(path.clone()));
    let mut seen = keeper.subscribe();
    let watch = keeper.watch_file(Duration::from_secs(2));
    tokio::pin!(watch);
    // The first poll takes the fingerprint of the file as it is.
    tokio::select! { biased; () = &mut watch => unreachable!(), () = tokio::task::yield_now() => {} }

    std::fs::write(&path, "garbage, and longer than before so that the fingerprint differs").unwrap();
    tokio::select! { () = &mut watch => unreachable!(), () = tokio::time::sleep(Duration::from_secs(5)) => {} }
    assert!(!seen.has_changed().unwrap());

    file::write(&path, ID, &jwt::unsigned(ID, at(19, 0)).into()).unwrap();
    tokio::select! { () = &mut watch => unreachable!(), changed = seen.changed() => changed.unwrap() }
    assert_eq!(keeper.status().ends, at(19, 0));
    assert_eq!(keeper.status().source, TokenSource::File(path));
}
