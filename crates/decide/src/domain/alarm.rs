//! What a person must hear of at once. The core journals alarms; rooms outside forward them.

use std::fmt;

use serde::{Deserialize, Serialize};

/// What an alarm is about: one closed list, so that a forwarder can limit each kind to its own rate (I35).
#[derive(Debug, Clone, Copy, PartialEq, Eq, PartialOrd, Ord, Hash, Serialize, Deserialize)]
#[serde(rename_all = "snake_case")]
pub enum AlarmKey {
    /// Owned units without a resting stop or exit for longer than allowed (I6, J13).
    UncoveredUnits,
    /// An exit is refused again and again; the text names the rung of the ladder (C22).
    ExitRefused,
    /// An order has been in doubt for long.
    OrderInDoubt,
    /// A change or cancellation of a resting order stays unanswered.
    ChangeUnanswered,
    /// The broker holds fewer units than our fills explain (E1).
    NetShort,
    /// An order executed beyond its end: its units are taken over and leave (C3).
    LateArrival,
    /// Somebody else changed an order of ours (C14, E4).
    OrderAltered,
    /// A breaker tripped.
    BreakerTripped,
    /// The trading day ended with units still owned (F-23).
    NotFlatAtClose,
}

impl AlarmKey {
    /// All keys.
    pub const ALL: [AlarmKey; 9] = [
        AlarmKey::UncoveredUnits,
        AlarmKey::ExitRefused,
        AlarmKey::OrderInDoubt,
        AlarmKey::ChangeUnanswered,
        AlarmKey::NetShort,
        AlarmKey::LateArrival,
        AlarmKey::OrderAltered,
        AlarmKey::BreakerTripped,
        AlarmKey::NotFlatAtClose,
    ];

    /// Snake-case code.
    pub const fn code(self) -> &'static str {
        match self {
            AlarmKey::UncoveredUnits => "uncovered_units",
            AlarmKey::ExitRefused => "exit_refused",
            AlarmKey::OrderInDoubt => "order_in_doubt",
            AlarmKey::ChangeUnanswered => "change_unanswered",
            AlarmKey::NetShort => "net_short",
            AlarmKey::LateArrival => "late_arrival",
            AlarmKey::OrderAltered => "order_altered",
            AlarmKey::BreakerTripped => "breaker_tripped",
            AlarmKey::NotFlatAtClose => "not_flat_at_close",
        }
    }
}

impl fmt::Display for AlarmKey {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.pad(self.code())
    }
}

/// One alarm.
#[derive(Debug, Clone, PartialEq, Eq, Serialize)]
pub struct Alarm {
    /// What it is about.
    pub key: AlarmKey,
    /// What happened, with its numbers.
    pub text: String,
}
