//! The venue beside a daemon's core: what it says again, and that a journal it would not say is refused (I23, N17).

use std::collections::BTreeMap;

use super::*;
use crate::domain::{Event, Seq, Stamp};
use crate::paper::{FILLS, PaperMismatch, PaperVenue};

fn stamp(seq: u64, at: Instant) -> Stamp {
    Stamp { seq: Seq(seq), at }
}

/// A day as a journal has it: an entry that fills, a stop that lapses at the close.
struct Day {
    venue: PaperVenue,
    journal: Vec<(Stamp, Event)>,
    commands: BTreeMap<u64, Command>,
}

impl Day {
    fn event(&mut self, at: Instant, event: Event) {
        let stamp = stamp(self.journal.len() as u64 + 1, at);
        self.venue.hear(stamp, &event);
        if let Some(command) = self.commands.get(&stamp.seq.0) {
            self.venue.submit(at, *command);
        }
        self.journal.push((stamp, event));
    }

    /// Reports that are due by then, as events.
    fn until(&mut self, at: Instant) {
        while let Some(due) = self.venue.due().filter(|due| *due < at) {
            if let Some((at, report)) = self.venue.report(due) {
                self.event(at, Event::Order(report));
            }
        }
    }
}

fn played() -> Day {
    let mut orders = Bench::new(BASE);
    let entry = Command::Place(orders.spec(OrderSide::Buy, 1, limit("101")));
    let rests = Command::Place(orders.spec(OrderSide::Sell, 1, stop("80", "79")));
    let venue = PaperVenue::new(FILLS);
    let mut day = Day { venue, journal: Vec::new(), commands: BTreeMap::from([(3, entry), (4, rests)]) };
    let midnight = Instant::from_ist(super::day(), TimeOfDay::from_secs(0).unwrap());
    let opened = Event::SessionOpened { hours: hours(super::day()), warm_up: false, bars_of: BTreeMap::new() };
    day.event(midnight, opened);
    day.event(midnight, Event::Listed { instrument: contract(expiry()) });
    for at in [0, 500, 1_000, 2_000] {
        day.until(ms(at));
        day.event(ms(at), Event::Tick(touch(at, "100", "99.95", "100.05")));
    }
    let end = hours(super::day()).close_at() + Age::from_mins(1);
    day.until(end);
    day.event(end, Event::SessionClosed { day: super::day() });
    day
}

fn replay(day: &Day, journal: &[(Stamp, Event)]) -> Result<(), PaperMismatch> {
    let mut venue = PaperVenue::new(FILLS);
    for (stamp, event) in journal {
        venue.hear_again(*stamp, event)?;
        if let Some(command) = day.commands.get(&stamp.seq.0) {
            venue.submit(stamp.at, *command);
        }
    }
    Ok(())
}

#[test]
fn a_venue_beside_the_core_says_the_same_again_and_its_last_word_is_the_close() {
    let day = played();
    let said: Vec<&OrderReport> =
        day.journal.iter().filter_map(|(_, e)| if let Event::Order(o) = e { Some(&o.report) } else { None }).collect();
    assert!(matches!(said[0], OrderReport::Accepted), "{said:?}");
    assert!(said.iter().any(|report| matches!(report, OrderReport::Filled(_))), "{said:?}");
    assert!(matches!(said.last(), Some(OrderReport::Cancelled { .. })), "the stop lapses at the close: {said:?}");
    assert_eq!(replay(&day, &day.journal), Ok(()));
}

#[test]
fn a_journal_with_another_report_one_too_many_or_one_too_few_is_refused() {
    let day = played();
    let reports: Vec<usize> = (0..day.journal.len()).filter(|n| matches!(day.journal[*n].1, Event::Order(_))).collect();
    for n in &reports {
        let mut other = day.journal.clone();
        let Event::Order(order) = &mut other[*n].1 else { unreachable!() };
        order.report = OrderReport::Rejected { refusal: VenueRefusal::PriceBand };
        assert!(matches!(replay(&day, &other), Err(PaperMismatch::Said { .. })), "report {n} changed");
        let mut fewer = day.journal.clone();
        fewer.remove(*n);
        assert!(replay(&day, &fewer).is_err(), "report {n} taken away");
        let mut twice = day.journal.clone();
        twice.insert(*n, day.journal[*n].clone());
        assert!(replay(&day, &twice).is_err(), "report {n} twice");
    }
}
