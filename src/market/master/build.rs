//! From rows to the index: parse once, sort, cut into ranges.

use std::collections::HashMap;
use std::io::Read;

use chrono::{Days, NaiveDate};
use scalper_decide::domain::{Right, Segment};
use xxhash_rust::xxh3::xxh3_64;

use super::rows::{ListError, Row, Rows};
use super::{EPOCH, Kind, Master, NO_UNDERLYING, Report, Stored, Written};

/// Most complaints that are kept as text; all are counted.
const MAX_COMPLAINTS: usize = 20;

/// Upper 32 bits of an entry of `symbols`.
pub(super) fn symbol_hash(upper: &str) -> u64 {
    xxh3_64(upper.as_bytes()) >> 32
}

pub(super) const fn right_code(right: Option<Right>) -> u8 {
    match right {
        None => 0,
        Some(Right::Call) => 1,
        Some(Right::Put) => 2,
    }
}

/// Order inside `chained`: underlying 16 bits, future or option 1, expiry 15, strike 31, right 1.
const fn chain_order(row: &Stored) -> u64 {
    let option = row.kind.is_option() as u64;
    let strike = row.strike as u64 & 0x7fff_ffff;
    (row.underlying as u64) << 48
        | option << 47
        | (row.expiry as u64 & 0x7fff) << 32
        | strike << 1
        | (row.right == 2) as u64
}

struct Builder {
    day: NaiveDate,
    rows: Vec<Stored>,
    text: String,
    underlyings: Vec<Written>,
    known: HashMap<(Segment, Box<str>), u16, foldhash::fast::FixedState>,
    /// The underlying of the row before: lists are sorted more often than not.
    last: Option<u16>,
    series: Vec<Box<str>>,
    report: Report,
}

impl Builder {
    fn complain(&mut self, row: usize, symbol: &str, why: &str) {
        if self.report.complaints.len() < MAX_COMPLAINTS {
            self.report.complaints.push(format!("row {row}, {symbol:?}: {why}"));
        }
    }

    fn broken(&mut self, row: &Row<'_>, why: &str) {
        self.report.broken += 1;
        self.complain(row.number, row.symbol(), why);
    }

    fn underlying(&mut self, segment: Segment, symbol: &str) -> Option<u16> {
        if let Some(last) = self.last {
            let written = &self.underlyings[usize::from(last)];
            if written.segment == segment && &*written.symbol == symbol {
                return Some(last);
            }
        }
        let key = (segment, Box::from(symbol));
        let place = match self.known.get(&key) {
            Some(place) => *place,
            None => {
                let place = u16::try_from(self.underlyings.len()).ok().filter(|place| *place != NO_UNDERLYING)?;
                let symbol = key.1.clone();
                self.underlyings.push(Written { segment, symbol, futures: 0..0, options: Vec::new() });
                self.known.insert(key, place);
                place
            }
        };
        self.last = Some(place);
        Some(place)
    }

    fn series(&mut self, name: &str) -> u8 {
        let place = self.series.iter().position(|known| &**known == name).unwrap_or_else(|| {
            // More series than fit are all blank: a remark, nothing decides on it beyond the common ones.
            if self.series.len() > usize::from(u8::MAX) {
                return 0;
            }
            self.series.push(name.into());
            self.series.len() - 1
        });
        u8::try_from(place).unwrap_or(0)
    }

    fn take(&mut self, row: &Row<'_>) {
        if row.is_cut_off() {
            return self.broken(row, "the row ends too early");
        }
        if row.is_test() {
            self.report.tests += 1;
            return;
        }
        let (Some(venue), Some(segment)) = (row.venue(), row.segment()) else {
            if matches!(row.place(), ("NSE", "M")) {
                self.report.off_feed += 1;
                return;
            }
            let (exchange, segment) = row.place();
            return self.broken(row, &format!("unknown exchange and segment {exchange:?} {segment:?}"));
        };
        let Some(kind) = row.kind() else { return self.broken(row, "unknown kind of instrument") };
        let derivative = kind.is_option() || kind.is_future();
        let expiry = if derivative {
            match row.expiry() {
                None => return self.broken(row, "no expiry"),
                Some(expiry) if expiry < self.day => {
                    self.report.expired += 1;
                    return;
                }
                Some(expiry) => u16::try_from((expiry - EPOCH).num_days()).unwrap_or(0),
            }
        } else {
            0
        };
        let Some(security_id) = row.security_id() else { return self.broken(row, "no security id") };
        if kind == Kind::OptCur && row.strike_is_too_fine() {
            self.report.too_fine += 1;
            return;
        }
        let (strike, right) = if kind.is_option() {
            let strike = row.strike().and_then(|strike| i32::try_from(strike.paise()).ok());
            match (strike, row.right()) {
                (Some(strike), Some(right)) => (strike, right_code(Some(right))),
                _ => return self.broken(row, "no strike or no option type"),
            }
        } else {
            (0, 0)
        };
        let (Some(lot), Some(tick)) = (row.lot(), row.tick()) else { return self.broken(row, "no lot or no tick") };
        let mut underlying = NO_UNDERLYING;
        if derivative {
            match row.underlying().and_then(|symbol| self.underlying(segment, symbol)) {
                Some(place) => underlying = place,
                None => return self.broken(row, "no underlying"),
            }
        }
        let symbol = row.symbol();
        let display = if derivative { "" } else { row.display() };
        let (Ok(symbol_len), Ok(display_len)) = (u8::try_from(symbol.len()), u8::try_from(display.len())) else {
            return self.broken(row, "a name of more than 255 letters");
        };
        if symbol_len == 0 {
            return self.broken(row, "no symbol");
        }
        let series = if derivative { 0 } else { self.series(row.series()) };
        let symbol_at = u32::try_from(self.text.len()).expect("names of a list fit 4 GiB");
        self.text.push_str(symbol);
        self.text.push_str(display);
        let freeze = row.freeze().unwrap_or(0);
        let flag = row.flag().unwrap_or(0);
        self.rows.push(Stored {
            security_id,
            strike,
            lot,
            tick,
            freeze,
            symbol_at,
            expiry,
            underlying,
            symbol_len,
            display_len,
            segment,
            venue,
            kind,
            right,
            flag,
            series,
        });
    }

    fn symbol(&self, row: &Stored) -> &str {
        let at = row.symbol_at as usize;
        &self.text[at..at + usize::from(row.symbol_len)]
    }

    /// Leaves one of equal rows; rows that share a key and differ all go: an id that names two things names none.
    fn one_row_per_key(&mut self) {
        self.rows.sort_by_key(|row| (row.segment, row.security_id));
        let same = |a: &Stored, b: &Stored| (a.segment, a.security_id) == (b.segment, b.security_id);
        if self.rows.windows(2).all(|pair| !same(&pair[0], &pair[1])) {
            return;
        }
        let rows = std::mem::take(&mut self.rows);
        let mut doubtful = Vec::new();
        for group in rows.chunk_by(same) {
            let what =
                |row: &Stored| (row.kind, row.venue, chain_order(row), row.lot, row.tick, self.symbol(row).to_owned());
            if group.iter().all(|row| what(row) == what(&group[0])) {
                self.rows.push(group[0]);
            } else {
                doubtful.push((group.len(), self.symbol(&group[0]).to_owned()));
            }
        }
        for (count, symbol) in doubtful {
            self.report.ambiguous += count;
            self.complain(0, &symbol, "its id also names something else in its segment");
        }
    }

    /// Rows of derivatives in chain order; a contract under two ids goes altogether.
    fn one_id_per_contract(&mut self) -> Vec<(u64, u32)> {
        let mut order = self.ordered();
        let twice = |order: &[(u64, u32)]| order.windows(2).any(|pair| pair[0].0 == pair[1].0);
        if !twice(&order) {
            return order;
        }
        let mut gone = vec![false; self.rows.len()];
        for group in order.chunk_by(|a, b| a.0 == b.0).filter(|group| group.len() > 1) {
            self.report.ambiguous += group.len();
            let symbol = self.symbol(&self.rows[group[0].1 as usize]).to_owned();
            self.complain(0, &symbol, "the contract stands under several ids");
            for (_, at) in group {
                gone[*at as usize] = true;
            }
        }
        let mut at = 0;
        self.rows.retain(|_| {
            at += 1;
            !gone[at - 1]
        });
        order = self.ordered();
        debug_assert!(!twice(&order));
        order
    }

    fn ordered(&self) -> Vec<(u64, u32)> {
        let derivatives = self.rows.iter().zip(0u32..).filter(|(row, _)| row.underlying != NO_UNDERLYING);
        let mut order: Vec<(u64, u32)> = derivatives.map(|(row, at)| (chain_order(row), at)).collect();
        order.sort_unstable();
        order
    }

    fn finish(mut self) -> Master {
        self.one_row_per_key();
        let order = self.one_id_per_contract();
        for (at, group) in ranges(&order, |order| order >> 32) {
            let row = &self.rows[group[0].1 as usize];
            let written = &mut self.underlyings[usize::from(row.underlying)];
            let range = at..at + u32::try_from(group.len()).expect("fewer than 2^32 rows");
            if row.kind.is_option() {
                written.options.push((EPOCH + Days::new(u64::from(row.expiry)), range));
            } else if written.futures.is_empty() {
                written.futures = range;
            } else {
                written.futures.end = range.end;
            }
        }
        let chained = order.into_iter().map(|(_, at)| at).collect();

        let mut haystack = String::with_capacity(self.text.len() + self.rows.len());
        let mut lines = Vec::with_capacity(self.rows.len());
        let mut symbols = Vec::with_capacity(self.rows.len());
        for (row, at) in self.rows.iter().zip(0u64..) {
            let start = haystack.len();
            lines.push(u32::try_from(start).expect("names of a list fit 4 GiB"));
            let from = row.symbol_at as usize;
            let middle = from + usize::from(row.symbol_len);
            haystack.push_str(&self.text[from..middle]);
            haystack[start..].make_ascii_uppercase();
            symbols.push(symbol_hash(&haystack[start..]) << 32 | at);
            if row.display_len > 0 {
                haystack.push('\u{1f}');
                let named = haystack.len();
                haystack.push_str(&self.text[middle..middle + usize::from(row.display_len)]);
                haystack[named..].make_ascii_uppercase();
            }
            haystack.push('\n');
        }
        symbols.sort_unstable();
        self.text.shrink_to_fit();
        haystack.shrink_to_fit();
        self.rows.shrink_to_fit();
        self.report.kept = self.rows.len();
        let Builder { rows, text, underlyings, series, report, .. } = self;
        Master { rows, text, haystack, lines, chained, underlyings, symbols, series, report }
    }
}

/// Runs of entries with the same `part` of their order, with the place of the first.
fn ranges<'a>(
    order: &'a [(u64, u32)],
    part: impl Fn(u64) -> u64 + 'a,
) -> impl Iterator<Item = (u32, &'a [(u64, u32)])> {
    let mut at = 0;
    order.chunk_by(move |a, b| part(a.0) == part(b.0)).map(move |group| {
        let start = at;
        at += u32::try_from(group.len()).expect("fewer than 2^32 rows");
        (start, group)
    })
}

impl Master {
    /// Reads a list, compact or detailed, as of `day`: contracts that expired before are left out, because the broker
    /// gives their ids to others later.
    ///
    /// # Errors
    /// It is no list. What is wrong with single rows is in the [`Report`].
    pub fn read(list: impl Read, day: NaiveDate) -> Result<Master, ListError> {
        let mut rows = Rows::new(list)?;
        let mut builder = Builder {
            day,
            rows: Vec::new(),
            text: String::new(),
            underlyings: Vec::new(),
            known: HashMap::default(),
            last: None,
            series: vec!["".into()],
            report: Report::default(),
        };
        while let Some(row) = rows.next()? {
            builder.take(&row);
        }
        builder.report.rows = rows.count();
        builder.report.breaks_off = rows.breaks_off();
        Ok(builder.finish())
    }
}

const _: () = assert!(size_of::<Stored>() <= 40 && Kind::Index as u8 == 0);
