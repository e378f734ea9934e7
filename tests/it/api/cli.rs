//! Tokens from the command line (S17, S20, S23).

use serde_json::Value;

use crate::support::{scalper, succeed};

#[test]
fn a_token_is_made_shown_once_listed_without_its_secret_and_ended() {
    let dir = tempfile::tempdir().unwrap();
    let secret = succeed(dir.path(), &["api-token", "create", "--name", "desk", "--role", "operate"]);
    let secret = secret.lines().find(|line| line.len() == 64).expect("the secret on a line of its own").to_owned();
    let again = scalper(dir.path()).args(["api-token", "create", "--name", "desk", "--role", "read"]).output().unwrap();
    assert_eq!(again.status.code(), Some(2));
    assert!(String::from_utf8_lossy(&again.stderr).contains("names are not used again"));
    let listed: Value = serde_json::from_str(&succeed(dir.path(), &["api-token", "list", "--json"])).unwrap();
    let token = &listed["tokens"][0];
    assert_eq!((&token["name"], &token["role"]), (&"desk".into(), &"operate".into()));
    assert!(token["revoked_at"].is_null() && !listed.to_string().contains(&secret));
    assert!(succeed(dir.path(), &["api-token", "list"]).contains("desk"));
    assert!(succeed(dir.path(), &["api-token", "revoke", "desk"]).contains("done"));
    assert!(succeed(dir.path(), &["api-token", "revoke", "desk"]).contains("it was so already"));
    let nobody = scalper(dir.path()).args(["api-token", "revoke", "nobody"]).output().unwrap();
    assert_eq!(nobody.status.code(), Some(2));
}
