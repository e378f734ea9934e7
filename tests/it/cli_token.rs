//! `scalper token`: what a person types, and that no output ever holds a token.

use std::io::{Read as _, Write as _};
use std::os::unix::fs::PermissionsExt as _;
use std::path::Path;
use std::process::Output;

use scalper::broker::dhan::rest::account::NewToken;
use scalper::broker::dhan::rest::token::{file, jwt};
use scalper::clock::SessionClock;
use scalper_decide::domain::{Age, Instant};
use secrecy::ExposeSecret as _;

use crate::support::scalper;

const ID: &str = "1000000001";

fn in_hours(hours: i64) -> Instant {
    let now = SessionClock::wall().now();
    Instant::from_secs(now.nanos() / 1_000_000_000) + Age::from_mins(60 * hours)
}

/// Runs the verb with a token on standard input; the output must not hold any part of it.
fn run(dir: &Path, args: &[&str], env: &[(&str, &str)], stdin: &str, secrets: &[&str]) -> Output {
    let mut command = scalper(dir);
    command.args(["token"]).args(args).envs(env.iter().copied()).write_stdin(stdin);
    let out = command.output().expect("the binary runs");
    let shown = format!("{}{}", String::from_utf8_lossy(&out.stdout), String::from_utf8_lossy(&out.stderr));
    for secret in secrets {
        for part in secret.split('.').filter(|p| p.len() > 12) {
            assert!(!shown.contains(part), "{args:?} shows a token: {shown}");
        }
    }
    out
}

fn text(out: &Output) -> String {
    format!("{}{}", String::from_utf8_lossy(&out.stdout), String::from_utf8_lossy(&out.stderr))
}

#[test]
fn a_token_from_standard_input_is_kept_for_its_owner_alone_and_shown_by_its_end() {
    let dir = tempfile::tempdir().unwrap();
    let token = jwt::unsigned(ID, in_hours(5));
    let args = ["set", "--client-id", ID, "--file", "token"];
    let out = run(dir.path(), &args, &[], &format!("{token}\n"), &[&token]);
    assert!(out.status.success(), "{}", text(&out));
    let path = dir.path().join("token");
    assert_eq!(std::fs::metadata(&path).unwrap().permissions().mode() & 0o777, 0o600);

    let out = run(dir.path(), &["status", "--file", "token", "--json"], &[], "", &[&token]);
    let json: serde_json::Value = serde_json::from_slice(&out.stdout).unwrap();
    assert_eq!((json["client_id"].as_str(), json["ends_soon"].as_bool()), (Some(ID), Some(false)));
    assert!(json["ends"].as_str().unwrap().ends_with("+05:30"));
    assert!((17_000..=18_000).contains(&json["seconds_left"].as_i64().unwrap()));

    // The environment comes first, and says so.
    let other = jwt::unsigned(ID, in_hours(1));
    let env = [("DHAN_CLIENT_ID", ID), ("DHAN_ACCESS_TOKEN", other.as_str())];
    let out = run(dir.path(), &["status", "--file", "token"], &env, "", &[&token, &other]);
    assert!(text(&out).contains("environment") && text(&out).contains("less than two hours"), "{}", text(&out));
    // S30.
    std::fs::set_permissions(&path, std::fs::Permissions::from_mode(0o644)).unwrap();
    let out = run(dir.path(), &["status", "--file", "token"], &[], "", &[&token]);
    assert!(!out.status.success() && text(&out).contains("chmod 600 token"), "{}", text(&out));
}

#[test]
fn a_wrong_token_changes_nothing_and_is_not_repeated_in_the_complaint() {
    let dir = tempfile::tempdir().unwrap();
    let over = jwt::unsigned(ID, in_hours(-1));
    let foreign = jwt::unsigned("1000000002", in_hours(5));
    for (token, says) in [
        (over.as_str(), "ended at"),
        (foreign.as_str(), "of account"),
        ("not-a-token-but-a-long-secret", "no JWT"),
        ("", "no JWT"),
    ] {
        let out = run(dir.path(), &["set", "--client-id", ID, "--file", "token"], &[], token, &[token]);
        assert_eq!(out.status.code(), Some(3), "{}", text(&out));
        assert!(text(&out).contains(says), "{}", text(&out));
        assert!(!dir.path().join("token").exists());
    }
    // A token on the command line would stand in the process list: there is no such argument.
    let out = run(dir.path(), &["set", "--client-id", ID, "--file", "token", &foreign], &[], "", &[]);
    assert_eq!(out.status.code(), Some(2));
    let out = run(dir.path(), &["status", "--file", "token"], &[], "", &[]);
    assert!(!out.status.success() && text(&out).contains("scalper token set"), "{}", text(&out));
}

#[test]
fn a_renewal_replaces_the_file_and_one_that_fails_does_not() {
    let dir = tempfile::tempdir().unwrap();
    let path = dir.path().join("token");
    let (old, new) = (jwt::unsigned(ID, in_hours(1)), jwt::unsigned(ID, in_hours(23)));
    file::write(&path, ID, &old.clone().into()).unwrap();

    let listener = std::net::TcpListener::bind("127.0.0.1:0").unwrap();
    let rest = format!("http://{}/v2", listener.local_addr().unwrap());
    let answers = [
        (400, r#"{"errorCode":"DH-905","errorMessage":"bad"}"#.to_owned()),
        (200, NewToken::answer(ID, &new, in_hours(23)).to_string()),
    ];
    let server = std::thread::spawn(move || {
        answers.map(|(status, body)| {
            let (mut stream, _) = listener.accept().unwrap();
            let mut head = Vec::new();
            let mut byte = [0];
            while !head.ends_with(b"\r\n\r\n") && stream.read(&mut byte).unwrap() == 1 {
                head.push(byte[0]);
            }
            write!(stream, "HTTP/1.1 {status} X\r\ncontent-length: {}\r\nconnection: close\r\n\r\n{body}", body.len())
                .unwrap();
            String::from_utf8(head).unwrap()
        })
    });
    let args = ["renew", "--file", "token", "--rest", &rest];
    let out = run(dir.path(), &args, &[], "", &[&old, &new]);
    assert!(!out.status.success() && text(&out).contains("not renewed"), "{}", text(&out));
    assert_eq!(file::read(&path).unwrap().1.expose_secret(), old);

    let out = run(dir.path(), &args, &[], "", &[&old, &new]);
    assert!(out.status.success() && text(&out).contains("22 h"), "{}", text(&out));
    assert_eq!(file::read(&path).unwrap().1.expose_secret(), new);
    for head in server.join().unwrap() {
        assert!(
            head.starts_with("GET /v2/RenewToken HTTP/1.1") && head.contains(&format!("dhanclientid: {ID}")),
            "{head}"
        );
        assert!(head.contains(&format!("access-token: {old}")));
    }

    // Where a renewal could not be kept, or the token would travel in the clear, nothing is asked.
    let env = [("DHAN_CLIENT_ID", ID), ("DHAN_ACCESS_TOKEN", old.as_str())];
    assert_eq!(run(dir.path(), &args, &env, "", &[&old]).status.code(), Some(2));
    let clear = ["renew", "--file", "token", "--rest", "http://api.dhan.co/v2"];
    assert_eq!(run(dir.path(), &clear, &[], "", &[&new]).status.code(), Some(2));
}
