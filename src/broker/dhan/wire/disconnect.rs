//! Disconnect reasons of every socket, classified once (dhan-v2.md 1.8 and 9.2).

use std::fmt;

/// A disconnect reason in the broker's numbers.
#[derive(Debug, Clone, Copy, PartialEq, Eq, PartialOrd, Ord, Hash)]
pub struct DisconnectReason(pub u16);

/// What a client does about a disconnect.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub enum DisconnectAction {
    /// Connect again after the usual back-off.
    Reconnect,
    /// Close every socket, wait out the cool-off, then come back one at a time: another session uses this account's
    /// connections (A17).
    CoolOff,
    /// Wait for a new token.
    AwaitToken,
    /// Stop until an operator gives other credentials or buys the data plan.
    AwaitCredentials,
    /// Stop until the wanted set changes: the same request would be refused again.
    AwaitChange,
}

impl DisconnectReason {
    /// The one classification. 808 and 809 are labelled differently by the two official sources; 809 asks for a new
    /// token, 808 for other credentials. Reasons nobody documented, and 811-814 which belong to REST, reconnect.
    pub const fn action(self) -> DisconnectAction {
        match self.0 {
            804 => DisconnectAction::AwaitChange,
            805 => DisconnectAction::CoolOff,
            806 | 808 | 810 => DisconnectAction::AwaitCredentials,
            807 | 809 => DisconnectAction::AwaitToken,
            _ => DisconnectAction::Reconnect,
        }
    }

    /// In words.
    pub const fn meaning(self) -> &'static str {
        match self.0 {
            800 => "internal server error",
            804 => "too many instruments requested",
            805 => "too many connections or requests",
            806 => "data plan not subscribed",
            807 => "access token expired",
            808 => "authentication failed",
            809 => "access token invalid",
            810 => "client id invalid",
            811 => "expiry date invalid",
            812 => "date format invalid",
            813 => "security id invalid",
            814 => "request invalid",
            _ => "undocumented reason",
        }
    }
}

impl fmt::Display for DisconnectReason {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        write!(f, "{} ({})", self.0, self.meaning())
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn every_documented_reason_has_one_action() {
        // dhan-v2.md 1.8; A17, A18, A19.
        use DisconnectAction::*;
        let table = [
            (800, Reconnect),
            (804, AwaitChange),
            (805, CoolOff),
            (806, AwaitCredentials),
            (807, AwaitToken),
            (808, AwaitCredentials),
            (809, AwaitToken),
            (810, AwaitCredentials),
            (811, Reconnect),
            (812, Reconnect),
            (813, Reconnect),
            (814, Reconnect),
        ];
        for (reason, action) in table {
            assert_eq!(DisconnectReason(reason).action(), action, "{reason}");
            assert_ne!(DisconnectReason(reason).meaning(), "undocumented reason");
        }
        for undocumented in [0, 801, 802, 803, 815, 65_535] {
            assert_eq!(DisconnectReason(undocumented).action(), Reconnect);
        }
        assert_eq!(DisconnectReason(805).to_string(), "805 (too many connections or requests)");
    }
}
