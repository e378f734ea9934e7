use super::super::link::Link;
use super::super::place::StoreUrl;
use super::*;

const BROKEN: Step = (
    NEWEST + 1,
    "broken",
    "CREATE TABLE half (x INTEGER) STRICT; INSERT INTO no_such_table VALUES (1);",
    "CREATE TABLE half (x BIGINT); INSERT INTO no_such_table VALUES (1);",
);
const GOOD: Step = (NEWEST + 1, "good", "CREATE TABLE whole (x INTEGER) STRICT;", "CREATE TABLE whole (x BIGINT);");

async fn tables(link: &mut Link) -> Vec<String> {
    let sql = "SELECT name FROM sqlite_master WHERE type = 'table' ORDER BY name";
    link.fetch(sql, &[]).await.unwrap().iter().map(|row| row.text(0).unwrap().to_owned()).collect()
}

async fn link(dir: &tempfile::TempDir) -> Link {
    Link::open(&StoreUrl::default_in(dir.path()), true).await.unwrap()
}

#[tokio::test]
async fn a_migration_that_fails_leaves_the_database_as_it_was() {
    // H12: from every version, with one or all of the steps pending.
    for before in 0..=STEPS.len() {
        let dir = tempfile::tempdir().unwrap();
        let mut link = link(&dir).await;
        apply(&mut link, &STEPS[..before]).await.unwrap();
        let old = tables(&mut link).await;
        let mut steps = STEPS.to_vec();
        steps.push(BROKEN);
        let refused = apply(&mut link, &steps).await.unwrap_err();
        assert!(matches!(refused, StoreError::Refused(Refusal::Migration { .. })), "{refused}");
        assert_eq!(tables(&mut link).await, old, "from version {before}");
        assert_eq!(version(&mut link).await.unwrap(), before as i64);
        // The repaired program goes on from there.
        *steps.last_mut().unwrap() = GOOD;
        apply(&mut link, &steps).await.unwrap();
        assert!(tables(&mut link).await.contains(&"whole".to_owned()));
    }
}

#[tokio::test]
async fn a_migration_that_was_changed_after_it_ran_is_refused() {
    let dir = tempfile::tempdir().unwrap();
    let mut link = link(&dir).await;
    let mut steps = STEPS.to_vec();
    steps.push(GOOD);
    apply(&mut link, &steps).await.unwrap();
    *steps.last_mut().unwrap() = (NEWEST + 1, "good", "CREATE TABLE other (x INTEGER) STRICT;", "");
    let refused = apply(&mut link, &steps).await.unwrap_err();
    assert!(refused.to_string().contains("has been modified"), "{refused}");
    assert!(matches!(
        apply(&mut link, &STEPS).await,
        Err(StoreError::Refused(Refusal::NewerSchema { found, known: NEWEST })) if found == NEWEST + 1
    ));
    assert!(matches!(require_newest(&mut link).await, Err(StoreError::Refused(Refusal::NewerSchema { .. }))));
}
