//! What the engine answered lately, kept for `explain` and for the status: decisions, commands, reports, changes.

use std::collections::{BTreeMap, VecDeque};

use chrono::{NaiveTime, Timelike as _};
use scalper_decide::domain::{Instant, TimeOfDay, Underlying};
use scalper_decide::journal::{Decision, JournalEntry, Stage};

use super::handle::Outcome;

/// Lines kept; the store has all of them.
const KEPT: usize = 50_000;

/// A line of the journal with its time.
#[derive(Debug, Clone)]
struct Line {
    at: Instant,
    text: String,
}

/// The latest lines.
#[derive(Debug, Default)]
pub struct Notes {
    lines: VecDeque<Line>,
    last: BTreeMap<Underlying, (Instant, String)>,
    evaluations: BTreeMap<Underlying, u64>,
    bars: BTreeMap<Underlying, u64>,
}

fn words(entry: &JournalEntry) -> Option<(Instant, String)> {
    let json = |value: &dyn erased::Words| value.words();
    Some(match entry {
        JournalEntry::Decision(d) => (d.stamp.at, decision(d)),
        JournalEntry::Bar { .. } => return None,
        JournalEntry::Entry { stamp, note } => {
            (stamp.at, format!("entry of position {}: {}", note.position, json(&note.entry)))
        }
        JournalEntry::Adopted { stamp, note } => {
            (stamp.at, format!("position {} adopted, {}: {}", note.position, note.tag, json(&note.entry)))
        }
        JournalEntry::Command { stamp, command } => (stamp.at, format!("command {}", json(command))),
        JournalEntry::Report { stamp, event } => (stamp.at, format!("report {}", json(event))),
        JournalEntry::Change { stamp, change } => (stamp.at, format!("position {}", json(change))),
        JournalEntry::Exit { stamp, note } => {
            let reason = note.reason.map_or("without a reason", |reason| reason.code());
            (stamp.at, format!("position {} ended: {reason}, net {}", note.position.id, note.position.net()))
        }
        JournalEntry::Finding { stamp, finding } => (stamp.at, format!("finding {}", json(finding))),
        JournalEntry::Alarm { stamp, key, text } => (stamp.at, format!("alarm {key}: {text}")),
        JournalEntry::Operated { stamp, command, answer } => {
            (stamp.at, format!("operator {}: {}", json(command), json(answer)))
        }
        JournalEntry::Configured { stamp, changes } => (stamp.at, format!("settings {}", json(changes))),
    })
}

/// Any line as JSON text.
mod erased {
    /// Something that serialises to one line.
    pub(super) trait Words {
        fn words(&self) -> String;
    }
    impl<T: serde::Serialize> Words for T {
        fn words(&self) -> String {
            serde_json::to_string(self).expect("journal lines are plain values")
        }
    }
}

/// `HH:MM` or `HH:MM:SS`.
fn time_of_day(text: &str) -> Option<TimeOfDay> {
    let parsed = NaiveTime::parse_from_str(text, "%H:%M:%S").or_else(|_| NaiveTime::parse_from_str(text, "%H:%M"));
    TimeOfDay::from_secs(parsed.ok()?.num_seconds_from_midnight())
}

fn decision(d: &Decision) -> String {
    format!("{} {} {}: {}", d.underlying, d.stage.name(), d.code, d.text)
}

impl Notes {
    /// Takes the lines of one event.
    pub fn take(&mut self, entries: &[JournalEntry]) {
        for entry in entries {
            match entry {
                JournalEntry::Decision(d) => {
                    if d.stage == Stage::SignalEngine {
                        *self.evaluations.entry(d.underlying).or_default() += 1;
                    }
                    self.last.insert(d.underlying, (d.stamp.at, decision(d)));
                }
                JournalEntry::Bar { underlying, .. } => *self.bars.entry(*underlying).or_default() += 1,
                _ => {}
            }
            if let Some((at, text)) = words(entry) {
                if self.lines.len() == KEPT {
                    self.lines.pop_front();
                }
                self.lines.push_back(Line { at, text });
            }
        }
    }

    /// The last answer of the decision chain about an index.
    pub fn last_decision(&self, underlying: Underlying) -> Option<&(Instant, String)> {
        self.last.get(&underlying)
    }

    /// Signal evaluations of an index.
    pub fn evaluations(&self, underlying: Underlying) -> u64 {
        self.evaluations.get(&underlying).copied().unwrap_or_default()
    }

    /// Closed bars of an index, all timeframes.
    pub fn bars(&self, underlying: Underlying) -> u64 {
        self.bars.get(&underlying).copied().unwrap_or_default()
    }

    /// Lines of a second (`10:42:13`), of a minute (`10:42`), or every line that names an order or position.
    pub fn explain(&self, what: &str) -> Outcome {
        let what = what.trim();
        let matching: Vec<&Line> = match (time_of_day(what), what.len()) {
            (Some(second), 6..) => self.lines.iter().filter(|line| line.at.ist_time() == second).collect(),
            (Some(minute), _) => {
                self.lines.iter().filter(|line| line.at.ist_time().secs() / 60 == minute.secs() / 60).collect()
            }
            (None, _) => {
                let position = format!("position {what}");
                let in_json = format!("\"position\":{what},");
                let mentions = |text: &str| {
                    (what.len() > 4 && text.contains(what))
                        || text.contains(&in_json)
                        || text
                            .split_once(&position)
                            .is_some_and(|(_, rest)| !rest.starts_with(|c: char| c.is_ascii_digit()))
                };
                self.lines.iter().filter(|line| mentions(&line.text)).collect()
            }
        };
        if matching.is_empty() {
            let oldest = self.lines.front().map_or("nothing yet".to_owned(), |line| line.at.ist_text());
            return Outcome::refused(
                "NOTHING_THERE",
                format!(
                    "nothing was decided for {what:?}; kept since {oldest}. Give a time like 10:42 or 10:42:13, an order id or a position number"
                ),
            );
        }
        let lines: Vec<String> = matching.iter().map(|line| format!("{}  {}", line.at.ist_text(), line.text)).collect();
        Outcome::Done { text: lines.join("\n") }
    }
}
