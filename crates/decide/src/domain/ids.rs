//! Identifiers that reproduce: the same intent always gets the same id (F-35, design decision 2).

use std::fmt;

use chrono::NaiveDate;
use serde::{Deserialize, Serialize};
use uuid::Uuid;

use super::instrument::{Direction, Underlying};
use super::order::OrderPurpose;
use super::time::Instant;

macro_rules! number_id {
    ($(#[$doc:meta])* $name:ident) => {
        $(#[$doc])*
        #[derive(Debug, Clone, Copy, PartialEq, Eq, PartialOrd, Ord, Hash, Default, Serialize, Deserialize)]
        #[serde(transparent)]
        pub struct $name(pub u64);

        impl fmt::Display for $name {
            fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
                fmt::Display::fmt(&self.0, f)
            }
        }
    };
}

number_id! {
    /// Place of an event in the journal, strictly increasing.
    Seq
}
number_id! {
    /// A hold on capital.
    HoldId
}
number_id! {
    /// A position; pyramids on one contract have one each (F-56).
    PositionId
}
number_id! {
    /// Exchange trade id: the key that makes fills a set (I5).
    TradeId
}

/// What makes a signal this signal and no other: index, closed bar and direction.
#[derive(Debug, Clone, Copy, PartialEq, Eq, PartialOrd, Ord, Hash, Serialize, Deserialize)]
pub struct SignalId {
    /// The index that signalled.
    pub underlying: Underlying,
    /// Start of the closed primary bar that completed the signal.
    pub bar_start: Instant,
    /// Where the index is expected to go.
    pub direction: Direction,
}

impl fmt::Display for SignalId {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        write!(f, "{}-{}-{}", self.underlying, self.bar_start.ist_text(), self.direction)
    }
}

/// Two characters that tell this installation's orders from everybody else's.
#[derive(Debug, Clone, Copy, PartialEq, Eq, Hash, Serialize, Deserialize)]
#[serde(try_from = "String", into = "String")]
pub struct InstanceTag([u8; 2]);

impl InstanceTag {
    /// From two letters or digits.
    pub fn new(text: &str) -> Result<InstanceTag, String> {
        match text.as_bytes() {
            [a, b] if a.is_ascii_alphanumeric() && b.is_ascii_alphanumeric() => Ok(InstanceTag([*a, *b])),
            _ => Err(format!("an instance tag is two letters or digits, found {text:?}")),
        }
    }
}

impl TryFrom<String> for InstanceTag {
    type Error = String;
    fn try_from(text: String) -> Result<Self, String> {
        InstanceTag::new(&text)
    }
}
impl From<InstanceTag> for String {
    fn from(tag: InstanceTag) -> String {
        tag.to_string()
    }
}
impl fmt::Display for InstanceTag {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        write!(f, "{}{}", char::from(self.0[0]), char::from(self.0[1]))
    }
}

/// Client order id, at most 25 characters of `[A-Za-z0-9_-]`:
/// `<instance 2><yymmdd><purpose><attempt>-<12 hex of a name-based uuid (v5) of day, index, signal, leg>`.
#[derive(Debug, Clone, Copy, PartialEq, Eq, PartialOrd, Ord, Hash)]
pub struct ClientOrderId {
    bytes: [u8; ClientOrderId::MAX_LEN],
    len: u8,
}

impl ClientOrderId {
    /// Longest id the broker takes (dhan-v2.md 8.1).
    pub const MAX_LEN: usize = 25;

    /// Derives the id of one attempt of one leg (freeze slice) of one intent.
    ///
    /// # Panics
    /// When `attempt` exceeds 99: attempts are bounded far below by configuration.
    pub fn derive(
        instance: InstanceTag,
        day: NaiveDate,
        signal: &SignalId,
        position: PositionId,
        purpose: OrderPurpose,
        leg: u16,
        attempt: u8,
    ) -> ClientOrderId {
        assert!(attempt <= 99, "attempt {attempt} of one intent");
        let name = format!("{day}|{signal}|{position}|{leg}");
        let uuid = Uuid::new_v5(&Uuid::NAMESPACE_OID, name.as_bytes());
        let short = &uuid.simple().to_string()[..12];
        let text = format!("{instance}{}{}{attempt}-{short}", day.format("%y%m%d"), purpose.letter());
        ClientOrderId::parse(&text).expect("derived ids are well formed")
    }

    /// Reads an id, `None` when it is empty, too long or has a character outside `[A-Za-z0-9_-]`.
    pub fn parse(text: &str) -> Option<ClientOrderId> {
        let ok = |b: &u8| b.is_ascii_alphanumeric() || *b == b'-' || *b == b'_';
        if text.is_empty() || text.len() > Self::MAX_LEN || !text.as_bytes().iter().all(ok) {
            return None;
        }
        let mut bytes = [0; Self::MAX_LEN];
        bytes[..text.len()].copy_from_slice(text.as_bytes());
        Some(ClientOrderId { bytes, len: text.len() as u8 })
    }

    /// Whether it has the shape that [`ClientOrderId::derive`] gives the ids of this installation.
    pub fn is_of(&self, instance: InstanceTag) -> bool {
        let text = self.as_str().as_bytes();
        let Some((head, name)) = text.split_at_checked(9) else { return false };
        let digits = name.iter().take_while(|b| b.is_ascii_digit()).count();
        let is_hex = |b: &u8| b.is_ascii_digit() || (b'a'..=b'f').contains(b);
        head[..2] == instance.0
            && head[2..8].iter().all(u8::is_ascii_digit)
            && matches!(head[8], b'E' | b'P' | b'X')
            && (1..=2).contains(&digits)
            && name.get(digits) == Some(&b'-')
            && name.len() == digits + 13
            && name[digits + 1..].iter().all(is_hex)
    }

    /// The id as text.
    pub fn as_str(&self) -> &str {
        std::str::from_utf8(&self.bytes[..usize::from(self.len)]).expect("ids are ASCII")
    }
}

impl fmt::Display for ClientOrderId {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.pad(self.as_str())
    }
}

impl Serialize for ClientOrderId {
    fn serialize<S: serde::Serializer>(&self, s: S) -> Result<S::Ok, S::Error> {
        s.serialize_str(self.as_str())
    }
}
impl<'de> Deserialize<'de> for ClientOrderId {
    fn deserialize<D: serde::Deserializer<'de>>(d: D) -> Result<Self, D::Error> {
        let text = String::deserialize(d)?;
        ClientOrderId::parse(&text).ok_or_else(|| serde::de::Error::custom(format!("not a client order id: {text:?}")))
    }
}

#[cfg(test)]
mod tests {
    use super::*;
    use crate::domain::time::TimeOfDay;

    fn id(attempt: u8, leg: u16) -> ClientOrderId {
        let day = NaiveDate::from_ymd_opt(2026, 1, 12).unwrap();
        let signal = SignalId {
            underlying: Underlying::Nifty,
            bar_start: Instant::from_ist(day, TimeOfDay::hm(10, 0).unwrap()),
            direction: Direction::Up,
        };
        ClientOrderId::derive(
            InstanceTag::new("A1").unwrap(),
            day,
            &signal,
            PositionId(7),
            OrderPurpose::Entry,
            leg,
            attempt,
        )
    }

    #[test]
    fn resent_intent_reuses_its_client_order_id() {
        // F-35, F-19: same intent same id; a new attempt or leg is another order.
        assert_eq!(id(1, 0), id(1, 0));
        assert_ne!(id(1, 0), id(2, 0));
        assert_ne!(id(1, 0), id(1, 1));
        assert!(id(1, 0).as_str().starts_with("A1260112E1-"));
        assert!(id(99, 0).as_str().len() <= ClientOrderId::MAX_LEN);
    }

    #[test]
    fn ids_of_this_installation_are_known_by_their_shape() {
        // I19, design decision 2: anything else on the account is foreign.
        let ours = InstanceTag::new("A1").unwrap();
        assert!(id(1, 0).is_of(ours) && id(99, 3).is_of(ours));
        assert!(!id(1, 0).is_of(InstanceTag::new("A2").unwrap()));
        for text in
            ["A1", "A1260112E1-", "A1260112Q1-0123456789ab", "A1260112E123-0123456789ab", "A1260112E1-0123456789AB"]
        {
            assert!(!ClientOrderId::parse(text).unwrap().is_of(ours), "{text}");
        }
    }

    #[test]
    fn an_id_of_26_characters_or_with_a_dot_is_refused() {
        assert!(ClientOrderId::parse(&"x".repeat(25)).is_some());
        assert!(ClientOrderId::parse(&"x".repeat(26)).is_none());
        assert!(ClientOrderId::parse("a.b").is_none());
    }
}
