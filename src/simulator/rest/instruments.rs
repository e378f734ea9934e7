//! The instrument lists (dhan-v2.md 10.4): `/instruments.csv` and `/api-data/api-scrip-master.csv`, which stands for
//! the file server, have the compact list; `/v2/instrument/{segment}` has one segment of it.

use scalper_decide::domain::{InstrumentKind, Segment};

use super::call::{Outcome, Reply, Room};
use super::refusal;
use crate::simulator::market::Listed;

const CSV: &str = "text/csv";

/// The broker's word for the kind of an instrument.
pub(super) const fn kind(listed: &Listed) -> &'static str {
    match &listed.instrument.kind {
        InstrumentKind::Index { .. } => "INDEX",
        InstrumentKind::Future { .. } => "FUTIDX",
        InstrumentKind::Option(_) => "OPTIDX",
    }
}

/// The whole compact list.
pub(super) fn compact(room: &Room<'_>) -> Reply {
    Reply::text(CSV, room.sim.master_csv())
}

/// The header and the rows of one segment.
pub(super) fn segment(room: &Room<'_>, name: &str) -> Outcome {
    let heads: &[&str] = match Segment::from_name(name) {
        Some(Segment::IdxI) => &["NSE,I,", "BSE,I,"],
        Some(Segment::NseEq) => &["NSE,E,"],
        Some(Segment::NseFno) => &["NSE,D,"],
        Some(Segment::BseEq) => &["BSE,E,"],
        Some(Segment::BseFno) => &["BSE,D,"],
        Some(Segment::NseCurrency) => &["NSE,C,"],
        Some(Segment::BseCurrency) => &["BSE,C,"],
        Some(Segment::McxComm) => &["MCX,M,"],
        None => return Err(refusal::bad_input()),
    };
    let all = room.sim.master_csv();
    let rows = all.lines().enumerate().filter(|(i, row)| *i == 0 || heads.iter().any(|head| row.starts_with(head)));
    let text: String = rows.flat_map(|(_, row)| [row, "\n"]).collect();
    Ok(Reply::text(CSV, text))
}
