//! What is watched: seeded from a file, every item resolved to exactly one instrument (F-81, S3-42 to S3-45).

use scalper_decide::domain::Segment;
use serde::Deserialize;

use super::Store;
use super::error::StoreError;
use super::link::{Link, Readers, args};
use super::master::{self, Loaded, Master};

/// The shipped seeds.
pub const SEEDS: &str = include_str!("../../seeds/watchlist.yml");

/// What kind of thing an item is.
#[derive(Debug, Clone, Copy, PartialEq, Eq, Deserialize)]
#[serde(rename_all = "snake_case")]
pub enum ItemKind {
    /// The value of an index.
    IndexValue,
    /// A share.
    Equity,
    /// A future or option.
    Derivative,
    /// A currency pair.
    Currency,
    /// A commodity.
    Commodity,
}

impl ItemKind {
    /// Its word in the database.
    pub const fn name(self) -> &'static str {
        match self {
            ItemKind::IndexValue => "index_value",
            ItemKind::Equity => "equity",
            ItemKind::Derivative => "derivative",
            ItemKind::Currency => "currency",
            ItemKind::Commodity => "commodity",
        }
    }
}

/// One line of the seeds.
#[derive(Debug, Clone, PartialEq, Eq, Deserialize)]
#[serde(deny_unknown_fields)]
pub struct Seed {
    /// Exact trading symbol.
    pub symbol: String,
    /// NSE or BSE.
    pub exchange: String,
    /// Segment by the broker's name.
    pub segment: String,
    /// Token inside the segment.
    pub security_id: u32,
    /// What it is.
    pub kind: ItemKind,
    /// Name for people.
    pub label: Option<String>,
    /// Whether it is subscribed.
    #[serde(default = "yes")]
    pub active: bool,
}

const fn yes() -> bool {
    true
}

/// Reads seeds.
///
/// # Errors
/// What the YAML reader says, with the line.
pub fn parse(yaml: &str) -> Result<Vec<Seed>, String> {
    serde_yaml::from_str(yaml).map_err(|e| e.to_string())
}

/// Why nothing was seeded.
#[derive(Debug, Clone, PartialEq, Eq, thiserror::Error)]
pub enum SeedError {
    /// An item that is not exactly one instrument.
    #[error("{symbol} ({exchange} {segment} {security_id}): {what}; nothing was seeded")]
    Unresolved {
        /// As the seeds say.
        symbol: String,
        /// As the seeds say.
        exchange: String,
        /// As the seeds say.
        segment: String,
        /// As the seeds say.
        security_id: u32,
        /// What is wrong.
        what: String,
    },
    /// The database.
    #[error(transparent)]
    Store(#[from] StoreError),
}

/// An instrument as far as a seed can tell.
struct Known {
    exchange: String,
    security_id: i64,
    symbol: String,
}

/// The one instrument a seed means. Anything that shares its id or its symbol and is another one refuses it.
fn resolve(seed: &Seed, known: &[Known]) -> Result<(), SeedError> {
    let wrong = |what: String| {
        Err(SeedError::Unresolved {
            symbol: seed.symbol.clone(),
            exchange: seed.exchange.clone(),
            segment: seed.segment.clone(),
            security_id: seed.security_id,
            what,
        })
    };
    if Segment::from_name(&seed.segment) != Some(Segment::IdxI) || seed.kind != ItemKind::IndexValue {
        return wrong("only values of indices can be seeded".to_owned());
    }
    let id = i64::from(seed.security_id);
    let near: Vec<&Known> = known.iter().filter(|k| k.security_id == id || k.symbol == seed.symbol).collect();
    match near.as_slice() {
        [] => wrong("no such instrument in the list".to_owned()),
        [one] if one.security_id == id && one.symbol == seed.symbol && one.exchange == seed.exchange => Ok(()),
        [one] => wrong(format!("the list has {} {} {}", one.exchange, one.security_id, one.symbol)),
        many => wrong(format!("{} instruments of the list share its id or symbol", many.len())),
    }
}

/// What a seeding did.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub struct Seeded {
    /// Instruments read from a list.
    pub loaded: Loaded,
    /// Items on the watchlist now.
    pub items: u64,
}

impl Store {
    /// Loads a list, when one is given, and puts the seeds on the watchlist: all of them or none. An item that is there
    /// keeps whether it is active.
    ///
    /// # Errors
    /// [`SeedError::Unresolved`] for the first item that is missing or not unique.
    pub async fn seed(&self, seeds: Vec<Seed>, master: Option<Master>) -> Result<Seeded, SeedError> {
        let known = match &master {
            Some(master) => master
                .indices
                .iter()
                .map(|row| Known {
                    exchange: row.exchange.clone(),
                    security_id: i64::from(row.security_id),
                    symbol: row.symbol.clone(),
                })
                .collect(),
            None => known_indices(self.readers()).await?,
        };
        seeds.iter().try_for_each(|seed| resolve(seed, &known))?;
        let seeded = self
            .transact(move |link| {
                Box::pin(async move {
                    let loaded = match &master {
                        Some(master) => master::load(link, master).await?,
                        None => Loaded::default(),
                    };
                    for seed in &seeds {
                        put(link, seed).await?;
                    }
                    let row = link.fetch_one("SELECT count(*) FROM watchlist_items", &[]).await?;
                    let items = row.expect("a count has a row").int(0)?.cast_unsigned();
                    Ok(Seeded { loaded, items })
                })
            })
            .await?;
        Ok(seeded)
    }
}

async fn known_indices(readers: &Readers) -> Result<Vec<Known>, StoreError> {
    let sql = "SELECT exchange, security_id, symbol FROM instruments WHERE segment = $1";
    let rows = readers.fetch(sql, &args![Segment::IdxI.name()]).await?;
    let known = |row: &super::link::Row| {
        Ok(Known { exchange: row.text(0)?.to_owned(), security_id: row.int(1)?, symbol: row.text(2)?.to_owned() })
    };
    rows.iter().map(known).collect()
}

async fn put(link: &mut Link, seed: &Seed) -> Result<(), StoreError> {
    let id = i64::from(seed.security_id);
    let sql = "SELECT id FROM instruments WHERE segment = $1 AND security_id = $2";
    let row = link.fetch_one(sql, &args![seed.segment.as_str(), id]).await?;
    let instrument = row.ok_or_else(|| StoreError::Statement(format!("{} was not loaded", seed.symbol)))?.int(0)?;
    let sql = "INSERT INTO watchlist_items (watchable_type, watchable_id, segment, security_id, kind, active, label) \
               VALUES ('instrument', $1, $2, $3, $4, $5, $6) ON CONFLICT (segment, security_id) DO UPDATE SET \
               watchable_id = excluded.watchable_id, kind = excluded.kind, label = excluded.label";
    let active = i64::from(seed.active);
    let args = args![instrument, seed.segment.as_str(), id, seed.kind.name(), active, seed.label.clone()];
    link.execute(sql, &args).await.map(|_| ())
}

/// One thing to subscribe.
#[derive(Debug, Clone, Copy, PartialEq, Eq, PartialOrd, Ord)]
pub struct Watched {
    /// Segment.
    pub segment: Segment,
    /// Token.
    pub security_id: u32,
}

/// Active items only, ordered by segment, then id (S3-44).
///
/// # Errors
/// [`StoreError`]; an item with a segment nobody knows counts as damage.
pub async fn load_watchlist(readers: &Readers) -> Result<Vec<Watched>, StoreError> {
    let sql = "SELECT segment, security_id FROM watchlist_items WHERE active = 1 ORDER BY segment, security_id";
    let item = |row: &super::link::Row| {
        let segment = Segment::from_name(row.text(0)?);
        let security_id = u32::try_from(row.int(1)?).ok();
        let damaged = || StoreError::Damaged(format!("{:?} on the watchlist", row.0));
        segment.zip(security_id).map(|(segment, security_id)| Watched { segment, security_id }).ok_or_else(damaged)
    };
    readers.fetch(sql, &[]).await?.iter().map(item).collect()
}

#[cfg(test)]
mod tests {
    use super::*;

    fn known(exchange: &str, security_id: i64, symbol: &str) -> Known {
        Known { exchange: exchange.to_owned(), security_id, symbol: symbol.to_owned() }
    }

    #[test]
    fn the_shipped_seeds_are_the_four_indices() {
        // S3-43, with the volatility index beside them.
        let seeds = parse(SEEDS).unwrap();
        let ids: Vec<(&str, &str, u32)> =
            seeds.iter().map(|s| (s.symbol.as_str(), s.exchange.as_str(), s.security_id)).collect();
        let expected =
            [("NIFTY", "NSE", 13), ("BANKNIFTY", "NSE", 25), ("SENSEX", "BSE", 51), ("INDIA VIX", "NSE", 21)];
        assert_eq!(ids, expected);
        assert!(seeds.iter().all(|s| s.active && s.kind == ItemKind::IndexValue && s.segment == "IDX_I"));
    }

    #[test]
    fn a_seed_that_is_missing_wrong_or_not_unique_is_refused() {
        // F-81: the predecessor found SENSEX by a LIKE and carried a placeholder id 1.
        let seed = &parse(SEEDS).unwrap()[2];
        let refused = |list: &[Known]| resolve(seed, list).unwrap_err().to_string();
        assert!(resolve(seed, &[known("BSE", 51, "SENSEX"), known("NSE", 13, "NIFTY")]).is_ok());
        assert!(refused(&[]).contains("no such instrument"));
        assert!(refused(&[known("BSE", 1, "SENSEX")]).contains("the list has BSE 1 SENSEX"));
        assert!(refused(&[known("BSE", 51, "SENSEX50")]).contains("the list has BSE 51 SENSEX50"));
        assert!(refused(&[known("NSE", 51, "SENSEX")]).contains("the list has NSE 51"));
        assert!(refused(&[known("BSE", 51, "SENSEX"), known("BSE", 51, "SENSEX")]).contains("2 instruments"));
        assert!(refused(&[known("BSE", 51, "SENSEX"), known("BSE", 1, "SENSEX")]).contains("2 instruments"));
    }
}
