//! What a generated index looks like: level, liveliness, expiry rule, depth of its options. Round figures of
//! early 2026; they shape a sample and decide nothing else.

use chrono::Weekday;
use scalper_decide::domain::Underlying;

/// Habits of one index.
#[derive(Debug, Clone, Copy)]
pub(crate) struct Profile {
    /// Level in points around which generated days move.
    pub level: f64,
    /// Deviation of a one-minute change in points on a normal day.
    pub minute_vol: f64,
    /// At-the-money volatility per year of a normal day.
    pub atm_iv: f64,
    /// Open interest of an at-the-money contract in units.
    pub atm_oi: f64,
    /// Whether options expire every week; otherwise in the last week of the month only.
    pub weekly: bool,
    /// Weekday of expiry (since September 2025: Tuesday at NSE, Thursday at BSE).
    pub expiry_weekday: Weekday,
    /// Dhan's security id of the spot index in segment `IDX_I`.
    pub index_id: u32,
}

/// The profile of an index.
pub(crate) const fn profile(underlying: Underlying) -> Profile {
    let nse = Profile {
        level: 25_700.0,
        minute_vol: 7.5,
        atm_iv: 0.12,
        atm_oi: 3_000_000.0,
        weekly: true,
        expiry_weekday: Weekday::Tue,
        index_id: 13,
    };
    match underlying {
        Underlying::Nifty => nse,
        Underlying::BankNifty => Profile {
            level: 59_500.0,
            minute_vol: 18.5,
            atm_iv: 0.13,
            atm_oi: 900_000.0,
            weekly: false,
            index_id: 25,
            ..nse
        },
        Underlying::FinNifty => {
            Profile { level: 27_500.0, minute_vol: 8.5, atm_oi: 250_000.0, weekly: false, index_id: 27, ..nse }
        }
        Underlying::MidcpNifty => Profile {
            level: 13_800.0,
            minute_vol: 5.0,
            atm_iv: 0.15,
            atm_oi: 400_000.0,
            weekly: false,
            index_id: 442,
            ..nse
        },
        Underlying::Sensex => Profile {
            level: 83_500.0,
            minute_vol: 24.0,
            atm_oi: 700_000.0,
            expiry_weekday: Weekday::Thu,
            index_id: 51,
            ..nse
        },
        Underlying::Bankex => Profile {
            level: 66_500.0,
            minute_vol: 21.0,
            atm_iv: 0.13,
            atm_oi: 150_000.0,
            weekly: false,
            expiry_weekday: Weekday::Thu,
            index_id: 69,
        },
    }
}
