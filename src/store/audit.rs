//! The audit trail: who did what, append-only, each row chained to the one before (S22).

use scalper_decide::domain::Instant;

use super::Store;
use super::error::{Refusal, StoreError};
use super::link::{Link, Readers, Row, args};
use super::writer::WriterHandle;

/// One act.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct Act {
    /// When.
    pub at: Instant,
    /// Who: a person's name, a token's name, or the daemon.
    pub actor: String,
    /// From where: command line, API, signal.
    pub source: String,
    /// What: the verb.
    pub action: String,
    /// Its arguments, state before and after, reason. Never a secret.
    pub detail: String,
}

fn link_hash(id: i64, previous: &[u8; 32], act: &Act) -> [u8; 32] {
    let mut hasher = blake3::Hasher::new();
    hasher.update(previous).update(&id.to_le_bytes()).update(&act.at.nanos().to_le_bytes());
    for text in [&act.actor, &act.source, &act.action, &act.detail] {
        hasher.update(&(text.len() as u64).to_le_bytes()).update(text.as_bytes());
    }
    *hasher.finalize().as_bytes()
}

async fn append(link: &mut Link, act: &Act) -> Result<i64, StoreError> {
    let last = link.fetch_one("SELECT id, hash FROM audit ORDER BY id DESC LIMIT 1", &[]).await?;
    let (id, previous) = match last {
        Some(row) => (row.int(0)? + 1, row.hash(1)?),
        None => (1, [0; 32]),
    };
    let sql = "INSERT INTO audit (id, at, actor, source, action, detail, previous, hash) \
               VALUES ($1, $2, $3, $4, $5, $6, $7, $8)";
    let texts = [&act.actor, &act.source, &act.action, &act.detail].map(String::as_str);
    let [actor, source, action, detail] = texts;
    let args = args![id, act.at.nanos(), actor, source, action, detail, previous, link_hash(id, &previous, act)];
    link.execute(sql, &args).await?;
    Ok(id)
}

/// A way to the trail for whoever does not own the store. It ends with the store.
#[derive(Debug, Clone)]
pub struct Trail(WriterHandle);

impl Trail {
    /// Writes an act down; durable when this returns. Its number.
    ///
    /// # Errors
    /// [`StoreError`].
    pub async fn write(&self, act: Act) -> Result<i64, StoreError> {
        self.0.transact(move |link| Box::pin(async move { append(link, &act).await })).await
    }
}

impl Store {
    /// Writes an act down; durable when this returns. Its number.
    pub async fn audit(&self, act: Act) -> Result<i64, StoreError> {
        self.trail().write(act).await
    }

    /// A way to the trail.
    pub fn trail(&self) -> Trail {
        Trail(self.handle.clone())
    }
}

/// Acts with their numbers, newest first, `limit` of them after `offset`; and how many there are.
///
/// # Errors
/// [`StoreError`].
pub async fn list(readers: &Readers, offset: u64, limit: u64) -> Result<(Vec<(i64, Act)>, u64), StoreError> {
    // Nothing is ever taken away and numbers have no gaps: the newest number is the count.
    let row = readers.fetch_one("SELECT coalesce(max(id), 0) FROM audit", &[]).await?;
    let total = row.expect("a maximum has a row").int(0)?;
    let sql = "SELECT id, at, actor, source, action, detail FROM audit WHERE id <= $1 ORDER BY id DESC LIMIT $2";
    let newest = total.saturating_sub(i64::try_from(offset).unwrap_or(i64::MAX));
    let rows = readers.fetch(sql, &args![newest, limit]).await?;
    let act = |row: &Row| {
        let act = Act {
            at: Instant::from_nanos(row.int(1)?),
            actor: row.text(2)?.to_owned(),
            source: row.text(3)?.to_owned(),
            action: row.text(4)?.to_owned(),
            detail: row.text(5)?.to_owned(),
        };
        Ok((row.int(0)?, act))
    };
    Ok((rows.iter().map(act).collect::<Result<_, StoreError>>()?, total.cast_unsigned()))
}

/// Proves the whole chain; the number of acts.
///
/// # Errors
/// [`Refusal::Quarantine`] with the first row that was changed, or that lost the one before it.
pub async fn verify(readers: &Readers) -> Result<u64, StoreError> {
    let sql = "SELECT id, at, actor, source, action, detail, previous, hash FROM audit ORDER BY id";
    let mut expected = (1, [0; 32]);
    for row in readers.fetch(sql, &[]).await? {
        let act = Act {
            at: Instant::from_nanos(row.int(1)?),
            actor: row.text(2)?.to_owned(),
            source: row.text(3)?.to_owned(),
            action: row.text(4)?.to_owned(),
            detail: row.text(5)?.to_owned(),
        };
        let (id, previous, hash) = (row.int(0)?, row.hash(6)?, row.hash(7)?);
        if (id, previous) != expected || hash != link_hash(id, &previous, &act) {
            return Err(Refusal::Quarantine(format!("the audit trail was changed at row {id}")).into());
        }
        expected = (id + 1, hash);
    }
    Ok(expected.0.cast_unsigned() - 1)
}
