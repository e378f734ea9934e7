//! The broker's instrument lists, row by row: the compact and the detailed layout, columns by header name, in any order
//! (dhan-v2.md 10.4). This is the one place that knows what a column is called and what its text means.

use std::io::Read;

use chrono::{Datelike as _, NaiveDate};
use scalper_decide::domain::{Right, Segment, Strike};
use serde::{Deserialize, Serialize};

/// Why a list cannot be read at all.
#[derive(Debug, thiserror::Error)]
pub enum ListError {
    /// Not a CSV, or the connection broke.
    #[error("the instrument list cannot be read: {0}")]
    Csv(#[from] csv::Error),
    /// A column is gone.
    #[error("the instrument list has no column {0}")]
    NoColumn(&'static str),
}

/// Where an instrument is listed.
#[derive(Debug, Clone, Copy, PartialEq, Eq, PartialOrd, Ord, Hash, Serialize, Deserialize)]
#[serde(rename_all = "UPPERCASE")]
pub enum Venue {
    /// National Stock Exchange.
    Nse,
    /// Bombay Stock Exchange.
    Bse,
    /// Multi Commodity Exchange.
    Mcx,
}

impl Venue {
    /// As the list writes it.
    pub const fn name(self) -> &'static str {
        match self {
            Venue::Nse => "NSE",
            Venue::Bse => "BSE",
            Venue::Mcx => "MCX",
        }
    }

    fn of(text: &[u8]) -> Option<Venue> {
        [Venue::Nse, Venue::Bse, Venue::Mcx].into_iter().find(|venue| venue.name().as_bytes() == text)
    }
}

impl std::fmt::Display for Venue {
    fn fmt(&self, f: &mut std::fmt::Formatter<'_>) -> std::fmt::Result {
        f.pad(self.name())
    }
}

/// What an instrument is. A segment does not tell: both futures and options trade in `NSE_FNO`.
#[derive(Debug, Clone, Copy, PartialEq, Eq, PartialOrd, Ord, Hash, Serialize, Deserialize)]
#[serde(rename_all = "UPPERCASE")]
pub enum Kind {
    /// Value of an index.
    Index,
    /// A share, a fund, a bond.
    Equity,
    /// Future on an index.
    FutIdx,
    /// Option on an index.
    OptIdx,
    /// Future on a share.
    FutStk,
    /// Option on a share.
    OptStk,
    /// Future on a currency pair.
    FutCur,
    /// Option on a currency pair.
    OptCur,
    /// Future on a commodity.
    FutCom,
    /// Option on a commodity's future.
    OptFut,
}

impl Kind {
    const ALL: [(Kind, &'static str); 10] = [
        (Kind::OptIdx, "OPTIDX"),
        (Kind::OptStk, "OPTSTK"),
        (Kind::Equity, "EQUITY"),
        (Kind::OptCur, "OPTCUR"),
        (Kind::OptFut, "OPTFUT"),
        (Kind::FutIdx, "FUTIDX"),
        (Kind::FutStk, "FUTSTK"),
        (Kind::FutCur, "FUTCUR"),
        (Kind::FutCom, "FUTCOM"),
        (Kind::Index, "INDEX"),
    ];

    /// As the list writes it.
    pub const fn name(self) -> &'static str {
        match self {
            Kind::Index => "INDEX",
            Kind::Equity => "EQUITY",
            Kind::FutIdx => "FUTIDX",
            Kind::OptIdx => "OPTIDX",
            Kind::FutStk => "FUTSTK",
            Kind::OptStk => "OPTSTK",
            Kind::FutCur => "FUTCUR",
            Kind::OptCur => "OPTCUR",
            Kind::FutCom => "FUTCOM",
            Kind::OptFut => "OPTFUT",
        }
    }

    fn of(text: &[u8]) -> Option<Kind> {
        Kind::ALL.into_iter().find(|(_, name)| name.as_bytes() == text).map(|(kind, _)| kind)
    }

    /// Whether it has a strike and a right.
    pub const fn is_option(self) -> bool {
        matches!(self, Kind::OptIdx | Kind::OptStk | Kind::OptCur | Kind::OptFut)
    }

    /// Whether it expires and has no strike.
    pub const fn is_future(self) -> bool {
        matches!(self, Kind::FutIdx | Kind::FutStk | Kind::FutCur | Kind::FutCom)
    }
}

/// Fields of a row, in both layouts. `None`: this layout does not have it.
#[derive(Debug, Clone, Copy)]
struct Columns {
    exchange: usize,
    segment: usize,
    id: usize,
    instrument: usize,
    symbol: usize,
    display: usize,
    lot: usize,
    expiry: usize,
    strike: usize,
    right: usize,
    tick: usize,
    flag: usize,
    series: usize,
    name: usize,
    /// Detailed only.
    underlying: Option<usize>,
    /// Detailed only.
    freeze: Option<usize>,
    /// One more than the last of them.
    width: usize,
}

impl Columns {
    fn of(header: &csv::ByteRecord) -> Result<Columns, ListError> {
        let place = |name: &str| {
            header.iter().position(|h| h.strip_prefix(b"\xef\xbb\xbf").unwrap_or(h).trim_ascii() == name.as_bytes())
        };
        let find = |name: &'static str| place(name).ok_or(ListError::NoColumn(name));
        let mut columns = if place("EXCH_ID").is_some() {
            Columns {
                exchange: find("EXCH_ID")?,
                segment: find("SEGMENT")?,
                id: find("SECURITY_ID")?,
                instrument: find("INSTRUMENT")?,
                symbol: find("SYMBOL_NAME")?,
                display: find("DISPLAY_NAME")?,
                lot: find("LOT_SIZE")?,
                expiry: find("SM_EXPIRY_DATE")?,
                strike: find("STRIKE_PRICE")?,
                right: find("OPTION_TYPE")?,
                tick: find("TICK_SIZE")?,
                flag: find("EXPIRY_FLAG")?,
                series: find("SERIES")?,
                name: find("SYMBOL_NAME")?,
                underlying: Some(find("UNDERLYING_SYMBOL")?),
                freeze: place("SM_FREEZE_QTY"),
                width: 0,
            }
        } else {
            Columns {
                exchange: find("SEM_EXM_EXCH_ID")?,
                segment: find("SEM_SEGMENT")?,
                id: find("SEM_SMST_SECURITY_ID")?,
                instrument: find("SEM_INSTRUMENT_NAME")?,
                symbol: find("SEM_TRADING_SYMBOL")?,
                display: find("SEM_CUSTOM_SYMBOL")?,
                lot: find("SEM_LOT_UNITS")?,
                expiry: find("SEM_EXPIRY_DATE")?,
                strike: find("SEM_STRIKE_PRICE")?,
                right: find("SEM_OPTION_TYPE")?,
                tick: find("SEM_TICK_SIZE")?,
                flag: find("SEM_EXPIRY_FLAG")?,
                series: find("SEM_SERIES")?,
                name: find("SM_SYMBOL_NAME")?,
                underlying: None,
                freeze: None,
                width: 0,
            }
        };
        let Columns { exchange, segment, id, instrument, symbol, display, lot, expiry, strike, right, tick, .. } =
            columns;
        let all = [exchange, segment, id, instrument, symbol, display, lot, expiry, strike, right, tick];
        columns.width = 1 + all.into_iter().max().unwrap_or(0);
        Ok(columns)
    }
}

/// A list being read.
pub struct Rows<R> {
    csv: csv::Reader<R>,
    columns: Columns,
    record: csv::ByteRecord,
    number: usize,
    /// Fields of the row before and of the last one.
    fields: (usize, usize),
}

impl<R: Read> Rows<R> {
    /// Reads the header.
    ///
    /// # Errors
    /// No CSV, or a column that is needed is gone.
    pub fn new(list: R) -> Result<Rows<R>, ListError> {
        let mut csv = csv::ReaderBuilder::new().flexible(true).buffer_capacity(256 * 1024).from_reader(list);
        let columns = Columns::of(csv.byte_headers()?)?;
        Ok(Rows { csv, columns, record: csv::ByteRecord::new(), number: 0, fields: (0, 0) })
    }

    /// The next row.
    ///
    /// # Errors
    /// The list breaks off.
    #[allow(clippy::should_implement_trait, reason = "a row borrows from the reader")]
    pub fn next(&mut self) -> Result<Option<Row<'_>>, ListError> {
        if !self.csv.read_byte_record(&mut self.record)? {
            return Ok(None);
        }
        self.number += 1;
        self.fields = (self.fields.1, self.record.len());
        Ok(Some(Row { columns: &self.columns, record: &self.record, number: self.number }))
    }

    /// Whether the last row so far has fewer fields than the one before: at the end, a list that was cut off.
    pub const fn breaks_off(&self) -> bool {
        self.fields.1 < self.fields.0
    }

    /// Rows read so far.
    pub const fn count(&self) -> usize {
        self.number
    }
}

/// One row. Every reading is `None` where the text is not what it should be; nothing is guessed.
#[derive(Clone, Copy)]
pub struct Row<'a> {
    columns: &'a Columns,
    record: &'a csv::ByteRecord,
    /// From 1, the header left out.
    pub number: usize,
}

impl<'a> Row<'a> {
    fn field(&self, at: usize) -> &'a [u8] {
        self.record.get(at).unwrap_or_default().trim_ascii()
    }

    fn text(&self, at: usize) -> &'a str {
        std::str::from_utf8(self.field(at)).unwrap_or_default()
    }

    /// Whether the row ends before the last column that is read: a list that was cut off.
    pub fn is_cut_off(&self) -> bool {
        self.record.len() < self.columns.width
    }

    /// The exchange.
    pub fn venue(&self) -> Option<Venue> {
        Venue::of(self.field(self.columns.exchange))
    }

    /// What it is.
    pub fn kind(&self) -> Option<Kind> {
        Kind::of(self.field(self.columns.instrument))
    }

    /// Segment on the feed; `None` for what the feed does not carry (NSE's own commodities) or nobody knows.
    pub fn segment(&self) -> Option<Segment> {
        Some(match (self.field(self.columns.exchange), self.field(self.columns.segment)) {
            (b"NSE" | b"BSE", b"I") => Segment::IdxI,
            (b"NSE", b"E") => Segment::NseEq,
            (b"NSE", b"D") => Segment::NseFno,
            (b"NSE", b"C") => Segment::NseCurrency,
            (b"BSE", b"E") => Segment::BseEq,
            (b"BSE", b"D") => Segment::BseFno,
            (b"BSE", b"C") => Segment::BseCurrency,
            (b"MCX", b"M") => Segment::McxComm,
            _ => return None,
        })
    }

    /// Exchange and segment as written, for rows whose segment the feed does not have.
    pub fn place(&self) -> (&'a str, &'a str) {
        (self.text(self.columns.exchange), self.text(self.columns.segment))
    }

    /// Token inside the segment.
    pub fn security_id(&self) -> Option<u32> {
        number(self.field(self.columns.id)).and_then(|id| u32::try_from(id).ok()).filter(|id| *id > 0)
    }

    /// Trading symbol as written: `NIFTY-Feb2026-25800-CE`, `RELIANCE`. Not unique.
    pub fn symbol(&self) -> &'a str {
        let symbol = self.text(self.columns.symbol);
        match self.columns.underlying {
            // The detailed list has the company's name there, and the symbol where a derivative has its underlying.
            Some(at) if matches!(self.kind(), Some(Kind::Equity | Kind::Index)) => {
                let short = self.text(at);
                if short.is_empty() || short == "NA" { symbol } else { short }
            }
            _ => symbol,
        }
    }

    /// Name for people.
    pub fn display(&self) -> &'a str {
        self.text(self.columns.display)
    }

    /// Second symbol of an index; of derivatives it is blank or the exchange's mnemonic.
    pub fn name(&self) -> &'a str {
        self.text(self.columns.name)
    }

    /// Series: `EQ`, `BE`, `SM`.
    pub fn series(&self) -> &'a str {
        self.text(self.columns.series)
    }

    /// A row of the exchange's own tests.
    pub fn is_test(&self) -> bool {
        let has = |at: usize| self.field(at).windows(7).any(|part| part == b"NSETEST");
        has(self.columns.symbol) || self.columns.underlying.is_some_and(has)
    }

    /// Symbol of what a derivative is written on. Symbols have hyphens (`BAJAJ-AUTO`), so the compact layout's is what is
    /// left of month, strike and right.
    pub fn underlying(&self) -> Option<&'a str> {
        let kind = self.kind()?;
        let parts = match (kind.is_option(), kind.is_future()) {
            (true, _) => 3,
            (_, true) => 2,
            _ => return None,
        };
        let symbol = match self.columns.underlying.map(|at| self.text(at)).filter(|text| !text.is_empty()) {
            Some(text) => text,
            None => self.text(self.columns.symbol).rsplitn(parts + 1, '-').nth(parts)?,
        };
        (!symbol.is_empty()).then_some(symbol)
    }

    /// Last trading day. The time beside it means nothing, and the year 1 means none.
    pub fn expiry(&self) -> Option<NaiveDate> {
        date(self.field(self.columns.expiry))
    }

    /// Exercise price; `None` also for the -0.01 and 0 that futures carry.
    pub fn strike(&self) -> Option<Strike> {
        let paise = ten_thousandths(self.field(self.columns.strike)).filter(|n| n % 100 == 0)? / 100;
        (paise > 0).then(|| Strike::from_paise(paise))
    }

    /// Whether the strike is a price of more than two decimals.
    pub fn strike_is_too_fine(&self) -> bool {
        ten_thousandths(self.field(self.columns.strike)).is_some_and(|strike| strike % 100 != 0)
    }

    /// Call or put; `None` for `XX` and blank.
    pub fn right(&self) -> Option<Right> {
        Right::from_code(self.text(self.columns.right))
    }

    /// Units in a lot, written `65.0`.
    pub fn lot(&self) -> Option<u32> {
        whole(self.field(self.columns.lot)).filter(|lot| *lot > 0)
    }

    /// Smallest price step in ten-thousandths of a rupee. The column is in paise for what can be traded and in rupees for
    /// indices: 5.0000 is Rs 0.05, and so is the index row's 0.0500. Currency pairs step by a quarter of a paisa.
    pub fn tick(&self) -> Option<u32> {
        let written = ten_thousandths(self.field(self.columns.tick))?;
        let tick = if self.segment() == Some(Segment::IdxI) {
            written
        } else {
            (written % 100 == 0).then_some(written / 100)?
        };
        u32::try_from(tick).ok()
    }

    /// The exchange's freeze quantity in units; `None` where the list has none.
    pub fn freeze(&self) -> Option<u32> {
        whole(self.field(self.columns.freeze?)).filter(|units| *units > 0)
    }

    /// `W` weekly, `M` monthly, `Q`, `H`. Only a remark: the last weekly of a month says `M`, and one expiry can stand
    /// under two flags.
    pub fn flag(&self) -> Option<u8> {
        match self.field(self.columns.flag) {
            [flag] => Some(*flag),
            _ => None,
        }
    }
}

/// Digits only, at most ten.
fn number(text: &[u8]) -> Option<u64> {
    if text.is_empty() || text.len() > 10 {
        return None;
    }
    text.iter().try_fold(0, |sum, byte| byte.is_ascii_digit().then(|| sum * 10 + u64::from(byte - b'0')))
}

/// A whole number written as one or with zeros behind the point.
fn whole(text: &[u8]) -> Option<u32> {
    let scaled = ten_thousandths(text)?;
    (scaled % 10_000 == 0).then(|| u32::try_from(scaled / 10_000).ok()).flatten()
}

/// A non-negative decimal times 10,000; `None` when that is not whole.
fn ten_thousandths(text: &[u8]) -> Option<i64> {
    let (whole, fraction) = match text.iter().position(|byte| *byte == b'.') {
        Some(point) => (&text[..point], &text[point + 1..]),
        None => (text, &text[text.len()..]),
    };
    let mut value = i64::try_from(number(whole)?).ok()?;
    for at in 0..4 {
        let digit = fraction.get(at).copied().unwrap_or(b'0');
        value = value * 10 + i64::from(digit.is_ascii_digit().then(|| digit - b'0')?);
    }
    fraction.iter().skip(4).all(|byte| *byte == b'0').then_some(value)
}

/// `YYYY-MM-DD`, alone or before a time; anything else is no date. `None` for the year 1.
fn date(text: &[u8]) -> Option<NaiveDate> {
    let (head, rest) = text.split_at_checked(10)?;
    if head[4] != b'-' || head[7] != b'-' || !(rest.is_empty() || matches!(rest[0], b' ' | b'T')) {
        return None;
    }
    let part = |range: std::ops::Range<usize>| number(&head[range]).and_then(|n| u32::try_from(n).ok());
    let day = NaiveDate::from_ymd_opt(i32::try_from(part(0..4)?).ok()?, part(5..7)?, part(8..10)?)?;
    (1990..2079).contains(&day.year()).then_some(day)
}
