//! The dated tables: trading sessions, contract terms, charges. Shipped inside the program, replaceable by a folder,
//! correctable by an override file. A date outside a table is an error (design decision 9).

mod raw;

use std::collections::BTreeMap;
use std::path::{Path, PathBuf};

use chrono::NaiveDate;
use rust_decimal::Decimal;
use rust_decimal::prelude::ToPrimitive;
use scalper_decide::domain::calendar::{HoursRegime, SpecialDay, Window};
use scalper_decide::domain::charges::{ChargeTable, Rate};
use scalper_decide::domain::contracts::{Dated, UnderlyingTerms};
use scalper_decide::domain::{
    ChargeBook, ContractBook, Cutoffs, LotSize, Money, Premium, Qty, SessionCalendar, Strike,
};

use super::de;
use super::error::{ConfigError, Problem};
use super::merge::{Lists, merge};
use super::node::{Entry, Location, Node, Source, SourceKind, Value, parse};
use raw::{Exact, From_, RawBook, RawCalendar, RawCharges, RawTerms};

/// Environment variable that names the override file; wins over `tables.override_file`.
pub const OVERRIDE_VAR: &str = "SCALPER_TABLES_OVERRIDE";

pub(super) const SHIPPED: [(&str, &str, &str); 3] = [
    ("calendar", "calendar.yml", include_str!("../../../config/calendar.yml")),
    ("contracts", "contracts.yml", include_str!("../../../config/contracts.yml")),
    ("charges", "charges.yml", include_str!("../../../config/charges.yml")),
];

/// The three dated tables, proved.
#[derive(Debug, Clone)]
pub struct Tables {
    /// Trading days and sessions.
    pub calendar: SessionCalendar,
    /// Lots, freeze quantities, ticks, strike steps.
    pub contracts: ContractBook,
    /// Charges by exchange and head.
    pub charges: ChargeBook,
    /// Regular session hours with the date each set begins.
    pub hours: Vec<HoursRegime>,
    /// BLAKE3 over every entry, comments and layout left out.
    pub hash: String,
    /// The override file that was laid over, if any.
    pub override_file: Option<PathBuf>,
}

/// The shipped tables with `override_file` laid over.
///
/// # Errors
/// What is wrong in a table or in the override file, with its place.
pub fn load(override_file: Option<&Path>) -> Result<Tables, ConfigError> {
    load_from(None, override_file)
}

/// The tables of `folder` (`calendar.yml`, `contracts.yml`, `charges.yml`; all three must exist), or the shipped
/// ones, with `override_file` laid over.
///
/// # Errors
/// What is wrong in a table or in the override file, with its place.
pub fn load_from(folder: Option<&Path>, override_file: Option<&Path>) -> Result<Tables, ConfigError> {
    let mut sections = Vec::new();
    for (section, file, text) in SHIPPED {
        let source = match folder {
            None => Source::new(SourceKind::BuiltIn, format!("config/{file} (shipped)"), text),
            Some(folder) => read_file(&folder.join(file))?,
        };
        let node = parse(&source)?;
        let key_at = node.at.clone();
        sections.push(Entry { key: section.to_owned(), key_at, node });
    }
    let at = sections[0].node.at.clone();
    let mut tree = Node { value: Value::Map(sections), at };
    if let Some(path) = override_file {
        let over = parse(&read_file(path)?)?;
        if over.map().is_none() {
            let problem = Problem::at("", "an override file has the sections calendar, contracts, charges", &over.at);
            return Err(problem.into());
        }
        tree = merge(tree, over, Lists::ByDate);
    }
    build(&tree, override_file)
}

fn read_file(path: &Path) -> Result<Source, ConfigError> {
    let name = path.display().to_string();
    match std::fs::read_to_string(path) {
        Ok(text) => Ok(Source::new(SourceKind::File, name, text)),
        Err(e) => Err(Problem::general(format!("cannot read the table {name}: {e}")).into()),
    }
}

fn build(tree: &Node, override_file: Option<&Path>) -> Result<Tables, ConfigError> {
    let raw: RawBook = de::read(tree)?;
    let mut b = Builder { tree, problems: Vec::new() };
    let (calendar, hours) = b.calendar(&raw.calendar);
    let contracts = raw.contracts.iter().map(|(u, t)| (*u, b.terms(&format!("contracts.{u}"), t))).collect();
    let charges = raw.charges.iter().map(|(x, c)| (*x, b.charges(&format!("charges.{x}"), c))).collect();
    match (calendar, b.problems.is_empty()) {
        (Some(calendar), true) => Ok(Tables {
            calendar,
            contracts: ContractBook { terms: contracts },
            charges: ChargeBook { tables: charges },
            hours,
            hash: super::hash_of(tree.leaves().iter().map(|(k, n)| (k.as_str(), n.canonical()))),
            override_file: override_file.map(Path::to_owned),
        }),
        _ => Err(ConfigError { problems: b.problems }),
    }
}

struct Builder<'a> {
    tree: &'a Node,
    problems: Vec<Problem>,
}

impl Builder<'_> {
    fn place(&self, path: &str) -> Location {
        // The nearest written ancestor stands in for a place that does not exist.
        let mut path = path;
        loop {
            if let Some(node) = self.tree.path(path) {
                return node.at.clone();
            }
            match path.rfind(['.', '[']) {
                Some(cut) => path = &path[..cut],
                None => return self.tree.at.clone(),
            }
        }
    }

    fn note(&mut self, path: &str, message: String) {
        let at = self.place(path);
        self.problems.push(Problem::at(path, message, &at));
    }

    fn calendar(&mut self, raw: &RawCalendar) -> (Option<SessionCalendar>, Vec<HoursRegime>) {
        let hours: Vec<HoursRegime> = raw
            .hours
            .iter()
            .map(|h| HoursRegime {
                from: h.from.0,
                window: Window { open: h.open.0, close: h.close.0 },
                index_continuous_close: h.index_continuous_close.0,
                cutoffs: Cutoffs {
                    no_new_entry: h.cutoffs.no_new_entry.0,
                    expiry_force_exit: h.cutoffs.expiry_force_exit.0,
                    square_off_start: h.cutoffs.square_off_start.0,
                    square_off_deadline: h.cutoffs.square_off_deadline.0,
                    broker_square_off: h.cutoffs.broker_square_off.0,
                },
            })
            .collect();
        let mut special = BTreeMap::new();
        for (date, name) in &raw.holidays {
            if let Some(name) = &name.0 {
                self.covered("holidays", date.0, raw);
                special.insert(date.0, SpecialDay::Holiday(name.clone()));
            }
        }
        for (date, session) in &raw.special_sessions {
            let Some(session) = &session.0 else { continue };
            self.covered("special_sessions", date.0, raw);
            let windows = session.windows.iter().map(|w| Window { open: w.open.0, close: w.close.0 }).collect();
            if special.insert(date.0, SpecialDay::Session { name: session.name.clone(), windows }).is_some() {
                let message = "this date is also a holiday; write `none` there or remove one of the two".to_owned();
                self.note(&format!("calendar.special_sessions.{}", date.0), message);
            }
        }
        match SessionCalendar::new(raw.coverage.from.0, raw.coverage.to.0, hours.clone(), special) {
            Ok(calendar) => (Some(calendar), hours),
            Err(why) => {
                // The core names the date; it is also the key the caret belongs under.
                let named = why.split([' ', ':']).find_map(|w| w.parse::<NaiveDate>().ok());
                let path =
                    named.map_or("calendar".to_owned(), |date| match raw.hours.iter().position(|h| h.from.0 == date) {
                        Some(i) => format!("calendar.hours[{i}]"),
                        None => format!("calendar.special_sessions.{date}"),
                    });
                self.note(&path, why);
                (None, hours)
            }
        }
    }

    fn covered(&mut self, list: &str, date: NaiveDate, raw: &RawCalendar) {
        let (from, to) = (raw.coverage.from.0, raw.coverage.to.0);
        if date < from || date > to {
            let message = format!("{date} lies outside the coverage {from} to {to}; extend calendar.coverage");
            self.note(&format!("calendar.{list}.{date}"), message);
        }
    }

    fn dated<E: From_, T>(
        &mut self,
        path: &str,
        entries: &[E],
        convert: impl Fn(E::Value) -> Result<T, String>,
    ) -> Vec<Dated<T>> {
        let mut out: Vec<Dated<T>> = Vec::new();
        for (i, entry) in entries.iter().enumerate() {
            let here = format!("{path}[{i}]");
            let (from, to) = (entry.from().0, entry.to().map(|d| d.0));
            if let Some(to) = to.filter(|to| *to < from) {
                self.note(&format!("{here}.to"), format!("{to} comes before {from}"));
            }
            if let Some(last) = out.last().filter(|last| from <= last.from) {
                let message = format!("entries must ascend by date, {from} follows {}", last.from);
                self.note(&format!("{here}.from"), message);
            }
            match convert(entry.value()) {
                Ok(value) => out.push(Dated { from, to, value }),
                Err(message) => self.note(&format!("{here}.{}", E::FIELD), message),
            }
        }
        out
    }

    fn terms(&mut self, path: &str, raw: &RawTerms) -> UnderlyingTerms {
        let positive = |n: i64| if n > 0 { Ok(n) } else { Err(format!("must be at least 1, found {n}")) };
        let lot = |n: i64| LotSize::new(n).ok_or_else(|| format!("a lot holds at least 1 unit, found {n}"));
        let mut lot_exceptions = BTreeMap::new();
        for (expiry, units) in &raw.lot_exceptions {
            match units.0.map(|n| lot(n.0)) {
                None => {}
                Some(Ok(size)) => {
                    lot_exceptions.insert(expiry.0, size);
                }
                Some(Err(message)) => self.note(&format!("{path}.lot_exceptions.{}", expiry.0), message),
            }
        }
        UnderlyingTerms {
            lots: self.dated(&format!("{path}.lots"), &raw.lots, |n| lot(n.0)),
            lot_exceptions,
            freeze: self.dated(&format!("{path}.freeze_units"), &raw.freeze_units, |n| positive(n.0).map(Qty::new)),
            tick: self.dated(&format!("{path}.tick_rupees"), &raw.tick_rupees, |d| match paise(d)? {
                tick if tick > 0 => Ok(Premium::from_paise(tick)),
                tick => Err(format!("a tick must be positive, found {tick} paise")),
            }),
            strike_step: self.dated(&format!("{path}.strike_step_points"), &raw.strike_step_points, |n| {
                positive(n.0).map(Strike::from_points)
            }),
        }
    }

    fn charges(&mut self, path: &str, raw: &RawCharges) -> ChargeTable {
        let key = |head: &str| format!("{path}.{head}");
        ChargeTable {
            brokerage_per_order: self.dated(&key("brokerage_rupees_per_order"), &raw.brokerage_rupees_per_order, |d| {
                match paise(d)? {
                    fee if fee >= 0 => Ok(Money::from_paise(fee)),
                    _ => Err(format!("a fee cannot be negative, found {}", d.0)),
                }
            }),
            stt_option_sale: self.dated(&key("stt_option_sale_pct"), &raw.stt_option_sale_pct, rate),
            stt_exercise: self.dated(&key("stt_exercise_pct"), &raw.stt_exercise_pct, rate),
            exchange: self.dated(&key("exchange_pct"), &raw.exchange_pct, rate),
            sebi: self.dated(&key("sebi_pct"), &raw.sebi_pct, rate),
            ipft: self.dated(&key("ipft_pct"), &raw.ipft_pct, rate),
            stamp_buy: self.dated(&key("stamp_buy_pct"), &raw.stamp_buy_pct, rate),
            gst: self.dated(&key("gst_pct"), &raw.gst_pct, rate),
        }
    }
}

fn paise(rupees: Exact) -> Result<i64, String> {
    let scaled = (rupees.0 * Decimal::ONE_HUNDRED).normalize();
    let whole = scaled.is_integer().then(|| scaled.to_i64()).flatten();
    whole.ok_or_else(|| format!("{} rupees are not a whole number of paise", rupees.0))
}

/// Percent to parts per billion, exactly: 0.03503 % is 350,300.
fn rate(pct: Exact) -> Result<Rate, String> {
    if pct.0 < Decimal::ZERO || pct.0 > Decimal::ONE_HUNDRED {
        return Err(format!("a rate must be between 0 and 100 percent, found {}", pct.0));
    }
    let scaled = (pct.0 * Decimal::from(10_000_000)).normalize();
    let ppb = scaled.is_integer().then(|| scaled.to_i64()).flatten();
    ppb.map(Rate::from_ppb).ok_or_else(|| format!("{} percent has more than seven decimals", pct.0))
}

impl Tables {
    /// What ends on or before `day + days`: the calendar and every last entry with an end. For warnings before a
    /// table runs out (design decision 9).
    pub fn ending_within(&self, day: NaiveDate, days: u64) -> Vec<String> {
        let horizon = day.checked_add_days(chrono::Days::new(days)).unwrap_or(NaiveDate::MAX);
        let mut out = Vec::new();
        let mut note = |what: String, to: Option<NaiveDate>| {
            if let Some(to) = to.filter(|to| *to <= horizon) {
                out.push(format!("{what} ends {to}"));
            }
        };
        note("calendar".to_owned(), Some(self.calendar.coverage().1));
        fn end<T>(list: &[Dated<T>]) -> Option<NaiveDate> {
            list.last().and_then(|e| e.to)
        }
        for (u, t) in &self.contracts.terms {
            note(format!("lots of {u}"), end(&t.lots));
            note(format!("freeze quantities of {u}"), end(&t.freeze));
            note(format!("ticks of {u}"), end(&t.tick));
            note(format!("strike steps of {u}"), end(&t.strike_step));
        }
        for (x, c) in &self.charges.tables {
            note(format!("brokerage at {x}"), end(&c.brokerage_per_order));
            let heads = [
                ("STT on sales", &c.stt_option_sale),
                ("STT on exercise", &c.stt_exercise),
                ("exchange charge", &c.exchange),
                ("SEBI fee", &c.sebi),
                ("IPFT", &c.ipft),
                ("stamp duty", &c.stamp_buy),
                ("GST", &c.gst),
            ];
            for (name, list) in heads {
                note(format!("{name} at {x}"), end(list));
            }
        }
        out
    }
}

#[cfg(test)]
mod charges_tests;
#[cfg(test)]
mod tests;
