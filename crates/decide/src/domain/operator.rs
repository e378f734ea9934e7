//! What a person may ask for, and the answer. Every verb may be repeated: asking twice changes nothing more (I7).

use serde::{Deserialize, Serialize};

use super::adoption::{AdoptRefusal, AdoptRequest};
use super::ids::PositionId;
use super::instrument::Underlying;
use super::money::{Lots, Premium};

/// What a person may ask for.
#[derive(Debug, Clone, PartialEq, Eq, Serialize, Deserialize)]
#[serde(tag = "verb", rename_all = "snake_case")]
pub enum OperatorCommand {
    /// No entries, and working ones taken back, until resumed. Days do not end it.
    Halt,
    /// No new entries until resumed; those that work already may still fill.
    ReduceOnly,
    /// Ends halt and reduce-only. Paused indices stay paused.
    Resume,
    /// No new entries in one index.
    Pause {
        /// Which index.
        underlying: Underlying,
    },
    /// Entries in one index again.
    ResumeIndex {
        /// Which index.
        underlying: Underlying,
    },
    /// Close everything, or everything of one index; passes every gate.
    Flatten {
        /// Which index; `None` for all.
        underlying: Option<Underlying>,
    },
    /// Close one position, or sell some of its lots and keep the rest protected.
    Close {
        /// Which one.
        position: PositionId,
        /// How many lots; `None` for all of them.
        lots: Option<Lots>,
        /// Number of the request: a repeated one sells nothing more. Zero is never a repetition.
        request: u64,
    },
    /// Raise the stop of a position.
    Tighten {
        /// Which one.
        position: PositionId,
        /// The new trigger; rounded up to the tick.
        stop: Premium,
    },
    /// Take units over that somebody else bought: they become a position of ours, protected and left like any other.
    Adopt(AdoptRequest),
    /// Lift a tripped breaker; the day's loss is counted anew from here.
    ResetBreaker,
    /// A person has looked at every order that is ours and unknown, that came late, or about which the broker contradicts
    /// itself: none of those seen so far keeps entries waiting any more. Orders that still live beyond their end do.
    Acknowledge,
    /// Real money may be risked, until [`OperatorCommand::Disarm`] or the next session (S24). The shell says this, after
    /// it has compared the phrase and looked at every check.
    Arm {
        /// What was typed: account and caps.
        phrase: String,
    },
    /// No entries before the next [`OperatorCommand::Arm`], and working ones taken back. A live engine begins so.
    Disarm,
    /// Not a person: whether the guardian, which closes everything should the engine die, is there. Without it no new
    /// risk is taken, and working entries are taken back.
    Guardian {
        /// It is there and awake.
        alive: bool,
    },
    /// Not a person: whether the engine falls behind its inputs. While it does no new risk is taken.
    Overload {
        /// It does.
        is_behind: bool,
    },
    /// Trip the account's breaker: everything is closed, no entries for the rest of the trading day.
    TripBreaker {
        /// Why, in words.
        reason: String,
    },
}

/// What became of a request.
#[derive(Debug, Clone, PartialEq, Eq, Serialize, Deserialize)]
#[serde(tag = "answer", rename_all = "snake_case")]
pub enum OperatorAnswer {
    /// It is so now.
    Done {
        /// It was not so before.
        changed: bool,
    },
    /// It is not, and why.
    Refused {
        /// Why.
        refusal: OperatorRefusal,
    },
}

/// Why a request is refused.
#[derive(Debug, Clone, PartialEq, Eq, Serialize, Deserialize, thiserror::Error)]
#[serde(tag = "refusal", rename_all = "snake_case")]
pub enum OperatorRefusal {
    /// There is no such live position.
    #[error("position {position} is not open")]
    NotOpen {
        /// The position.
        position: PositionId,
    },
    /// Nothing is bought yet, so no part can be sold and no stop raised.
    #[error("position {position} owns nothing yet")]
    NothingOwned {
        /// The position.
        position: PositionId,
    },
    /// A number of lots that is not one.
    #[error("{lots} lots cannot be sold")]
    NotLots {
        /// The number.
        lots: Lots,
    },
    /// The position is on its way out; its stop has no say any more.
    #[error("position {position} is leaving already")]
    Leaving {
        /// The position.
        position: PositionId,
    },
    /// The stop would fall.
    #[error("the stop rests at {current}: {asked} would loosen it")]
    NotTighter {
        /// The stop asked for.
        asked: Premium,
        /// The stop in force.
        current: Premium,
    },
    /// The stop would trigger at once: that is a close, and should be asked for as one.
    #[error("{asked} is not under the last sellable price {sellable}")]
    NotUnderMarket {
        /// The stop asked for.
        asked: Premium,
        /// Last price the position could be sold at.
        sellable: Premium,
    },
    /// Nothing is taken over.
    #[error(transparent)]
    NotAdopted(AdoptRefusal),
    /// No breaker is tripped.
    #[error("no breaker is tripped")]
    NotTripped,
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn every_command_survives_the_journal() {
        let position = PositionId(7);
        for command in [
            OperatorCommand::Halt,
            OperatorCommand::Pause { underlying: Underlying::Nifty },
            OperatorCommand::Flatten { underlying: None },
            OperatorCommand::Close { position, lots: Some(Lots::new(2)), request: 9 },
            OperatorCommand::Tighten { position, stop: Premium::from_rupees(80) },
            OperatorCommand::Acknowledge,
            OperatorCommand::Adopt(AdoptRequest {
                segment: None,
                security_id: 40_001,
                lots: Some(Lots::new(1)),
                stop: None,
                request: 3,
            }),
            OperatorCommand::Arm { phrase: "arm 1000000001".to_owned() },
            OperatorCommand::Disarm,
            OperatorCommand::Guardian { alive: false },
            OperatorCommand::Overload { is_behind: true },
            OperatorCommand::TripBreaker { reason: "drill".to_owned() },
        ] {
            let text = serde_json::to_string(&command).unwrap();
            assert_eq!(serde_json::from_str::<OperatorCommand>(&text).unwrap(), command, "{text}");
        }
        assert_eq!(serde_json::to_string(&OperatorCommand::ReduceOnly).unwrap(), r#"{"verb":"reduce_only"}"#);
    }
}
