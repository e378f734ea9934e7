//! `ticks`: any CSV or Parquet with one tick per row. --map says which column is what; common names are recognised.

use scalper_decide::domain::tick::{ABSENT, DEPTH};
use std::collections::BTreeMap;

use scalper_decide::domain::{Age, BookLevel, Instant, InstrumentId, Tick, TickFlags, TickSource, Underlying};

use super::super::contract::ContractKey;
use super::super::meta::{FLAG_NAMES, SpotRank};
use super::bars::margin;
use super::clock::Clock;
use super::error::{Fault, ImportError};
use super::generic_instruments::{self, Entry, Known};
use super::harvest::Harvest;
use super::input::{Input, Table};
use super::options::ImportOptions;
use super::text;

/// Our names with the names they are recognised by. Book fields follow the pattern of [`book_names`].
const FIELDS: [(&str, &[&str]); 8] = [
    ("ts", &["ts", "exchange_ts", "timestamp", "datetime", "time", "exchange_timestamp"]),
    ("receive_ts", &["receive_ts", "recv_ts", "received_at"]),
    ("ltp", &["ltp", "price", "last_price"]),
    ("ltq", &["ltq", "last_quantity", "last_traded_quantity", "qty"]),
    ("volume", &["volume", "volume_traded"]),
    ("oi", &["oi", "open_interest"]),
    ("id", &["id", "security_id", "instrument_token", "token"]),
    ("symbol", &["symbol", "tradingsymbol"]),
];

const SIDES: [&str; 4] = ["bid_price", "bid_qty", "ask_price", "ask_qty"];

/// Our name of a book field (`bid1_price`) and the spellings recognised for it.
fn book_names(side: &str, level: usize) -> (String, Vec<String>) {
    let (who, what) = side.split_once('_').expect("two words");
    let ours = format!("{who}{level}_{what}");
    let mut names = vec![ours.clone(), format!("{who}_{what}_{level}"), format!("{who}_{what}{level}")];
    if level == 1 {
        names.push(side.to_owned());
        names.push(if what == "price" { who.to_owned() } else { format!("{who}_size") });
    }
    (ours, names)
}

struct Columns {
    ts: usize,
    receive: Option<usize>,
    ltp: Option<usize>,
    ltq: Option<usize>,
    volume: Option<usize>,
    oi: Option<usize>,
    id: Option<usize>,
    symbol: Option<usize>,
    book: [[Option<usize>; 4]; DEPTH],
    /// Source and flags of a day this program exported.
    marks: Option<(usize, usize)>,
}

impl Columns {
    fn find(table: &Table<'_>, options: &ImportOptions) -> Result<Columns, ImportError> {
        let books: Vec<(String, Vec<String>)> =
            (1..=DEPTH).flat_map(|level| SIDES.map(|side| book_names(side, level))).collect();
        for (ours, theirs) in &options.map {
            let given = format!("{ours}={theirs}");
            if !FIELDS.iter().any(|(name, _)| name == ours) && !books.iter().any(|(name, _)| name == ours) {
                let names: Vec<&str> = FIELDS.iter().map(|(name, _)| *name).collect();
                let detail = format!(
                    "{ours:?} is no field; fields are {}, bid1_price .. bid5_qty, ask1_price .. ask5_qty",
                    names.join(", ")
                );
                return Err(ImportError::BadMap { given, detail });
            }
            if table.find(&[theirs]).is_none() {
                let detail = format!("the file has no column {theirs:?}; it has {}", table.header().join(", "));
                return Err(ImportError::BadMap { given, detail });
            }
        }
        let mapped =
            |ours: &str| options.map.iter().find(|(o, _)| o == ours).and_then(|(_, theirs)| table.find(&[theirs]));
        let field = |ours: &str| {
            let names = FIELDS.iter().find(|(name, _)| *name == ours).expect("a listed field").1;
            mapped(ours).or_else(|| table.find(names))
        };
        let mut book = [[None; 4]; DEPTH];
        for (n, level) in book.iter_mut().enumerate() {
            for (place, side) in level.iter_mut().zip(SIDES) {
                let (ours, names) = book_names(side, n + 1);
                let names: Vec<&str> = names.iter().map(String::as_str).collect();
                *place = mapped(&ours).or_else(|| table.find(&names));
            }
        }
        let ts = match field("ts").or_else(|| field("receive_ts")) {
            Some(at) => at,
            None => table.need(FIELDS[0].1)?,
        };
        let ltp = field("ltp");
        if ltp.is_none() && book[0][0].is_none() && book[0][2].is_none() {
            table.need(FIELDS[2].1)?;
        }
        Ok(Columns {
            ts,
            receive: field("receive_ts").filter(|c| *c != ts),
            ltp,
            ltq: field("ltq"),
            volume: field("volume"),
            oi: field("oi"),
            id: field("id"),
            symbol: field("symbol"),
            book,
            marks: exported_marks(table),
        })
    }

    fn contract(&self, table: &Table<'_>, known: &Known, input: &Input) -> Result<Entry, ImportError> {
        let text_of = |column: Option<usize>| column.map(|c| table.text(c)).filter(|t| !t.is_empty());
        let (id, symbol) = (text_of(self.id), text_of(self.symbol));
        // Ids of Parquet files may come as 13.0 when a column had holes.
        let by_id = id.and_then(|id| known.by_id(id).or_else(|| known.by_id(id.strip_suffix(".0")?)));
        let found = by_id.or_else(|| known.by_symbol(symbol?)).or_else(|| {
            let key = ContractKey::parse(symbol?).ok()?;
            Some(Entry { key, terms: super::harvest::Terms::default() })
        });
        match (found, id.or(symbol)) {
            (Some(entry), _) => Ok(entry),
            (None, Some(name)) => match known.single() {
                Some(told) if self.id.is_none() => Ok(told),
                _ => Err(ImportError::UnknownContract { place: table.place(), id: name.to_owned() }),
            },
            (None, None) => known.only(input),
        }
    }
}

/// Columns of source and flags, when the file is a day this program exported: elsewhere these names mean other things.
fn exported_marks(table: &Table<'_>) -> Option<(usize, usize)> {
    table.find(&["seq"]).and(table.find(&["segment"]))?;
    Some((table.find(&["source"])?, table.find(&["flags"])?))
}

/// Source and flags of an exported tick. A point of a bar must not come back as an observation.
fn marks(table: &Table<'_>, source: usize, flags: usize) -> Result<(TickSource, TickFlags), ImportError> {
    let code = |column| -> Result<i64, ImportError> {
        table.get(column, text::optional_count)?.ok_or_else(|| table.refuse(column, Fault::Missing))
    };
    let known = u8::try_from(code(source)?).ok().and_then(TickSource::from_code);
    let all = FLAG_NAMES.iter().fold(TickFlags::NONE, |all, (flag, _)| all.with(*flag));
    let bits = u16::try_from(code(flags)?).ok().filter(|bits| bits & !all.0 == 0);
    Ok((
        known.ok_or_else(|| table.refuse(source, Fault::NotACode))?,
        TickFlags(bits.ok_or_else(|| table.refuse(flags, Fault::NotACode))?),
    ))
}

/// Length of a bar whose first and last point are this far apart; the path keeps [`margin`] from both ends.
fn bar_length(apart: Age) -> Age {
    let second = Age::from_secs(1);
    let long = Age::from_nanos(apart.nanos() + 2 * second.nanos());
    if margin(long) == second { long } else { Age::from_nanos(apart.nanos() / 8 * 10) }
}

/// Reads the file.
pub(super) fn harvest(input: &Input, options: &ImportOptions, out: &mut Harvest<'_>) -> Result<(), ImportError> {
    let known = generic_instruments::load(options)?;
    let mut table = input.table()?;
    let columns = Columns::find(&table, options)?;
    let mut clock = Clock::default();
    let mut rows = 0u64;
    let mut opened: BTreeMap<Underlying, Instant> = BTreeMap::new();
    while table.advance()? {
        rows += 1;
        let place = table.place();
        let at = table.get(columns.ts, |t| text::time(t, options.time_unit))?;
        let received = columns.receive.map(|c| table.get(c, |t| text::time(t, options.time_unit))).transpose()?;
        let entry = columns.contract(&table, &known, input)?;
        let day = received.unwrap_or(at).ist_date();
        let (source, flags) = match columns.marks {
            Some((source, flags)) => marks(&table, source, flags)?,
            None => (TickSource::Feed, TickFlags::NONE),
        };
        let listing = match entry.key {
            ContractKey::Index(index) => {
                if flags.has(TickFlags::BAR_OPEN) {
                    opened.insert(index, at);
                } else if flags.has(TickFlags::BAR_CLOSE)
                    && let Some(open) = opened.remove(&index)
                {
                    out.comes_as_bars(day, index, bar_length(at.age_of(open)));
                }
                let rank = if source == TickSource::Derived { SpotRank::Derived } else { SpotRank::Primary };
                out.list_index(day, index, rank, &place)?
            }
            _ => out.list(day, entry.key, entry.terms, &place)?,
        };
        let received = received.unwrap_or_else(|| clock.receive(listing, at));
        let mut tick = Tick::last_price(InstrumentId(0), at, received, 0, source);
        tick.flags = flags;
        let count = |column: Option<usize>| -> Result<i64, ImportError> {
            Ok(column.map(|c| table.get(c, text::optional_count)).transpose()?.flatten().unwrap_or(ABSENT))
        };
        (tick.ltq, tick.volume, tick.oi) = (count(columns.ltq)?, count(columns.volume)?, count(columns.oi)?);
        for (n, [bid, bid_qty, ask, ask_qty]) in columns.book.into_iter().enumerate() {
            tick.bids[n] = level(&table, options, bid, bid_qty)?;
            tick.asks[n] = level(&table, options, ask, ask_qty)?;
        }
        let quoted = tick.bids.iter().chain(&tick.asks).any(|l| !l.is_empty());
        if let Some(column) = columns.ltp {
            // A row may be a quote without a trade; an empty last price is then no fault, a zero always is.
            let blank = table.text(column).is_empty();
            tick.ltp_paise =
                if blank && quoted { 0 } else { table.get(column, |t| text::price(t, options.price_unit))? };
        }
        if tick.ltp_paise == 0 && !quoted {
            out.tally(day, "rows without price or book left out");
            continue;
        }
        out.push(listing, tick, &place)?;
    }
    if rows == 0 { Err(ImportError::Empty { file: input.shown() }) } else { Ok(()) }
}

/// A book level; without a quantity column a price stands for one unit, which says "somebody quotes here".
fn level(
    table: &Table<'_>,
    options: &ImportOptions,
    price: Option<usize>,
    qty: Option<usize>,
) -> Result<BookLevel, ImportError> {
    let Some(price) = price.filter(|c| !table.text(*c).is_empty()) else { return Ok(BookLevel::default()) };
    let paise = table.get(price, |t| text::price_or_zero(t, options.price_unit))?;
    let units = qty.map_or(Ok(Some(1)), |c| table.get(c, text::optional_count))?.unwrap_or(0);
    if paise == 0 || units == 0 {
        return Ok(BookLevel::default());
    }
    Ok(BookLevel {
        price: i32::try_from(paise).map_err(|_| table.refuse(price, Fault::TooLarge))?,
        qty: u32::try_from(units).map_err(|_| table.refuse(qty.unwrap_or(price), Fault::TooLarge))?,
    })
}
