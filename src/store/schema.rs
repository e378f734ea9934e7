//! The schema, and how an old one becomes a new one: all pending migrations in one transaction, or none (H12).

use sqlx::Connection as _;
use sqlx::migrate::{MigrateError, Migration, MigrationType, Migrator};

use super::error::{Refusal, StoreError};
use super::link::{Link, args};

/// Number, name, SQLite, PostgreSQL.
type Step = (i64, &'static str, &'static str, &'static str);

macro_rules! step {
    ($number:literal, $name:literal) => {
        (
            $number,
            $name,
            include_str!(concat!("../../migrations/sqlite/000", $number, "_", $name, ".sql")),
            include_str!(concat!("../../migrations/postgres/000", $number, "_", $name, ".sql")),
        )
    };
}

const STEPS: [Step; 5] =
    [step!(1, "journal"), step!(2, "market"), step!(3, "trading"), step!(4, "operations"), step!(5, "subscriptions")];

/// The newest version of the schema known here.
pub const NEWEST: i64 = STEPS[STEPS.len() - 1].0;

fn migrator(steps: &[Step], postgres: bool) -> Migrator {
    let migration = |(number, name, sqlite, postgres_sql): &Step| {
        let sql = if postgres { *postgres_sql } else { *sqlite };
        let sql = sqlx::SqlSafeStr::into_sql_str(sql);
        Migration::new(*number, (*name).into(), MigrationType::Simple, sql, false)
    };
    Migrator::with_migrations(steps.iter().map(migration).collect())
}

/// Version of the schema in the database; 0 for an empty one.
pub async fn version(link: &mut Link) -> Result<i64, StoreError> {
    let listed = match link {
        Link::Sqlite(_) => "SELECT count(*) FROM sqlite_master WHERE type = 'table' AND name = $1",
        Link::Postgres(_) => {
            "SELECT count(*) FROM information_schema.tables WHERE table_schema = current_schema() AND table_name = $1"
        }
    };
    let row = link.fetch_one(listed, &args!["_sqlx_migrations"]).await?.expect("a count has a row");
    if row.int(0)? == 0 {
        return Ok(0);
    }
    let row = link.fetch_one("SELECT coalesce(max(version), 0) FROM _sqlx_migrations", &[]).await?;
    row.expect("a maximum has a row").int(0)
}

/// Refuses a schema that is not the newest known here.
///
/// # Errors
/// [`Refusal::NewerSchema`], [`Refusal::OldSchema`].
pub async fn require_newest(link: &mut Link) -> Result<(), StoreError> {
    match version(link).await? {
        NEWEST => Ok(()),
        found if found > NEWEST => Err(Refusal::NewerSchema { found, known: NEWEST }.into()),
        found => Err(Refusal::OldSchema { found, known: NEWEST }.into()),
    }
}

/// Brings the schema up to date; the version it had. Either everything pending is applied or nothing is.
///
/// # Errors
/// [`Refusal::NewerSchema`], [`Refusal::Migration`].
pub async fn migrate(link: &mut Link) -> Result<i64, StoreError> {
    apply(link, &STEPS).await
}

async fn apply(link: &mut Link, steps: &[Step]) -> Result<i64, StoreError> {
    let before = version(link).await?;
    let known = steps.last().map_or(0, |step| step.0);
    if before > known {
        return Err(Refusal::NewerSchema { found: before, known }.into());
    }
    let refused = |e: MigrateError| match e {
        MigrateError::Execute(e) | MigrateError::ExecuteMigration(e, _) => match StoreError::from(e) {
            StoreError::Statement(what) => StoreError::Refused(Refusal::Migration { what }),
            other => other,
        },
        other => Refusal::Migration { what: other.to_string() }.into(),
    };
    match link {
        Link::Sqlite(c) => {
            let mut tx = c.begin_with("BEGIN IMMEDIATE").await?;
            migrator(steps, false).set_locking(false).run_direct(None, &mut *tx, false).await.map_err(refused)?;
            tx.commit().await?;
        }
        Link::Postgres(c) => {
            let mut tx = c.begin().await?;
            migrator(steps, true).run_direct(None, &mut *tx, false).await.map_err(refused)?;
            tx.commit().await?;
        }
    }
    Ok(before)
}

/// Whether the server could keep recorded quotes in TimescaleDB; the tables here do not need it.
pub async fn timescale_available(link: &mut Link) -> Result<bool, StoreError> {
    let Link::Postgres(_) = link else { return Ok(false) };
    let sql = "SELECT count(*) FROM pg_available_extensions WHERE name = 'timescaledb'";
    Ok(link.fetch_one(sql, &[]).await?.expect("a count has a row").int(0)? > 0)
}

#[cfg(test)]
#[path = "schema_tests.rs"]
mod tests;
