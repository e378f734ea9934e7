//! Small dated tables for tests: holidays from `../shared/data/calendar` where present, terms by hand.

use std::path::{Path, PathBuf};

use chrono::NaiveDate;
use scalper_decide::domain::calendar::{HoursRegime, SpecialDay, Window};
use scalper_decide::domain::contracts::{Dated, UnderlyingTerms};
use scalper_decide::domain::{
    ContractBook, Cutoffs, LotSize, Premium, Qty, SessionCalendar, Strike, TimeOfDay, Underlying,
};

use super::ImportContext;

/// The developer's market data, or `None` (with a line that says so) where it is not present.
pub(crate) fn shared(test: &str) -> Option<PathBuf> {
    let data = Path::new(env!("CARGO_MANIFEST_DIR")).join("../shared/data");
    if data.is_dir() {
        return Some(data);
    }
    eprintln!("SKIPPED {test}: ../shared/data not present");
    None
}

fn date(text: &str) -> NaiveDate {
    text.parse().expect("a date")
}

fn time(hour: u32, minute: u32) -> TimeOfDay {
    TimeOfDay::hm(hour, minute).expect("a time")
}

fn regime(from: &str, close: TimeOfDay, quiet: TimeOfDay) -> HoursRegime {
    let cutoffs = Cutoffs {
        no_new_entry: time(14, 45),
        expiry_force_exit: time(15, 0),
        square_off_start: time(15, 10),
        square_off_deadline: time(15, 12),
        broker_square_off: time(15, 15),
    };
    HoursRegime {
        from: date(from),
        window: Window { open: time(9, 15), close },
        index_continuous_close: quiet,
        cutoffs,
    }
}

fn holiday(day: &str) -> (NaiveDate, SpecialDay) {
    (date(day), SpecialDay::Holiday("holiday".to_owned()))
}

fn full_session(day: &str) -> (NaiveDate, SpecialDay) {
    let windows = vec![Window { open: time(9, 15), close: time(15, 30) }];
    (date(day), SpecialDay::Session { name: "special session".to_owned(), windows })
}

fn terms(lots: &[(&str, &str, i64)], freeze: i64) -> UnderlyingTerms {
    let from = date("2024-01-01");
    let always = |value| vec![Dated { from, to: None, value }];
    UnderlyingTerms {
        lots: lots
            .iter()
            .map(|(from, to, lot)| Dated {
                from: date(from),
                to: Some(date(to)),
                value: LotSize::new(*lot).expect("above zero"),
            })
            .collect(),
        freeze: vec![Dated { from, to: None, value: Qty::new(freeze) }],
        tick: vec![Dated { from, to: None, value: Premium::from_paise(5) }],
        strike_step: always(Strike::from_points(50)),
        ..UnderlyingTerms::default()
    }
}

/// Tables that cover the developer data.
pub(crate) fn context() -> ImportContext {
    let special = [
        full_session("2024-01-20"),
        holiday("2024-01-22"),
        holiday("2024-01-26"),
        full_session("2025-02-01"),
        holiday("2025-08-27"),
        holiday("2026-01-15"),
        holiday("2026-01-26"),
        full_session("2026-02-01"),
    ];
    let calendar = SessionCalendar::new(
        date("2024-01-01"),
        date("2026-12-31"),
        vec![regime("2024-01-01", time(15, 30), time(15, 30)), regime("2026-08-03", time(15, 40), time(15, 15))],
        special.into_iter().collect(),
    )
    .expect("a valid calendar");
    let mut contracts = ContractBook::default();
    let nifty = [("2024-06-01", "2024-12-31", 25), ("2025-01-01", "2025-12-30", 75), ("2026-01-01", "2030-12-31", 65)];
    contracts.terms.insert(Underlying::Nifty, terms(&nifty, 1800));
    contracts.terms.insert(Underlying::BankNifty, terms(&[("2025-07-01", "2026-12-31", 35)], 600));
    contracts.terms.insert(Underlying::Sensex, terms(&[("2026-01-01", "2026-12-31", 20)], 1000));
    ImportContext { calendar, contracts }
}
