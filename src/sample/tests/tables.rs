//! Small dated tables for tests: real facts of early 2026, only as many as the samples ask for.

use std::collections::BTreeMap;

use chrono::NaiveDate;
use scalper_decide::domain::calendar::{HoursRegime, SpecialDay, Window};
use scalper_decide::domain::contracts::{Dated, UnderlyingTerms};
use scalper_decide::domain::{
    ContractBook, Cutoffs, LotSize, Premium, Qty, SessionCalendar, Strike, TimeOfDay, Underlying,
};

pub(super) fn date(text: &str) -> NaiveDate {
    text.parse().unwrap()
}

pub(super) fn time(hour: u32, minute: u32) -> TimeOfDay {
    TimeOfDay::hm(hour, minute).unwrap()
}

pub(super) fn calendar() -> SessionCalendar {
    let hours = |from, close, quiet| HoursRegime {
        from: date(from),
        window: Window { open: time(9, 15), close },
        index_continuous_close: quiet,
        cutoffs: Cutoffs {
            no_new_entry: time(14, 50),
            expiry_force_exit: time(14, 55),
            square_off_start: time(15, 5),
            square_off_deadline: time(15, 12),
            broker_square_off: time(15, 15),
        },
    };
    let holidays = ["2026-01-15", "2026-01-26", "2026-03-03", "2026-03-26", "2026-03-31", "2026-04-03", "2026-04-14"];
    let mut special: BTreeMap<NaiveDate, SpecialDay> =
        holidays.into_iter().map(|d| (date(d), SpecialDay::Holiday("holiday".to_owned()))).collect();
    let windows =
        vec![Window { open: time(9, 15), close: time(10, 0) }, Window { open: time(11, 30), close: time(12, 30) }];
    special.insert(date("2026-03-07"), SpecialDay::Session { name: "disaster recovery drill".to_owned(), windows });
    SessionCalendar::new(
        date("2025-09-01"),
        date("2026-12-31"),
        vec![hours("2025-09-01", time(15, 30), time(15, 30)), hours("2026-08-03", time(15, 40), time(15, 15))],
        special,
    )
    .unwrap()
}

pub(super) fn contracts() -> ContractBook {
    let terms = |lot, freeze, step| {
        let from = date("2025-09-01");
        UnderlyingTerms {
            lots: vec![Dated { from, to: None, value: LotSize::new(lot).unwrap() }],
            lot_exceptions: BTreeMap::new(),
            freeze: vec![Dated { from, to: None, value: Qty::new(freeze) }],
            tick: vec![Dated { from, to: None, value: Premium::from_paise(5) }],
            strike_step: vec![Dated { from, to: None, value: Strike::from_points(step) }],
        }
    };
    ContractBook {
        terms: BTreeMap::from([
            (Underlying::Nifty, terms(65, 1_800, 50)),
            (Underlying::BankNifty, terms(30, 600, 100)),
            (Underlying::Sensex, terms(20, 1_000, 100)),
        ]),
    }
}
