use secrecy::ExposeSecret as _;

use super::*;

fn at(secs: i64) -> Instant {
    Instant::from_secs(secs)
}

#[test]
fn the_first_start_mints_once_keeps_only_hashes_and_only_a_person_sees_an_admin_token() {
    // S17
    let dir = tempfile::tempdir().unwrap();
    let (_, quiet) = Tokens::open(dir.path(), false, at(1)).unwrap();
    assert!(quiet.read.is_some() && quiet.admin.is_none(), "a log keeps what is printed");
    let (tokens, first) = Tokens::open(dir.path(), true, at(2)).unwrap();
    assert!(first.read.is_none());
    let admin = first.admin.unwrap();
    let caller = tokens.caller(admin.expose_secret()).unwrap();
    assert_eq!(caller, Caller { name: "first".to_owned(), role: Role::Admin });
    assert!(Tokens::open(dir.path(), true, at(3)).unwrap().1.admin.is_none());
    for file in fs::read_dir(dir.path()).unwrap() {
        let file = file.unwrap();
        assert!(!fs::read_to_string(file.path()).unwrap().contains(admin.expose_secret()));
        assert_eq!(file.metadata().unwrap().permissions().mode() & 0o077, 0, "{:?}", file.path());
    }
}

#[test]
fn a_token_made_or_revoked_beside_a_running_daemon_counts_at_once_and_its_name_is_never_used_again() {
    // S23
    let dir = tempfile::tempdir().unwrap();
    let (daemon, first) = Tokens::open(dir.path(), false, at(1)).unwrap();
    let secret = create(dir.path(), "desk", Role::Operate, at(2)).unwrap();
    assert_eq!(daemon.caller(secret.expose_secret()).unwrap().role, Role::Operate);
    assert!(daemon.caller(&secret.expose_secret()[1..]).is_none() && daemon.caller("").is_none());
    assert!(revoke(dir.path(), "desk", at(3)).unwrap());
    assert!(!revoke(dir.path(), "desk", at(4)).unwrap());
    assert!(daemon.caller(secret.expose_secret()).is_none());
    assert_eq!(list(dir.path()).unwrap()[0].revoked_at, Some(at(3)));
    assert!(matches!(create(dir.path(), "desk", Role::Read, at(5)), Err(TokensError::Taken(_))));
    assert!(matches!(create(dir.path(), READ_TOKEN, Role::Read, at(5)), Err(TokensError::Taken(_))));
    assert!(matches!(revoke(dir.path(), "nobody", at(5)), Err(TokensError::Unknown(_))));
    for name in ["", "a b", "x\n", &"x".repeat(41)] {
        assert!(matches!(create(dir.path(), name, Role::Read, at(5)), Err(TokensError::Name(_))), "{name:?}");
    }
    // The token of before there were roles goes on, and only looks.
    assert_eq!(daemon.caller(first.read.unwrap().expose_secret()).unwrap().role, Role::Read);
}

#[test]
fn last_uses_outlive_the_daemon_and_are_written_once_a_minute() {
    let dir = tempfile::tempdir().unwrap();
    create(dir.path(), "desk", Role::Read, at(1)).unwrap();
    let (daemon, _) = Tokens::open(dir.path(), false, at(1)).unwrap();
    daemon.used("desk", at(100));
    daemon.used("desk", at(159));
    assert_eq!(list(dir.path()).unwrap()[0].used_at, Some(at(100)));
    daemon.used("desk", at(160));
    assert_eq!(list(dir.path()).unwrap()[0].used_at, Some(at(160)));
}

#[test]
fn a_file_that_others_may_read_or_that_is_damaged_lets_nobody_in() {
    // S30, K14
    let dir = tempfile::tempdir().unwrap();
    let secret = create(dir.path(), "desk", Role::Admin, at(1)).unwrap();
    let (daemon, _) = Tokens::open(dir.path(), false, at(1)).unwrap();
    let path = dir.path().join(FILE);
    let good = fs::read_to_string(&path).unwrap();
    fs::write(&path, "{}").unwrap();
    assert!(daemon.caller(secret.expose_secret()).is_none());
    assert!(matches!(list(dir.path()), Err(TokensError::Malformed { .. })));
    fs::write(&path, good).unwrap();
    assert!(daemon.caller(secret.expose_secret()).is_some());
    fs::set_permissions(&path, fs::Permissions::from_mode(0o644)).unwrap();
    assert!(matches!(Tokens::open(dir.path(), false, at(1)), Err(TokensError::Open { mode: 0o644, .. })));
}
