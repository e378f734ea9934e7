//! A generated instrument list with reference levels, so that a plan can be looked at without an account or a network, and
//! the bench has a list of full size. Indices and commodities carry their names, shares are made up; ids, expiries, lots
//! and levels say nothing about a real day. Equal seeds give equal lists.

use std::fmt::Write as _;

use chrono::{Datelike as _, Days, NaiveDate, Weekday};
use rand_chacha::ChaCha8Rng;
use rand_chacha::rand_core::{Rng as _, SeedableRng as _};

/// The day of the list: a Tuesday, so that NIFTY expires on it.
pub const DAY: NaiveDate = NaiveDate::from_ymd_opt(2026, 2, 10).expect("a date");

/// How large a list is made.
#[derive(Debug, Clone, Copy)]
pub struct Size {
    /// Stocks with options.
    pub stocks: usize,
    /// Strikes of each expiry of a stock.
    pub stock_strikes: i64,
    /// Shares of series EQ, those of the stocks among them.
    pub equities: usize,
}

impl Size {
    /// What is bundled.
    pub const SAMPLE: Size = Size { stocks: 20, stock_strikes: 27, equities: 400 };
    /// About as many rows as a real list has.
    pub const FULL: Size = Size { stocks: 210, stock_strikes: 209, equities: 14_000 };
}

/// One index: symbol, exchange, id, level and step in points, strikes on each side, lot, weekday and weeklies.
struct IndexSpec(&'static str, &'static str, u32, i64, i64, i64, u32, Weekday, usize);

const INDICES: [IndexSpec; 6] = [
    IndexSpec("NIFTY", "NSE", 13, 25_900, 50, 100, 65, Weekday::Tue, 7),
    IndexSpec("BANKNIFTY", "NSE", 25, 60_500, 100, 90, 30, Weekday::Tue, 0),
    IndexSpec("SENSEX", "BSE", 51, 84_000, 100, 100, 20, Weekday::Thu, 7),
    IndexSpec("FINNIFTY", "NSE", 27, 27_800, 50, 60, 60, Weekday::Tue, 0),
    IndexSpec("MIDCPNIFTY", "NSE", 442, 13_500, 25, 60, 120, Weekday::Tue, 0),
    IndexSpec("BANKEX", "BSE", 69, 67_800, 100, 60, 30, Weekday::Thu, 0),
];

/// Commodity: symbol, level and step in rupees, whether it has options.
const COMMODITIES: [(&str, i64, i64, bool); 9] = [
    ("CRUDEOIL", 5_800, 50, true),
    ("NATURALGAS", 290, 5, true),
    ("GOLD", 155_000, 1_000, true),
    ("GOLDM", 155_000, 1_000, true),
    ("SILVER", 250_000, 1_000, true),
    ("SILVERM", 250_000, 1_000, true),
    ("COPPER", 1_180, 5, true),
    ("ZINC", 320, 5, true),
    ("ALUMINIUM", 310, 5, false),
];

/// One row before it is written in a layout.
struct Row {
    exchange: &'static str,
    segment: char,
    id: u32,
    kind: &'static str,
    underlying: String,
    symbol: String,
    display: String,
    lot: u32,
    expiry: Option<NaiveDate>,
    strike: Option<i64>,
    right: &'static str,
    /// As the column has it: paise, or rupees of an index.
    tick: &'static str,
    series: &'static str,
}

/// A generated list.
pub struct Sample {
    rows: Vec<Row>,
    levels: Vec<(String, i64)>,
}

/// Last weekday of its kind in a month.
fn last_of(year: i32, month: u32, weekday: Weekday) -> NaiveDate {
    let (year, month) = if month > 12 { (year + 1, month - 12) } else { (year, month) };
    let next =
        if month == 12 { NaiveDate::from_ymd_opt(year + 1, 1, 1) } else { NaiveDate::from_ymd_opt(year, month + 1, 1) };
    let end = next.expect("a month follows") - Days::new(1);
    end - Days::new(u64::from((7 + end.weekday().num_days_from_monday() - weekday.num_days_from_monday()) % 7))
}

/// So many weeklies and the last ones of three months, ascending, from [`DAY`] on.
fn expiries(weekday: Weekday, weeklies: usize) -> Vec<NaiveDate> {
    let ahead = (7 + weekday.num_days_from_monday() - DAY.weekday().num_days_from_monday()) % 7;
    let first = DAY + Days::new(u64::from(ahead));
    let mut all: Vec<NaiveDate> = (0..weeklies as u64).map(|week| first + Days::new(7 * week)).collect();
    all.extend((0..3).map(|months| last_of(DAY.year(), DAY.month() + months, weekday)));
    all.sort_unstable();
    all.dedup();
    all
}

impl Sample {
    /// Makes a list.
    pub fn new(seed: u64, size: Size) -> Sample {
        let mut made = Sample { rows: Vec::new(), levels: Vec::new() };
        let mut random = ChaCha8Rng::seed_from_u64(seed);
        made.indices();
        made.stocks(&mut random, size);
        made.commodities();
        made
    }

    /// Reference levels by symbol, in paise: what the strikes of the list stand around.
    pub fn levels(&self) -> &[(String, i64)] {
        &self.levels
    }

    /// Rows.
    pub fn len(&self) -> usize {
        self.rows.len()
    }

    /// Whether there are none.
    pub fn is_empty(&self) -> bool {
        self.rows.is_empty()
    }

    fn indices(&mut self) {
        let mut id = 35_000;
        for IndexSpec(symbol, exchange, index_id, level, step, each, lot, weekday, weeklies) in INDICES {
            self.levels.push((symbol.to_owned(), level * 100));
            self.spot(exchange, 'I', index_id, "INDEX", symbol, symbol, "0.0500", "X");
            let listed = expiries(weekday, weeklies);
            let monthly: Vec<NaiveDate> = (0..3).map(|m| last_of(DAY.year(), DAY.month() + m, weekday)).collect();
            for expiry in monthly {
                self.future((exchange, 'D', "FUTIDX"), &mut id, symbol, lot, expiry);
            }
            for expiry in listed {
                let strikes = (-each..=each).map(|i| (level + i * step) * 100);
                self.chain((exchange, 'D', "OPTIDX"), &mut id, symbol, lot, expiry, strikes);
            }
        }
        self.spot("NSE", 'I', 21, "INDEX", "INDIA VIX", "India VIX", "0.0500", "X");
    }

    fn stocks(&mut self, random: &mut ChaCha8Rng, size: Size) {
        let mut id = 100_000;
        for place in 0..size.equities {
            let symbol = format!("SAMPLE{:04}", place + 1);
            let display = format!("Sample Company {}", place + 1);
            let share = u32::try_from(place).expect("few shares") + 1_000;
            // The id of a share is also that of something else in another segment, as in real lists.
            self.spot("NSE", 'E', share, "EQUITY", &symbol, &display, "5.0000", "EQ");
            if place >= size.stocks {
                continue;
            }
            let step = [1, 2, 5, 10, 20, 50][(random.next_u32() % 6) as usize];
            let level = step * i64::from(size.stock_strikes as u32 + random.next_u32() % 100);
            self.levels.push((symbol.clone(), level * 100 + i64::from(random.next_u32() % 20) * 5));
            let lot = 25 * (1 + random.next_u32() % 80);
            for months in 0..3 {
                let expiry = last_of(DAY.year(), DAY.month() + months, Weekday::Tue);
                self.future(("NSE", 'D', "FUTSTK"), &mut id, &symbol, lot, expiry);
                let each = size.stock_strikes / 2;
                let strikes = (-each..=each).map(|i| (level + i * step) * 100).filter(|paise| *paise > 0);
                self.chain(("NSE", 'D', "OPTSTK"), &mut id, &symbol, lot, expiry, strikes);
            }
        }
    }

    fn commodities(&mut self) {
        let mut id = 450_000;
        for (symbol, level, step, options) in COMMODITIES {
            self.levels.push((symbol.to_owned(), level * 100));
            for months in 0..3 {
                let month_end = last_of(DAY.year(), DAY.month() + months, Weekday::Fri);
                self.future(("MCX", 'M', "FUTCOM"), &mut id, symbol, 1, month_end);
                if options {
                    // Options end days before the future they are written on.
                    let strikes = (-20..=20).map(|i| (level + i * step) * 100);
                    self.chain(("MCX", 'M', "OPTFUT"), &mut id, symbol, 1, month_end - Days::new(3), strikes);
                }
            }
        }
    }

    #[allow(clippy::too_many_arguments, reason = "a row is wide")]
    fn spot(
        &mut self,
        exchange: &'static str,
        segment: char,
        id: u32,
        kind: &'static str,
        symbol: &str,
        display: &str,
        tick: &'static str,
        series: &'static str,
    ) {
        let (underlying, symbol, display) = (symbol.to_owned(), symbol.to_owned(), display.to_owned());
        let (lot, expiry, strike, right) = (1, None, None, "XX");
        self.rows.push(Row {
            exchange,
            segment,
            id,
            kind,
            underlying,
            symbol,
            display,
            lot,
            expiry,
            strike,
            right,
            tick,
            series,
        });
    }

    fn future(&mut self, at: (&'static str, char, &'static str), id: &mut u32, of: &str, lot: u32, expiry: NaiveDate) {
        *id += 1;
        let symbol = format!("{of}-{}-FUT", month(at.0, expiry));
        let display = format!("{of} {} FUT", expiry.format("%b")).to_uppercase();
        self.derivative(at, *id, of, (symbol, display), lot, expiry, None, "XX");
    }

    fn chain(
        &mut self,
        at: (&'static str, char, &'static str),
        id: &mut u32,
        of: &str,
        lot: u32,
        expiry: NaiveDate,
        strikes: impl Iterator<Item = i64>,
    ) {
        let (month, day) = (month(at.0, expiry), expiry.format("%d %b").to_string().to_uppercase());
        for paise in strikes {
            for (right, word) in [("CE", "CALL"), ("PE", "PUT")] {
                *id += 1;
                let symbol = format!("{of}-{month}-{}-{right}", paise / 100);
                let display = format!("{of} {day} {} {word}", paise / 100);
                self.derivative(at, *id, of, (symbol, display), lot, expiry, Some(paise), right);
            }
        }
    }

    #[allow(clippy::too_many_arguments, reason = "a row is wide")]
    fn derivative(
        &mut self,
        (exchange, segment, kind): (&'static str, char, &'static str),
        id: u32,
        of: &str,
        (symbol, display): (String, String),
        lot: u32,
        expiry: NaiveDate,
        strike: Option<i64>,
        right: &'static str,
    ) {
        let (underlying, tick, series) = (of.to_owned(), "5.0000", "");
        let expiry = Some(expiry);
        self.rows.push(Row {
            exchange,
            segment,
            id,
            kind,
            underlying,
            symbol,
            display,
            lot,
            expiry,
            strike,
            right,
            tick,
            series,
        });
    }

    /// The list in the compact layout.
    pub fn compact(&self) -> String {
        let mut out = String::with_capacity(130 * self.rows.len());
        out.push_str(
            "SEM_EXM_EXCH_ID,SEM_SEGMENT,SEM_SMST_SECURITY_ID,SEM_INSTRUMENT_NAME,SEM_EXPIRY_CODE,SEM_TRADING_SYMBOL,\
             SEM_LOT_UNITS,SEM_CUSTOM_SYMBOL,SEM_EXPIRY_DATE,SEM_STRIKE_PRICE,SEM_OPTION_TYPE,SEM_TICK_SIZE,\
             SEM_EXPIRY_FLAG,SEM_EXCH_INSTRUMENT_TYPE,SEM_SERIES,SM_SYMBOL_NAME\n",
        );
        for row in &self.rows {
            let Row { exchange, segment, id, kind, symbol, display, lot, right, tick, series, underlying, .. } = row;
            let (expiry, strike) = (row.expiry_text(" 14:30:00"), row.strike_text());
            let name = if row.expiry.is_none() { underlying.as_str() } else { "" };
            writeln!(
                out,
                "{exchange},{segment},{id},{kind},0,{symbol},{lot}.0,{display},{expiry},{strike},{right},{tick},M,{kind},\
                 {series},{name}"
            )
            .expect("text grows");
        }
        out
    }

    /// The list in the detailed layout, filled up to forty columns as older files are.
    pub fn detailed(&self) -> String {
        let mut out = String::with_capacity(240 * self.rows.len());
        out.push_str(
            "EXCH_ID,SEGMENT,SECURITY_ID,ISIN,INSTRUMENT,UNDERLYING_SECURITY_ID,UNDERLYING_SYMBOL,SYMBOL_NAME,\
             DISPLAY_NAME,INSTRUMENT_TYPE,SERIES,LOT_SIZE,SM_EXPIRY_DATE,STRIKE_PRICE,OPTION_TYPE,TICK_SIZE,EXPIRY_FLAG,\
             BRACKET_FLAG,COVER_FLAG,ASM_GSM_FLAG,ASM_GSM_CATEGORY,BUY_SELL_INDICATOR,BUY_CO_MIN_MARGIN_PER,\
             SELL_CO_MIN_MARGIN_PER,BUY_CO_SL_RANGE_MAX_PERC,SELL_CO_SL_RANGE_MAX_PERC,BUY_CO_SL_RANGE_MIN_PERC,\
             SELL_CO_SL_RANGE_MIN_PERC,BUY_BO_MIN_MARGIN_PER,SELL_BO_MIN_MARGIN_PER,BUY_BO_SL_RANGE_MAX_PERC,\
             SELL_BO_SL_RANGE_MAX_PERC,BUY_BO_SL_RANGE_MIN_PERC,SELL_BO_SL_MIN_RANGE,BUY_BO_PROFIT_RANGE_MAX_PERC,\
             SELL_BO_PROFIT_RANGE_MAX_PERC,BUY_BO_PROFIT_RANGE_MIN_PERC,SELL_BO_PROFIT_RANGE_MIN_PERC,MTF_LEVERAGE,\
             SM_FREEZE_QTY\n",
        );
        for row in &self.rows {
            let Row { exchange, segment, id, kind, symbol, display, lot, right, tick, series, underlying, .. } = row;
            let (expiry, strike) = (row.expiry_text(""), row.strike_text());
            writeln!(
                out,
                "{exchange},{segment},{id},NA,{kind},26000,{underlying},{symbol},{display},{kind},{series},{lot}.0,{expiry},\
                 {strike},{right},{tick},M,N,N,N,NA,A,0,0,0,0,0,0,0,0,0,0,0,0,0,0,0,0,0,0"
            )
            .expect("text grows");
        }
        out
    }
}

impl Row {
    fn expiry_text(&self, time: &str) -> String {
        self.expiry.map_or("0001-01-01".to_owned(), |day| format!("{day}{time}"))
    }

    fn strike_text(&self) -> String {
        match self.strike {
            Some(paise) => format!("{}.{:02}000", paise / 100, paise % 100),
            None if self.expiry.is_some() => "-0.01000".to_owned(),
            None => String::new(),
        }
    }
}

/// As the exchange writes a contract's month: with its day at MCX.
fn month(exchange: &str, expiry: NaiveDate) -> String {
    if exchange == "MCX" { expiry.format("%d%b%Y").to_string() } else { expiry.format("%b%Y").to_string() }
}

#[cfg(test)]
mod tests {
    use super::*;
    use crate::market::master::Master;

    #[test]
    fn a_sample_is_read_without_a_complaint_in_both_layouts_and_stays_small() {
        let sample = Sample::new(7, Size::SAMPLE);
        let text = sample.compact();
        assert!(text.len() < 2 * 1024 * 1024 && text == Sample::new(7, Size::SAMPLE).compact());
        let masters = [text, sample.detailed()].map(|text| Master::read(text.as_bytes(), DAY).unwrap());
        for master in &masters {
            let report = master.report();
            assert_eq!((report.broken, report.ambiguous, report.kept), (0, 0, sample.len()), "{:?}", report.complaints);
        }
        assert!(masters[0].iter().map(|l| l.name()).eq(masters[1].iter().map(|l| l.name())));
        let header = sample.detailed().lines().next().unwrap().split(',').count();
        assert_eq!(header, 40);
    }

    #[test]
    fn a_full_sized_list_has_about_as_many_rows_as_a_real_one() {
        let rows = Sample::new(7, Size::FULL).len();
        assert!((285_000..300_000).contains(&rows), "{rows}");
    }
}
