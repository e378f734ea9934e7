//! `instruments.csv`: the contracts of a day with their terms on that day.

use std::path::Path;

use chrono::NaiveDate;
use scalper_decide::domain::{
    Instrument, InstrumentId, InstrumentKind, LotSize, OptionContract, Premium, Qty, Right, Segment, Underlying,
};

use super::contract::{ContractKey, parse_strike};
use super::error::TapeError;

/// The header of `instruments.csv`.
pub const HEADER: [&str; 11] = [
    "segment",
    "security_id",
    "symbol",
    "kind",
    "underlying",
    "expiry",
    "strike",
    "right",
    "lot",
    "tick_size",
    "max_order_qty",
];

/// Identity of a listed contract.
pub const fn key_of(instrument: &Instrument) -> ContractKey {
    match &instrument.kind {
        InstrumentKind::Index { underlying } => ContractKey::Index(*underlying),
        InstrumentKind::Future { underlying, expiry } => ContractKey::Future(*underlying, *expiry),
        InstrumentKind::Option(c) => ContractKey::Option(c.underlying, c.expiry, c.strike, c.right),
    }
}

/// Where a contract stands in `instruments.csv`: by segment, then id.
pub fn tape_order(instrument: &Instrument) -> (Segment, u32) {
    (instrument.segment, instrument.security_id)
}

/// The file's bytes, in [`tape_order`].
pub fn to_csv(instruments: &[Instrument]) -> Vec<u8> {
    let mut sorted: Vec<&Instrument> = instruments.iter().collect();
    sorted.sort_by_key(|i| tape_order(i));
    let mut out = csv::WriterBuilder::new().from_writer(Vec::new());
    let rows = sorted.into_iter().map(|i| {
        let mut row: Vec<String> = vec![i.segment.name().to_owned(), i.security_id.to_string(), i.symbol.clone()];
        match &i.kind {
            InstrumentKind::Index { underlying } => {
                row.extend(["index".to_owned(), underlying.to_string()]);
                row.extend(std::iter::repeat_n(String::new(), 6));
            }
            InstrumentKind::Future { underlying, expiry } => {
                row.extend(["future".to_owned(), underlying.to_string(), expiry.to_string()]);
                row.extend(std::iter::repeat_n(String::new(), 5));
            }
            InstrumentKind::Option(c) => row.extend([
                "option".to_owned(),
                c.underlying.to_string(),
                c.expiry.to_string(),
                c.strike.to_string(),
                c.right.to_string(),
                c.lot.get().to_string(),
                c.tick.to_string(),
                c.max_order_qty.to_string(),
            ]),
        }
        row
    });
    let header = HEADER.iter().map(|h| (*h).to_owned()).collect();
    for row in std::iter::once(header).chain(rows) {
        out.write_record(&row).expect("writing to memory cannot fail");
    }
    out.into_inner().expect("writing to memory cannot fail")
}

/// Reads the file's bytes; `file` is for messages. Slots are [`InstrumentId`] 0: a universe gives the real ones.
pub fn from_csv(bytes: &[u8], file: &Path) -> Result<Vec<Instrument>, TapeError> {
    let not_ours = |reason: String| TapeError::NotATape { path: file.to_owned(), reason };
    let mut reader = csv::ReaderBuilder::new().from_reader(bytes);
    let header = reader.headers().map_err(|e| not_ours(e.to_string()))?;
    if header.iter().ne(HEADER) {
        return Err(not_ours(format!("the header should be {}", HEADER.join(","))));
    }
    let mut out = Vec::new();
    for (n, record) in reader.records().enumerate() {
        let record = record.map_err(|e| not_ours(e.to_string()))?;
        out.push(Line { record: &record, row: n as u64 + 2, file }.instrument()?);
    }
    Ok(out)
}

struct Line<'a> {
    record: &'a csv::StringRecord,
    row: u64,
    file: &'a Path,
}

impl Line<'_> {
    fn get<T>(&self, at: usize, expected: &str, read: impl FnOnce(&str) -> Option<T>) -> Result<T, TapeError> {
        let text = self.record.get(at).unwrap_or_default();
        read(text).ok_or_else(|| TapeError::BadValue {
            file: self.file.to_owned(),
            row: self.row,
            column: HEADER[at],
            value: format!("{text:?}"),
            expected: expected.to_owned(),
        })
    }

    fn instrument(&self) -> Result<Instrument, TapeError> {
        let segment = self.get(0, "expected a segment like NSE_FNO", Segment::from_name)?;
        let security_id = self.get(1, "expected a whole number", |t| t.parse().ok())?;
        let symbol = self.get(2, "expected a name", |t| (!t.is_empty()).then(|| t.to_owned()))?;
        let underlying = self.get(4, "expected an index like NIFTY", Underlying::from_symbol)?;
        let expiry = || self.get(5, "expected a date like 2026-01-13", |t| t.parse::<NaiveDate>().ok());
        let kind = match self.record.get(3) {
            Some("index") => InstrumentKind::Index { underlying },
            Some("future") => InstrumentKind::Future { underlying, expiry: expiry()? },
            Some("option") => InstrumentKind::Option(OptionContract {
                underlying,
                expiry: expiry()?,
                strike: self.get(6, "expected a strike above zero", parse_strike)?,
                right: self.get(7, "expected CE or PE", Right::from_code)?,
                lot: self.get(8, "expected units above zero", |t| LotSize::new(t.parse().ok()?))?,
                tick: self.get(9, "expected rupees above zero like 0.05", |t| {
                    parse_strike(t).map(|s| Premium::from_paise(s.paise()))
                })?,
                max_order_qty: self
                    .get(10, "expected units above zero", |t| t.parse().ok().filter(|q| *q > 0).map(Qty::new))?,
            }),
            _ => return self.get(3, "expected index, future or option", |_| None),
        };
        Ok(Instrument { id: InstrumentId(0), segment, security_id, symbol, kind })
    }
}

#[cfg(test)]
mod tests {
    use super::*;
    use scalper_decide::domain::Strike;

    fn sample() -> Vec<Instrument> {
        let expiry = "2026-01-13".parse().unwrap();
        let option = OptionContract {
            underlying: Underlying::Nifty,
            expiry,
            strike: Strike::from_points(25_650),
            right: Right::Call,
            lot: LotSize::new(65).unwrap(),
            tick: Premium::from_paise(5),
            max_order_qty: Qty::new(1755),
        };
        let make = |segment, security_id, kind| {
            let mut i = Instrument { id: InstrumentId(0), segment, security_id, symbol: String::new(), kind };
            i.symbol = key_of(&i).to_string();
            i
        };
        vec![
            make(Segment::IdxI, 13, InstrumentKind::Index { underlying: Underlying::Nifty }),
            make(Segment::NseFno, 42, InstrumentKind::Option(option)),
            make(Segment::NseFno, 49_543, InstrumentKind::Future { underlying: Underlying::Nifty, expiry }),
        ]
    }

    #[test]
    fn the_contract_list_round_trips() {
        let bytes = to_csv(&sample());
        assert_eq!(from_csv(&bytes, Path::new("i.csv")).unwrap(), sample());
        assert!(
            String::from_utf8(bytes)
                .unwrap()
                .contains("NSE_FNO,42,NIFTY 2026-01-13 25650 CE,option,NIFTY,2026-01-13,25650,CE,65,0.05,1755")
        );
    }

    #[test]
    fn a_broken_contract_list_names_row_column_and_value() {
        let text = String::from_utf8(to_csv(&sample())).unwrap();
        for (from, to, needle) in [
            ("NSE_FNO,42", "NSE_OPT,42", "row 3, column `segment`: \"NSE_OPT\""),
            (",65,", ",0,", "row 3, column `lot`: \"0\""),
            (",CE,", ",XX,", "row 3, column `right`: \"XX\""),
            ("IDX_I,13,NIFTY,index", "IDX_I,13,NIFTY,spot", "row 2, column `kind`: \"spot\""),
            ("segment,", "seg,", "the header should be"),
        ] {
            let error = from_csv(text.replacen(from, to, 1).as_bytes(), Path::new("i.csv")).unwrap_err().to_string();
            assert!(error.contains(needle), "{error}");
        }
    }
}
