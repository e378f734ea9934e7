//! `nse-chain`: option chain snapshots of the exchange's page. `nse_ts` is the exchange's clock, `collected_at` the
//! collector's. Open interest and volume are in lots.

use std::collections::BTreeMap;

use chrono::NaiveDate;
use scalper_decide::domain::tick::{ABSENT, DEPTH};
use scalper_decide::domain::{
    BookLevel, Instant, InstrumentId, LotSize, Right, Strike, Tick, TickFlags, TickSource, Underlying,
};

use super::super::contract::{ContractKey, index_by_name, index_names, parse_strike};
use super::super::meta::{SpotRank, ist_text};
use super::error::{Fault, ImportError, Place};
use super::harvest::{Harvest, Terms};
use super::input::{Input, Table};
use super::options::ImportOptions;
use super::parity::{self, Pair};
use super::text;

struct Columns {
    collected: usize,
    exchange: usize,
    underlying: usize,
    expiry: usize,
    strike: usize,
    call: SideColumns,
    put: SideColumns,
}

struct SideColumns {
    ltp: usize,
    bid: usize,
    bid_qty: usize,
    ask: usize,
    ask_qty: usize,
    oi: usize,
    volume: usize,
}

impl SideColumns {
    fn find(table: &Table<'_>, prefix: &str) -> Result<SideColumns, ImportError> {
        let column = |name: &str| table.need(&[&format!("{prefix}_{name}")]);
        Ok(SideColumns {
            ltp: column("ltp")?,
            bid: column("bid")?,
            bid_qty: column("bid_qty")?,
            ask: column("ask")?,
            ask_qty: column("ask_qty")?,
            oi: column("oi")?,
            volume: column("volume")?,
        })
    }
}

#[derive(Clone, Copy, PartialEq, Eq)]
struct Snapshot {
    collected: Instant,
    exchange: Instant,
    underlying: Underlying,
}

struct Running {
    snapshot: Snapshot,
    place: Place,
    flags: TickFlags,
    pairs: BTreeMap<NaiveDate, Vec<Pair>>,
}

/// Reads the file.
pub(super) fn harvest(input: &Input, options: &ImportOptions, out: &mut Harvest<'_>) -> Result<(), ImportError> {
    let mut table = input.table()?;
    let columns = Columns {
        collected: table.need(&["collected_at"])?,
        exchange: table.need(&["nse_ts"])?,
        underlying: table.need(&["underlying"])?,
        expiry: table.need(&["expiry"])?,
        strike: table.need(&["strike"])?,
        call: SideColumns::find(&table, "ce")?,
        put: SideColumns::find(&table, "pe")?,
    };
    let mut running: Option<Running> = None;
    let mut seen: BTreeMap<Underlying, Snapshot> = BTreeMap::new();
    while table.advance()? {
        let place = table.place();
        let snapshot = Snapshot {
            collected: table.get(columns.collected, text::iso_time)?,
            exchange: table.get(columns.exchange, text::iso_time)?,
            underlying: index_by_name(table.text(columns.underlying)).ok_or_else(|| ImportError::UnknownIndex {
                place: place.clone(),
                name: table.text(columns.underlying).to_owned(),
                known: index_names(),
            })?,
        };
        if running.as_ref().is_none_or(|r| r.snapshot != snapshot) {
            if let Some(done) = running.take() {
                close(done, options, out)?;
            }
            running = Some(open(snapshot, place.clone(), &mut seen, out)?);
        }
        let running = running.as_mut().expect("a snapshot is open");
        let expiry = table.get(columns.expiry, text::date)?;
        let strike = table.get(columns.strike, |t| parse_strike(t).ok_or(Fault::NotAStrike))?;
        let call = side(&table, &columns.call, running, (expiry, strike, Right::Call), out)?;
        let put = side(&table, &columns.put, running, (expiry, strike, Right::Put), out)?;
        running.pairs.entry(expiry).or_default().push(Pair { strike: strike.paise(), call, put });
    }
    let last = running.ok_or_else(|| ImportError::Empty { file: input.shown() })?;
    close(last, options, out)
}

/// A snapshot that repeats (or goes behind) the exchange time of the one before is the old picture once more.
fn open(
    snapshot: Snapshot,
    place: Place,
    seen: &mut BTreeMap<Underlying, Snapshot>,
    out: &mut Harvest<'_>,
) -> Result<Running, ImportError> {
    let day = snapshot.collected.ist_date();
    let mut flags = TickFlags::NONE;
    if let Some(before) = seen.get(&snapshot.underlying) {
        if snapshot.collected < before.collected {
            return Err(ImportError::TimeBackwards {
                place,
                previous: ist_text(before.collected),
                found: ist_text(snapshot.collected),
            });
        }
        if snapshot.exchange <= before.exchange {
            flags = TickFlags::STALE;
            out.tally(day, "snapshots repeat an earlier exchange time (stale)");
        }
    }
    let newest = seen.get(&snapshot.underlying).map_or(snapshot.exchange, |b| b.exchange.max(snapshot.exchange));
    seen.insert(snapshot.underlying, Snapshot { exchange: newest, ..snapshot });
    out.tally(day, "snapshots");
    if snapshot.exchange.ist_date() != day {
        out.tally(day, "snapshots carry another day's exchange time (stale)");
    }
    Ok(Running { snapshot, place, flags, pairs: BTreeMap::new() })
}

/// Derives the index from the nearest expiry, once per snapshot.
fn close(done: Running, options: &ImportOptions, out: &mut Harvest<'_>) -> Result<(), ImportError> {
    if options.no_spot {
        return Ok(());
    }
    let Snapshot { collected, exchange, underlying } = done.snapshot;
    let day = collected.ist_date();
    let Some(level) = done.pairs.values().find_map(|pairs| parity::forward(pairs)) else {
        out.tally(day, "snapshots without a quoted call and put to derive the index from");
        return Ok(());
    };
    let listing = out.list_index(day, underlying, SpotRank::Derived, &done.place)?;
    let mut tick = Tick::last_price(InstrumentId(0), exchange, collected, level, TickSource::Derived);
    tick.flags = done.flags;
    out.note(
        day,
        format!(
            "{underlying} ticks are the put-call parity forward of the nearest expiry, median of the three strikes nearest the \
             money (source 3, derived); a forward lies above spot by its carry"
        ),
    );
    out.push(listing, tick, &done.place)
}

/// Adds one contract's quote; returns its bid and ask.
fn side(
    table: &Table<'_>,
    columns: &SideColumns,
    running: &Running,
    (expiry, strike, right): (NaiveDate, Strike, Right),
    out: &mut Harvest<'_>,
) -> Result<(i64, i64), ImportError> {
    let Snapshot { collected, exchange, underlying } = running.snapshot;
    let day = collected.ist_date();
    let place = table.place();
    let key = ContractKey::Option(underlying, expiry, strike, right);
    let listing = out.list(day, key, Terms::default(), &place)?;
    let lot = out
        .context()
        .contracts
        .lot(underlying, expiry)
        .map_err(|source| ImportError::Contracts { place: place.clone(), source })?;
    let ltp = table.price_or_zero(columns.ltp)?;
    let bid = level(table, columns.bid, columns.bid_qty)?;
    let ask = level(table, columns.ask, columns.ask_qty)?;
    let oi = in_units(table, columns.oi, lot, day, out)?;
    let volume = in_units(table, columns.volume, lot, day, out)?;
    let prices = (i64::from(bid.price), i64::from(ask.price));
    if ltp == 0 && bid.is_empty() && ask.is_empty() && oi == 0 && volume == 0 {
        out.tally(day, "quotes of contracts without price, book or open interest left out");
        return Ok(prices);
    }
    let empty = [BookLevel::default(); DEPTH];
    let tick = Tick {
        instrument: InstrumentId(0),
        flags: running.flags,
        source: TickSource::Snapshot,
        exchange_at: exchange,
        received_at: collected,
        ltp_paise: ltp,
        ltq: ABSENT,
        volume,
        oi,
        bids: [bid, empty[1], empty[2], empty[3], empty[4]],
        asks: [ask, empty[1], empty[2], empty[3], empty[4]],
    };
    out.push(listing, tick, &place)?;
    Ok(prices)
}

/// A book level; a price of 0 or a quantity of 0 is an empty one.
pub(super) fn level(table: &Table<'_>, price: usize, qty: usize) -> Result<BookLevel, ImportError> {
    let (paise, units) = (table.price_or_zero(price)?, table.count(qty)?);
    if paise == 0 || units == 0 {
        return Ok(BookLevel::default());
    }
    Ok(BookLevel {
        price: i32::try_from(paise).map_err(|_| table.refuse(price, Fault::TooLarge))?,
        qty: u32::try_from(units).map_err(|_| table.refuse(qty, Fault::TooLarge))?,
    })
}

/// Lots to units. Long-dated series are printed divided by the lot of another year (2119.714286 lots), so a product that
/// is not whole is rounded and counted; such contracts are far from anything this engine trades.
fn in_units(
    table: &Table<'_>,
    column: usize,
    lot: LotSize,
    day: NaiveDate,
    out: &mut Harvest<'_>,
) -> Result<i64, ImportError> {
    let units = table.get(column, text::amount)? * lot.get() as f64;
    let whole = units.round();
    if (units - whole).abs() > 0.001 {
        out.tally(
            day,
            "open interests or volumes that are no whole number of units rounded (their lot differs from the table's)",
        );
    }
    text::whole(whole).map_err(|fault| table.refuse(column, fault))
}
