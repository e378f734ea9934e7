//! One connection, or a pool of readers, of either kind. Two drivers, one language: the statements are the same for
//! both, numbered `$1`, and every value is bound.

use std::time::Duration;

use sqlx::postgres::{PgArguments, PgConnectOptions, PgPoolOptions, PgRow};
use sqlx::query::Query;
use sqlx::sqlite::{
    SqliteArguments, SqliteConnectOptions, SqliteJournalMode, SqlitePoolOptions, SqliteRow, SqliteSynchronous,
};
use sqlx::{
    Column as _, Connection as _, PgConnection, PgPool, Postgres, Row as _, Sqlite, SqliteConnection, SqlitePool,
    TypeInfo as _, ValueRef as _,
};

use super::error::{Refusal, StoreError};
use super::place::StoreUrl;

/// How long a writer waits for a lock somebody else holds (H2).
pub(crate) const BUSY: Duration = Duration::from_secs(5);
/// How long a server may take to answer a connection attempt.
const CONNECT: Duration = Duration::from_secs(5);
const READERS: u32 = 4;

/// A value of a column. Empty ones keep their kind, because PostgreSQL wants to know it.
#[derive(Debug, Clone, PartialEq, Eq, PartialOrd, Ord, serde::Serialize, serde::Deserialize)]
#[serde(rename_all = "snake_case")]
pub enum Value {
    /// 64-bit number.
    Int(Option<i64>),
    /// Text.
    Text(Option<String>),
    /// Bytes.
    Bytes(Option<Vec<u8>>),
}

impl From<i64> for Value {
    fn from(v: i64) -> Value {
        Value::Int(Some(v))
    }
}
impl From<Option<i64>> for Value {
    fn from(v: Option<i64>) -> Value {
        Value::Int(v)
    }
}
impl From<u64> for Value {
    /// # Panics
    /// Above `i64::MAX`: ids and sequence numbers never get there.
    fn from(v: u64) -> Value {
        Value::Int(Some(i64::try_from(v).expect("numbers fit 63 bits")))
    }
}
impl From<String> for Value {
    fn from(v: String) -> Value {
        Value::Text(Some(v))
    }
}
impl From<&str> for Value {
    fn from(v: &str) -> Value {
        Value::Text(Some(v.to_owned()))
    }
}
impl From<Option<String>> for Value {
    fn from(v: Option<String>) -> Value {
        Value::Text(v)
    }
}
impl From<Vec<u8>> for Value {
    fn from(v: Vec<u8>) -> Value {
        Value::Bytes(Some(v))
    }
}
impl From<[u8; 32]> for Value {
    fn from(v: [u8; 32]) -> Value {
        Value::Bytes(Some(v.to_vec()))
    }
}

/// The values of a row.
macro_rules! values {
    ($($v:expr),* $(,)?) => { vec![$($crate::store::link::Value::from($v)),*] };
}
pub(crate) use values;

/// The values a statement binds.
macro_rules! args {
    ($($v:expr),* $(,)?) => { [$($crate::store::link::Value::from($v)),*] };
}
pub(crate) use args;

/// A row by position.
#[derive(Debug, Clone, PartialEq, Eq, PartialOrd, Ord)]
pub struct Row(pub Vec<Value>);

impl Row {
    fn wrong(&self, at: usize, wanted: &str) -> StoreError {
        StoreError::Damaged(format!("column {at} should be {wanted}, found {:?}", self.0.get(at)))
    }
    /// A number.
    pub fn int(&self, at: usize) -> Result<i64, StoreError> {
        self.maybe_int(at)?.ok_or_else(|| self.wrong(at, "a number"))
    }
    /// A number, or nothing.
    pub fn maybe_int(&self, at: usize) -> Result<Option<i64>, StoreError> {
        match self.0.get(at) {
            Some(Value::Int(v)) => Ok(*v),
            Some(Value::Text(None) | Value::Bytes(None)) => Ok(None),
            _ => Err(self.wrong(at, "a number")),
        }
    }
    /// A text.
    pub fn text(&self, at: usize) -> Result<&str, StoreError> {
        self.maybe_text(at)?.ok_or_else(|| self.wrong(at, "a text"))
    }
    /// A text, or nothing.
    pub fn maybe_text(&self, at: usize) -> Result<Option<&str>, StoreError> {
        match self.0.get(at) {
            Some(Value::Text(v)) => Ok(v.as_deref()),
            Some(Value::Int(None) | Value::Bytes(None)) => Ok(None),
            _ => Err(self.wrong(at, "a text")),
        }
    }
    /// Bytes.
    pub fn bytes(&self, at: usize) -> Result<&[u8], StoreError> {
        match self.0.get(at) {
            Some(Value::Bytes(Some(v))) => Ok(v),
            _ => Err(self.wrong(at, "bytes")),
        }
    }
    /// A hash.
    pub fn hash(&self, at: usize) -> Result<[u8; 32], StoreError> {
        self.bytes(at)?.try_into().map_err(|_| self.wrong(at, "32 bytes"))
    }
}

fn sqlite_query<'q>(sql: &'static str, args: &[Value]) -> Query<'q, Sqlite, SqliteArguments> {
    let mut query = sqlx::query::<Sqlite>(sql);
    for arg in args {
        query = match arg {
            Value::Int(v) => query.bind(*v),
            Value::Text(v) => query.bind(v.clone()),
            Value::Bytes(v) => query.bind(v.clone()),
        };
    }
    query
}

fn postgres_query<'q>(sql: &'static str, args: &[Value]) -> Query<'q, Postgres, PgArguments> {
    let mut query = sqlx::query::<Postgres>(sql);
    for arg in args {
        query = match arg {
            Value::Int(v) => query.bind(*v),
            Value::Text(v) => query.bind(v.clone()),
            Value::Bytes(v) => query.bind(v.clone()),
        };
    }
    query
}

fn sqlite_row(row: &SqliteRow) -> Result<Row, StoreError> {
    let value = |at: usize| -> Result<Value, StoreError> {
        let kind = row.try_get_raw(at)?.type_info().name().to_owned();
        Ok(match kind.as_str() {
            "INTEGER" | "BIGINT" | "INT4" | "INT8" | "BOOLEAN" => Value::Int(row.try_get_unchecked(at)?),
            "BLOB" => Value::Bytes(row.try_get_unchecked(at)?),
            _ => Value::Text(row.try_get_unchecked(at)?),
        })
    };
    (0..row.columns().len()).map(value).collect::<Result<_, _>>().map(Row)
}

fn postgres_row(row: &PgRow) -> Result<Row, StoreError> {
    let value = |at: usize| -> Result<Value, StoreError> {
        Ok(match row.columns()[at].type_info().name() {
            "INT8" => Value::Int(row.try_get(at)?),
            "INT4" => Value::Int(row.try_get::<Option<i32>, _>(at)?.map(i64::from)),
            "BOOL" => Value::Int(row.try_get::<Option<bool>, _>(at)?.map(i64::from)),
            "BYTEA" => Value::Bytes(row.try_get(at)?),
            _ => Value::Text(row.try_get(at)?),
        })
    };
    (0..row.columns().len()).map(value).collect::<Result<_, _>>().map(Row)
}

/// One connection. It belongs to one task and is thrown away after any fault (H9).
#[derive(Debug)]
pub enum Link {
    /// The embedded database.
    Sqlite(SqliteConnection),
    /// A server.
    Postgres(PgConnection),
}

fn sqlite_options(path: &std::path::Path) -> SqliteConnectOptions {
    SqliteConnectOptions::new()
        .filename(path)
        .journal_mode(SqliteJournalMode::Wal)
        .synchronous(SqliteSynchronous::Full)
        .foreign_keys(true)
        .busy_timeout(BUSY)
}

fn postgres_options(url: &str) -> Result<PgConnectOptions, StoreError> {
    let options: PgConnectOptions =
        url.parse().map_err(|_| Refusal::Url(StoreUrl::Postgres(url.to_owned()).to_string()))?;
    // Whatever the server's default, a commit is durable when it answers (L1).
    Ok(options.application_name("scalper").options([("synchronous_commit", "on"), ("lock_timeout", "5000")]))
}

impl Link {
    /// Connects for writing. With `create`, an SQLite file that does not exist is made.
    ///
    /// # Errors
    /// [`Refusal::Missing`] for a file that does not exist, [`StoreError::Lost`] for a server that does not answer.
    pub async fn open(url: &StoreUrl, create: bool) -> Result<Link, StoreError> {
        match url {
            StoreUrl::Sqlite(path) => {
                if !create && !path.exists() {
                    return Err(Refusal::Missing(path.clone()).into());
                }
                let options = sqlite_options(path).create_if_missing(create);
                Ok(Link::Sqlite(SqliteConnection::connect_with(&options).await?))
            }
            StoreUrl::Postgres(url) => {
                let connect = PgConnection::connect_with(&postgres_options(url)?).await;
                connect.map(Link::Postgres).map_err(|e| match StoreError::from(e) {
                    // A server that turns us away (wrong password, no such database) is as good as none.
                    StoreError::Statement(text) => StoreError::Lost(text),
                    other => other,
                })
            }
        }
    }

    /// Runs one statement; the number of rows it touched.
    pub async fn execute(&mut self, sql: &'static str, args: &[Value]) -> Result<u64, StoreError> {
        Ok(match self {
            Link::Sqlite(c) => sqlite_query(sql, args).execute(c).await?.rows_affected(),
            Link::Postgres(c) => postgres_query(sql, args).execute(c).await?.rows_affected(),
        })
    }

    /// Runs one query; its rows.
    pub async fn fetch(&mut self, sql: &'static str, args: &[Value]) -> Result<Vec<Row>, StoreError> {
        match self {
            Link::Sqlite(c) => sqlite_query(sql, args).fetch_all(c).await?.iter().map(sqlite_row).collect(),
            Link::Postgres(c) => postgres_query(sql, args).fetch_all(c).await?.iter().map(postgres_row).collect(),
        }
    }

    /// Runs one query; its first row.
    pub async fn fetch_one(&mut self, sql: &'static str, args: &[Value]) -> Result<Option<Row>, StoreError> {
        Ok(self.fetch(sql, args).await?.into_iter().next())
    }

    /// Opens a transaction that may write from its first statement on.
    pub async fn begin(&mut self) -> Result<(), StoreError> {
        let sql = match self {
            Link::Sqlite(_) => "BEGIN IMMEDIATE",
            Link::Postgres(_) => "BEGIN",
        };
        self.execute(sql, &[]).await.map(|_| ())
    }

    /// Makes the transaction durable.
    pub async fn commit(&mut self) -> Result<(), StoreError> {
        self.execute("COMMIT", &[]).await.map(|_| ())
    }

    /// Forgets the transaction.
    pub async fn rollback(&mut self) -> Result<(), StoreError> {
        self.execute("ROLLBACK", &[]).await.map(|_| ())
    }

    /// Ends the connection; an open transaction is rolled back.
    pub async fn close(self) {
        let _ = match self {
            Link::Sqlite(c) => c.close().await,
            Link::Postgres(c) => c.close().await,
        };
    }
}

/// Readers that cannot write.
#[derive(Debug, Clone)]
pub enum Readers {
    /// The embedded database.
    Sqlite(SqlitePool),
    /// A server.
    Postgres(PgPool),
}

impl Readers {
    /// Readers of a database that exists. Connects when first used.
    pub fn new(url: &StoreUrl) -> Result<Readers, StoreError> {
        Ok(match url {
            StoreUrl::Sqlite(path) => {
                let options = SqliteConnectOptions::new()
                    .filename(path)
                    .read_only(true)
                    .foreign_keys(true)
                    .busy_timeout(BUSY)
                    .pragma("query_only", "on");
                Readers::Sqlite(SqlitePoolOptions::new().max_connections(READERS).connect_lazy_with(options))
            }
            StoreUrl::Postgres(url) => {
                let options = postgres_options(url)?.options([("default_transaction_read_only", "on")]);
                let pool = PgPoolOptions::new().max_connections(READERS).acquire_timeout(CONNECT);
                Readers::Postgres(pool.connect_lazy_with(options))
            }
        })
    }

    /// Runs one query; its rows.
    pub async fn fetch(&self, sql: &'static str, args: &[Value]) -> Result<Vec<Row>, StoreError> {
        match self {
            Readers::Sqlite(p) => sqlite_query(sql, args).fetch_all(p).await?.iter().map(sqlite_row).collect(),
            Readers::Postgres(p) => postgres_query(sql, args).fetch_all(p).await?.iter().map(postgres_row).collect(),
        }
    }

    /// Runs one query; its first row.
    pub async fn fetch_one(&self, sql: &'static str, args: &[Value]) -> Result<Option<Row>, StoreError> {
        Ok(self.fetch(sql, args).await?.into_iter().next())
    }

    /// Ends all connections.
    pub async fn close(&self) {
        match self {
            Readers::Sqlite(p) => p.close().await,
            Readers::Postgres(p) => p.close().await,
        }
    }
}

/// The text of a statement that is put together once, from names in this program only.
pub(crate) fn fixed(sql: String) -> &'static str {
    Box::leak(sql.into_boxed_str())
}
