//! The broker's names for instruments, and the instrument master of a day as the compact CSV text of dhan-v2.md 10.4.

use std::fmt::Write as _;
use std::sync::Arc;

use chrono::{Datelike, Days, NaiveDate};
use scalper_decide::domain::{
    ContractBook, Exchange, Instrument, InstrumentId, InstrumentKind, Premium, Right, Segment, Underlying,
};

use super::{Listed, MarketError};

const HEADER: &str = "SEM_EXM_EXCH_ID,SEM_SEGMENT,SEM_SMST_SECURITY_ID,SEM_INSTRUMENT_NAME,SEM_EXPIRY_CODE,\
SEM_TRADING_SYMBOL,SEM_LOT_UNITS,SEM_CUSTOM_SYMBOL,SEM_EXPIRY_DATE,SEM_STRIKE_PRICE,SEM_OPTION_TYPE,SEM_TICK_SIZE,\
SEM_EXPIRY_FLAG,SEM_EXCH_INSTRUMENT_TYPE,SEM_SERIES,SM_SYMBOL_NAME";

/// Rows of every master that no simulated day trades: an index without options, a share whose id is also
/// BANKNIFTY's (ids are unique only inside a segment), and a row of the exchange's own tests.
const BYSTANDERS: [&str; 3] = [
    "NSE,I,21,INDEX,0,INDIA VIX,1.0,India VIX,0001-01-01,,XX,0.0500,,INDEX,X,INDIA VIX",
    "NSE,E,25,EQUITY,0,ADANIENT,1.0,Adani Enterprises,0001-01-01,,XX,10.0000,NA,ES,EQ,ADANI ENTERPRISES LTD",
    "NSE,D,990001,OPTIDX,0,011NSETEST-Dec2030-100-CE,1.0,011NSETEST 31 DEC 100 CALL,2030-12-31 14:30:00,100.00000,CE,\
5.0000,M,OP,,",
];

/// Lists instruments in their order: slots from 0, lots, ticks and the broker's names.
///
/// # Errors
/// A future's lot or tick is not in the table of contract terms.
pub(crate) fn list(
    instruments: Vec<Instrument>,
    day: NaiveDate,
    contracts: &ContractBook,
) -> Result<Vec<Arc<Listed>>, MarketError> {
    let mut listed = Vec::with_capacity(instruments.len());
    for (place, mut instrument) in instruments.into_iter().enumerate() {
        instrument.id = InstrumentId(u32::try_from(place).expect("fewer than 2^32 instruments"));
        let (lot, tick, max_qty) = match &instrument.kind {
            InstrumentKind::Index { .. } => (1, Premium::from_paise(5), 0),
            InstrumentKind::Future { underlying, expiry } => {
                (contracts.lot(*underlying, *expiry)?.get(), contracts.tick(*underlying, day)?, 0)
            }
            InstrumentKind::Option(c) => (c.lot.get(), c.tick, c.max_order_qty.get()),
        };
        let (symbol, custom_symbol) = names(&instrument);
        listed.push(Arc::new(Listed { instrument, lot, tick, max_qty, symbol, custom_symbol }));
    }
    Ok(listed)
}

/// Trading symbol and display name.
fn names(instrument: &Instrument) -> (String, String) {
    match &instrument.kind {
        InstrumentKind::Index { underlying } => (underlying.symbol().to_owned(), index_name(*underlying).to_owned()),
        InstrumentKind::Future { underlying, expiry } => (
            format!("{underlying}-{}-FUT", expiry.format("%b%Y")),
            format!("{underlying} {} FUT", expiry.format("%b")).to_uppercase(),
        ),
        InstrumentKind::Option(c) => {
            let word = if c.right == Right::Call { "CALL" } else { "PUT" };
            (
                format!("{}-{}-{}-{}", c.underlying, c.expiry.format("%b%Y"), c.strike, c.right),
                format!("{} {} {} {word}", c.underlying, c.expiry.format("%d %b"), c.strike).to_uppercase(),
            )
        }
    }
}

const fn index_name(underlying: Underlying) -> &'static str {
    match underlying {
        Underlying::Nifty => "Nifty 50",
        Underlying::BankNifty => "Nifty Bank",
        Underlying::Sensex => "Sensex",
        Underlying::FinNifty => "Nifty Fin Service",
        Underlying::MidcpNifty => "Nifty Midcap Select",
        Underlying::Bankex => "Bankex",
    }
}

/// The compact master of a day: header, one row per instrument, and a few rows nobody here trades.
pub fn compact_csv(listed: &[Arc<Listed>]) -> String {
    let mut text = String::with_capacity(120 * (listed.len() + BYSTANDERS.len() + 1));
    text.push_str(HEADER);
    for item in listed {
        text.push('\n');
        row(item, &mut text);
    }
    for bystander in BYSTANDERS {
        text.push('\n');
        text.push_str(bystander);
    }
    text.push('\n');
    text
}

fn row(item: &Listed, out: &mut String) {
    let Listed { instrument, lot, tick, symbol, custom_symbol, .. } = item;
    let exchange = match instrument.underlying().exchange() {
        Exchange::Nse => "NSE",
        Exchange::Bse => "BSE",
    };
    let id = instrument.security_id;
    let tick = tick.paise();
    // Times of day in the expiry column mean nothing; the file prints 14:30 (dhan-v2.md 10.4).
    let written = match &instrument.kind {
        InstrumentKind::Index { underlying } => write!(
            out,
            "{exchange},I,{id},INDEX,0,{symbol},1.0,{custom_symbol},0001-01-01,,XX,0.0500,,INDEX,X,{underlying}"
        ),
        InstrumentKind::Future { expiry, .. } => write!(
            out,
            "{exchange},D,{id},FUTIDX,0,{symbol},{lot}.0,{custom_symbol},{expiry} 14:30:00,-0.01,XX,{tick}.0000,M,FUT,,"
        ),
        InstrumentKind::Option(c) => write!(
            out,
            "{exchange},D,{id},OPTIDX,0,{symbol},{lot}.0,{custom_symbol},{} 14:30:00,{}.{:02}000,{},{tick}.0000,{},OP,,",
            c.expiry,
            c.strike.paise() / 100,
            c.strike.paise() % 100,
            c.right,
            if ends_its_month(c.expiry) { "M" } else { "W" },
        ),
    };
    written.expect("text grows");
    debug_assert!(instrument.segment != Segment::NseEq, "shares are bystanders");
}

/// Whether an expiry is the last of its month: the next weekly one falls into another month.
fn ends_its_month(expiry: NaiveDate) -> bool {
    (expiry + Days::new(7)).month() != expiry.month()
}
