//! `dhan-packets`: feed messages as JSON lines, `{"recv_ts": .., "hex": ..}`.

use std::collections::BTreeMap;

use scalper_decide::domain::tick::{ABSENT, DEPTH};
use scalper_decide::domain::{BookLevel, Instant, InstrumentId, Segment, Tick, TickSource};
use serde::Deserialize;

use super::super::contract::{ContractKey, index_by_security_id};
use super::super::meta::SpotRank;
use super::error::{Fault, ImportError, Place};
use super::generic_instruments::{self, Entry, Known};
use super::harvest::{Harvest, Terms};
use super::input::Input;
use super::options::ImportOptions;
use super::text;
use crate::broker::dhan::wire::clock::trade_time;
use crate::broker::dhan::wire::packet::{self, Body, LastTrade, Packet};
use crate::broker::dhan::wire::price::price_to_paise;

#[derive(Deserialize)]
struct Line {
    recv_ts: String,
    hex: String,
}

/// Reads the file.
pub(super) fn harvest(input: &Input, options: &ImportOptions, out: &mut Harvest<'_>) -> Result<(), ImportError> {
    let known = generic_instruments::load(options)?;
    let mut rows = 0u64;
    let mut pending: BTreeMap<(u8, u32), u32> = BTreeMap::new();
    for (n, line) in input.text()?.lines().enumerate() {
        if line.trim().is_empty() {
            continue;
        }
        rows += 1;
        let place = input.at(n as u64 + 1);
        let line: Line = serde_json::from_str(line)
            .map_err(|e| ImportError::Unreadable { place: place.clone(), detail: e.to_string() })?;
        let received = text::iso_time(&line.recv_ts).map_err(|fault| cell(&place, "recv_ts", &line.recv_ts, fault))?;
        let bytes = unhex(&line.hex).ok_or_else(|| cell(&place, "hex", &line.hex, Fault::NotHex))?;
        let day = received.ist_date();
        for packet in packet::packets(&bytes) {
            let packet = match packet {
                Ok(packet) => packet,
                Err(error) => {
                    out.tally(day, &format!("messages cut short ({error})"));
                    continue;
                }
            };
            let key = (packet.segment, packet.security_id);
            match packet.body {
                Body::OpenInterest(oi) => {
                    pending.insert(key, oi);
                    out.tally(day, "open-interest packets, carried by the next quote of their contract");
                }
                Body::PreviousClose(..) => out.tally(day, "previous-close packets left out"),
                Body::Disconnect(reason) => out.tally(day, &format!("disconnects with reason {reason}")),
                Body::MarketStatus => out.tally(day, "market-status packets left out"),
                Body::Unknown(code) => out.tally(day, &format!("packets of unknown code {code} left out")),
                Body::Ticker(..) | Body::Quote(..) | Body::Full(..) => {
                    push(out, &known, packet, received, pending.get(&key).copied(), &place)?;
                }
            }
        }
    }
    if rows == 0 { Err(ImportError::Empty { file: input.shown() }) } else { Ok(()) }
}

fn cell(place: &Place, column: &str, value: &str, fault: Fault) -> ImportError {
    ImportError::Cell { place: place.clone(), column: column.to_owned(), value: value.to_owned(), fault }
}

fn push(
    out: &mut Harvest<'_>,
    known: &Known,
    packet: Packet,
    received: Instant,
    open_interest: Option<u32>,
    place: &Place,
) -> Result<(), ImportError> {
    let entry = contract(known, packet, place)?;
    let day = received.ist_date();
    let listing = match entry.key {
        ContractKey::Index(index) => out.list_index(day, index, SpotRank::Primary, place)?,
        _ => out.list(day, entry.key, entry.terms, place)?,
    };
    let option_tick = match entry.key {
        ContractKey::Option(..) => entry.terms.tick.map_or(5, |t| t.paise()),
        // Index levels and futures have two decimals and no common step.
        _ => 1,
    };
    let refuse = |column: &str, value: f32| cell(place, column, &value.to_string(), Fault::NotPositive);
    let base = |trade: LastTrade| {
        let paise = price_to_paise(trade.price, option_tick).ok_or_else(|| refuse("ltp", trade.price))?;
        // Without a trade the packet's own arrival is the only time there is.
        let at = trade_time(trade.time).unwrap_or(received);
        Ok::<Tick, ImportError>(Tick::last_price(InstrumentId(0), at, received, paise, TickSource::Feed))
    };
    let tick = match packet.body {
        Body::Ticker(trade) => base(trade)?,
        Body::Quote(trade, totals) => {
            let mut tick = base(trade)?;
            (tick.ltq, tick.volume) = (i64::from(totals.ltq), i64::from(totals.volume));
            tick.oi = open_interest.map_or(ABSENT, i64::from);
            tick
        }
        Body::Full(trade, totals, oi, depth) => {
            let mut tick = base(trade)?;
            (tick.ltq, tick.volume, tick.oi) = (i64::from(totals.ltq), i64::from(totals.volume), i64::from(oi.now));
            let empty = (BookLevel::default(), BookLevel::default());
            let mut levels = [empty; DEPTH];
            for (place, level) in levels.iter_mut().zip(&depth) {
                *place = level.levels(option_tick).ok_or_else(|| refuse("depth", level.bid.min(level.ask)))?;
            }
            tick.bids = levels.map(|l| l.0);
            tick.asks = levels.map(|l| l.1);
            tick
        }
        _ => return Ok(()),
    };
    out.push(listing, tick, place)
}

fn contract(known: &Known, packet: Packet, place: &Place) -> Result<Entry, ImportError> {
    let segment = Segment::from_code(packet.segment)
        .ok_or_else(|| cell(place, "segment", &packet.segment.to_string(), Fault::NotASegment))?;
    let id = packet.security_id;
    if segment == Segment::IdxI
        && let Some(index) = index_by_security_id(id)
    {
        return Ok(Entry { key: ContractKey::Index(index), terms: Terms::default() });
    }
    let entry = known.by_id(&id.to_string()).or_else(|| known.single().filter(|e| e.terms.security_id.is_none()));
    let entry = entry
        .filter(|e| e.key.segment() == segment)
        .ok_or_else(|| ImportError::UnknownContract { place: place.clone(), id: format!("{segment} {id}") })?;
    Ok(Entry { terms: Terms { security_id: Some(id), ..entry.terms }, ..entry })
}

fn unhex(text: &str) -> Option<Vec<u8>> {
    let digits: Option<Vec<u8>> = text.chars().map(|c| c.to_digit(16).map(|d| d as u8)).collect();
    let digits = digits.filter(|d| d.len() % 2 == 0)?;
    Some(digits.chunks_exact(2).map(|pair| pair[0] << 4 | pair[1]).collect())
}
