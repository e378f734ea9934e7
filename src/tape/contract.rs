//! What a tape calls a contract: its identity, its symbol, and its id when the source gives none.

use std::fmt;

use chrono::{Days, NaiveDate};
use scalper_decide::domain::{Right, Segment, Strike, Underlying};

/// Identity of a contract, independent of any broker's numbering.
#[derive(Debug, Clone, Copy, PartialEq, Eq, PartialOrd, Ord, Hash)]
pub enum ContractKey {
    /// The spot index.
    Index(Underlying),
    /// A future.
    Future(Underlying, NaiveDate),
    /// An option.
    Option(Underlying, NaiveDate, Strike, Right),
}

/// First id of contracts whose source names none. Broker ids stay far below.
pub const SYNTHETIC_FROM: u32 = 2_000_000_000;
const KINDS: u32 = 3;
const DAYS: u32 = 4096;
const STRIKES: u32 = 31_000;
const STRIKE_UNIT_PAISE: i64 = 500;

fn epoch() -> NaiveDate {
    NaiveDate::from_ymd_opt(2022, 1, 1).expect("a real date")
}

/// Whether an id was made up by [`ContractKey::synthetic_id`].
pub const fn is_synthetic(security_id: u32) -> bool {
    security_id >= SYNTHETIC_FROM
}

/// Dhan's id of an index in `IDX_I` (dhan-v2.md 11).
pub const fn index_security_id(underlying: Underlying) -> u32 {
    match underlying {
        Underlying::Nifty => 13,
        Underlying::BankNifty => 25,
        Underlying::FinNifty => 27,
        Underlying::MidcpNifty => 442,
        Underlying::Sensex => 51,
        Underlying::Bankex => 69,
    }
}

/// The index behind a Dhan `IDX_I` id.
pub fn index_by_security_id(id: u32) -> Option<Underlying> {
    Underlying::ALL.into_iter().find(|u| index_security_id(*u) == id)
}

/// The index behind a name vendors use for it. Whole names only: `NIFTYNXT50` is not `NIFTY`.
pub fn index_by_name(name: &str) -> Option<Underlying> {
    let name = name.trim().to_ascii_uppercase();
    Underlying::from_symbol(&name).or(match name.as_str() {
        "NIFTY50" | "NIFTY 50" => Some(Underlying::Nifty),
        "NIFTY BANK" | "NIFTYBANK" | "BANK NIFTY" => Some(Underlying::BankNifty),
        "NIFTY FIN SERVICE" | "NIFTY FINANCIAL SERVICES" => Some(Underlying::FinNifty),
        "NIFTY MID SELECT" | "NIFTY MIDCAP SELECT" => Some(Underlying::MidcpNifty),
        "BSE SENSEX" => Some(Underlying::Sensex),
        "BSE BANKEX" => Some(Underlying::Bankex),
        _ => None,
    })
}

/// The index names, for messages.
pub fn index_names() -> String {
    Underlying::ALL.map(Underlying::symbol).join(", ")
}

impl ContractKey {
    /// The index it belongs to.
    pub const fn underlying(&self) -> Underlying {
        match *self {
            ContractKey::Index(u) | ContractKey::Future(u, _) | ContractKey::Option(u, ..) => u,
        }
    }
    /// Last trading day, `None` for an index.
    pub const fn expiry(&self) -> Option<NaiveDate> {
        match *self {
            ContractKey::Index(_) => None,
            ContractKey::Future(_, expiry) | ContractKey::Option(_, expiry, ..) => Some(expiry),
        }
    }
    /// Where it trades.
    pub const fn segment(&self) -> Segment {
        match *self {
            ContractKey::Index(_) => Segment::IdxI,
            ContractKey::Future(u, _) | ContractKey::Option(u, ..) => u.fno_segment(),
        }
    }

    /// The id of a contract whose source gives none: a mixed-radix number of (kind, index, expiry, strike), so it is
    /// the same in every file and on every day and two contracts cannot share one. Covers expiries from 2022 to
    /// early 2033 and strikes in steps of 5 points below 155,000; `None` outside. Indices have the broker's id.
    pub fn synthetic_id(&self) -> Option<u32> {
        let (kind, strike) = match *self {
            ContractKey::Index(u) => return Some(index_security_id(u)),
            ContractKey::Future(..) => (0, 0),
            ContractKey::Option(_, _, strike, right) => {
                let (units, rest) =
                    (strike.paise().div_euclid(STRIKE_UNIT_PAISE), strike.paise().rem_euclid(STRIKE_UNIT_PAISE));
                if rest != 0 {
                    return None;
                }
                (if right == Right::Call { 1 } else { 2 }, u32::try_from(units).ok()?)
            }
        };
        let days = u32::try_from((self.expiry()? - epoch()).num_days()).ok()?;
        if days >= DAYS || strike >= STRIKES {
            return None;
        }
        let series = self.underlying().index() as u32 * KINDS + kind;
        Some(SYNTHETIC_FROM + (series * DAYS + days) * STRIKES + strike)
    }

    /// Turns [`ContractKey::synthetic_id`] back.
    pub fn from_synthetic_id(id: u32) -> Option<ContractKey> {
        let code = id.checked_sub(SYNTHETIC_FROM)?;
        let (rest, strike) = (code / STRIKES, code % STRIKES);
        let (series, days) = (rest / DAYS, rest % DAYS);
        let underlying = *Underlying::ALL.get((series / KINDS) as usize)?;
        let expiry = epoch().checked_add_days(Days::new(u64::from(days)))?;
        let right = match series % KINDS {
            0 => return (strike == 0).then_some(ContractKey::Future(underlying, expiry)),
            1 => Right::Call,
            _ => Right::Put,
        };
        let strike = Strike::from_paise(i64::from(strike) * STRIKE_UNIT_PAISE);
        Some(ContractKey::Option(underlying, expiry, strike, right))
    }

    /// Reads what [`fmt::Display`] writes: `NIFTY`, `NIFTY 2025-12-30 FUT` or `NIFTY 2026-01-13 25650 CE`.
    pub fn parse(text: &str) -> Result<ContractKey, String> {
        let wrong = || {
            format!(
                "{text:?} is no contract; write it like \"NIFTY\", \"NIFTY 2025-12-30 FUT\" or \"NIFTY 2026-01-13 25650 CE\""
            )
        };
        let parts: Vec<&str> = text.split_whitespace().collect();
        let underlying = parts.first().and_then(|p| Underlying::from_symbol(p)).ok_or_else(wrong)?;
        let date = |text: &str| NaiveDate::parse_from_str(text, "%Y-%m-%d").map_err(|_| wrong());
        match parts[1..] {
            [] => Ok(ContractKey::Index(underlying)),
            [expiry, "FUT"] => Ok(ContractKey::Future(underlying, date(expiry)?)),
            [expiry, strike, right] => {
                let strike = parse_strike(strike).ok_or_else(wrong)?;
                let right = Right::from_code(right).ok_or_else(wrong)?;
                Ok(ContractKey::Option(underlying, date(expiry)?, strike, right))
            }
            _ => Err(wrong()),
        }
    }
}

/// A strike from text such as `25650`, `25650.0` or `25650.000000` (one key for all, F-50); above zero, whole paise.
pub fn parse_strike(text: &str) -> Option<Strike> {
    let (whole, fraction) = text.split_once('.').unwrap_or((text, ""));
    let digits = |s: &str| s.bytes().all(|b| b.is_ascii_digit());
    if whole.is_empty() || whole.len() > 9 || !digits(whole) || !digits(fraction) {
        return None;
    }
    if fraction.bytes().skip(2).any(|b| b != b'0') {
        return None;
    }
    let paise: String = fraction.chars().chain("00".chars()).take(2).collect();
    let strike = whole.parse::<i64>().ok()? * 100 + paise.parse::<i64>().ok()?;
    (strike > 0).then_some(Strike::from_paise(strike))
}

impl fmt::Display for ContractKey {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        match self {
            ContractKey::Index(u) => f.pad(u.symbol()),
            ContractKey::Future(u, expiry) => f.pad(&format!("{u} {expiry} FUT")),
            ContractKey::Option(u, expiry, strike, right) => f.pad(&format!("{u} {expiry} {strike} {right}")),
        }
    }
}

#[cfg(test)]
mod tests {
    use super::*;
    use proptest::prelude::*;

    fn day(text: &str) -> NaiveDate {
        text.parse().unwrap()
    }

    proptest! {
        #[test]
        fn a_made_up_id_names_one_contract_and_is_never_a_brokers(
            u in 0usize..6, days in 0u64..4096, strike in 1i64..31_000, kind in 0..3
        ) {
            let (u, expiry) = (Underlying::ALL[u], epoch() + Days::new(days));
            let strike = Strike::from_paise(strike * STRIKE_UNIT_PAISE);
            let key = match kind {
                0 => ContractKey::Future(u, expiry),
                1 => ContractKey::Option(u, expiry, strike, Right::Call),
                _ => ContractKey::Option(u, expiry, strike, Right::Put),
            };
            let id = key.synthetic_id().unwrap();
            prop_assert!(is_synthetic(id));
            prop_assert_eq!(ContractKey::from_synthetic_id(id), Some(key));
            prop_assert_eq!(ContractKey::parse(&key.to_string()), Ok(key));
        }
    }

    #[test]
    fn contracts_outside_the_numbering_get_no_id() {
        let put = |expiry: &str, paise| {
            ContractKey::Option(Underlying::Nifty, day(expiry), Strike::from_paise(paise), Right::Put).synthetic_id()
        };
        assert!(put("2026-01-13", 2_565_000).is_some());
        assert_eq!(put("2021-12-31", 2_565_000), None);
        assert_eq!(put("2033-12-31", 2_565_000), None);
        assert_eq!(put("2026-01-13", 2_565_001), None);
        assert_eq!(put("2026-01-13", 15_500_000), None);
    }

    #[test]
    fn one_strike_is_one_key_however_it_is_written() {
        // F-50
        for text in ["25650", "25650.0", "25650.000000"] {
            assert_eq!(parse_strike(text), Some(Strike::from_points(25_650)), "{text}");
        }
        for text in ["", "0", "-25650", "2.57E+04", "25650.001", "1e3", ".5"] {
            assert_eq!(parse_strike(text), None, "{text}");
        }
        assert_eq!(parse_strike("99.5"), Some(Strike::from_paise(9950)));
    }

    #[test]
    fn names_that_only_begin_like_an_index_are_not_that_index() {
        assert_eq!(index_by_name("Nifty 50"), Some(Underlying::Nifty));
        assert_eq!(index_by_name("NIFTYNXT50"), None);
        assert_eq!(index_by_name("SENSEX50"), None);
    }
}
