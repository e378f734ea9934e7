//! `day.json`: the certificate of a day. What is in the files, where it came from, and checksums to prove it.

use std::collections::{BTreeMap, BTreeSet};

use chrono::NaiveDate;
use scalper_decide::domain::{Instant, TickFlags, TickSource, Underlying};
use serde::{Deserialize, Serialize};

use super::row::TapeRow;

/// How much a day's spot ticks of one index are worth; a better kind replaces a lesser one on import.
#[derive(Debug, Clone, Copy, PartialEq, Eq, PartialOrd, Ord, Serialize, Deserialize)]
#[serde(rename_all = "snake_case")]
pub enum SpotRank {
    /// Derived from option prices by put-call parity.
    Derived,
    /// A spot column inside an option file.
    Accompanying,
    /// A file of the index itself.
    Primary,
}

/// One file that went into a day.
#[derive(Debug, Clone, PartialEq, Eq, PartialOrd, Ord, Serialize, Deserialize)]
pub struct SourceMeta {
    /// Importer or recorder, e.g. `rolling-options`.
    pub layout: String,
    /// Name of the file, without its folder.
    pub file: String,
    /// BLAKE3 of the file as it lay on disk; empty when there was no file.
    pub blake3: String,
}

/// What the maker of a day knows about it beyond the ticks.
#[derive(Debug, Clone, Default, PartialEq, Eq, Serialize, Deserialize)]
pub struct DayAbout {
    /// Files that went in.
    pub sources: BTreeSet<SourceMeta>,
    /// Rank of the spot ticks by index.
    pub spot: BTreeMap<Underlying, SpotRank>,
    /// Indices of which only bars went in, with the length of the longest of them in seconds: shorter bars cannot be
    /// built from this day.
    #[serde(default)]
    pub bar_secs: BTreeMap<Underlying, i64>,
    /// Remarks for people, sorted.
    pub notes: BTreeSet<String>,
}

/// Size and checksum of one file.
#[derive(Debug, Clone, PartialEq, Eq, Serialize, Deserialize)]
pub struct FileMeta {
    /// Bytes.
    pub bytes: u64,
    /// BLAKE3, hex.
    pub blake3: String,
}

/// Counts of the ticks of a day.
#[derive(Debug, Clone, Default, PartialEq, Eq, Serialize, Deserialize)]
pub struct Counts {
    /// All ticks.
    pub ticks: u64,
    /// Ticks that may drive a decision.
    pub decidable: u64,
    /// By source name.
    pub by_source: BTreeMap<String, u64>,
    /// By flag name; a tick with two flags counts in both.
    pub by_flag: BTreeMap<String, u64>,
    /// Ticks whose best bid is not below the best ask.
    pub crossed_books: u64,
}

/// Every flag with the name it has in `day.json`.
pub const FLAG_NAMES: [(TickFlags, &str); 6] = [
    (TickFlags::SYNTHESISED, "synthesised"),
    (TickFlags::BAR_OPEN, "bar_open"),
    (TickFlags::BAR_CLOSE, "bar_close"),
    (TickFlags::OUT_OF_SESSION, "out_of_session"),
    (TickFlags::STALE, "stale"),
    (TickFlags::OUT_OF_ORDER, "out_of_order"),
];

/// Name of a source in `day.json`.
pub const fn source_name(source: TickSource) -> &'static str {
    match source {
        TickSource::Feed => "feed",
        TickSource::Snapshot => "snapshot",
        TickSource::Bar => "bar",
        TickSource::Derived => "derived",
        TickSource::Generated => "generated",
    }
}

impl Counts {
    /// Adds one tick.
    pub fn add(&mut self, tick: &scalper_decide::domain::Tick) {
        self.ticks += 1;
        self.decidable += u64::from(tick.flags.is_decidable());
        let bump = |map: &mut BTreeMap<String, u64>, name: &str| match map.get_mut(name) {
            Some(n) => *n += 1,
            None => {
                map.insert(name.to_owned(), 1);
            }
        };
        bump(&mut self.by_source, source_name(tick.source));
        for (flag, name) in FLAG_NAMES {
            if tick.flags.has(flag) {
                bump(&mut self.by_flag, name);
            }
        }
        self.crossed_books += u64::from(tick.has_book() && tick.bids[0].price >= tick.asks[0].price);
    }

    /// Of a whole day.
    pub fn of(rows: &[TapeRow]) -> Counts {
        let mut counts = Counts::default();
        rows.iter().for_each(|r| counts.add(&r.tick));
        counts
    }

    /// Ticks with this flag.
    pub fn flag(&self, flag: TickFlags) -> u64 {
        FLAG_NAMES.iter().find(|(f, _)| *f == flag).and_then(|(_, name)| self.by_flag.get(*name)).copied().unwrap_or(0)
    }
}

/// The certificate.
#[derive(Debug, Clone, PartialEq, Eq, Serialize, Deserialize)]
pub struct DayMeta {
    /// Version of the layout.
    pub schema: u32,
    /// The trading day (IST date of every receive time).
    pub day: NaiveDate,
    /// What the tick file holds.
    pub counts: Counts,
    /// Listed contracts.
    pub instruments: u64,
    /// First receive time, IST text; `None` on an empty day.
    pub first: Option<String>,
    /// Last receive time.
    pub last: Option<String>,
    /// The tick file.
    pub ticks_file: FileMeta,
    /// The contract list.
    pub instruments_file: FileMeta,
    /// Where it came from.
    #[serde(flatten)]
    pub about: DayAbout,
}

impl DayMeta {
    /// One hash for the day's content: BLAKE3 over date and both files' checksums. Provenance and notes do not count.
    pub fn hash(&self) -> String {
        let text = format!(
            "scalper tape day {}\n{}\n{}\n{}\n",
            self.schema, self.day, self.ticks_file.blake3, self.instruments_file.blake3
        );
        blake3::hash(text.as_bytes()).to_hex().to_string()
    }
}

/// How an instant is written in `day.json` and exports: IST with as many digits of the second as it has.
pub fn ist_text(at: Instant) -> String {
    let sub = at.nanos().rem_euclid(1_000_000_000);
    let base = format!("{}T{}", at.ist_date().format("%Y-%m-%d"), at.ist_time());
    match sub {
        0 => format!("{base}+05:30"),
        _ if sub % 1_000_000 == 0 => format!("{base}.{:03}+05:30", sub / 1_000_000),
        _ if sub % 1_000 == 0 => format!("{base}.{:06}+05:30", sub / 1_000),
        _ => format!("{base}.{sub:09}+05:30"),
    }
}
