//! What a connection to a broker is for, as types: paper and live are different ones, so the wrong call does not
//! compile (F-67, N17).

mod sealed {
    /// Nobody else adds a mode that may trade.
    pub trait Sealed {}
}

/// Reads only: orders are matched in process, and nothing that could write one can be built.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub enum Paper {}

/// Orders go to the simulator, on this machine.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub enum Sim {}

/// Orders go to the exchange.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub enum Live {}

/// Modes in which orders exist. [`Paper`] is not one of them:
///
/// ```compile_fail,E0277
/// fn trades<M: scalper::broker::MayTrade>() {}
/// trades::<scalper::broker::Paper>();
/// ```
/// ```
/// fn trades<M: scalper::broker::MayTrade>() {}
/// trades::<scalper::broker::Sim>();
/// trades::<scalper::broker::Live>();
/// ```
pub trait MayTrade: sealed::Sealed + Send + Sync + 'static {
    /// Whether its orders cost money.
    const IS_LIVE: bool;
}

impl sealed::Sealed for Sim {}
impl sealed::Sealed for Live {}
impl MayTrade for Sim {
    const IS_LIVE: bool = false;
}
impl MayTrade for Live {
    const IS_LIVE: bool = true;
}

/// The one value that allows live orders; made once, at start, from a phrase a person typed (F-67).
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct LiveConsent {
    account: String,
}

/// The phrase was not the one asked for.
#[derive(Debug, Clone, PartialEq, Eq, thiserror::Error)]
#[error("live orders need the exact phrase {expected:?}")]
pub struct NoConsent {
    /// What had to be typed.
    pub expected: String,
}

impl LiveConsent {
    /// The phrase for an account.
    pub fn phrase(account: &str) -> String {
        format!("trade live with {account}")
    }

    /// Consent for `account`, when `typed` is its phrase to the letter.
    pub fn given(account: &str, typed: &str) -> Result<LiveConsent, NoConsent> {
        let expected = LiveConsent::phrase(account);
        if !account.is_empty() && typed.trim() == expected {
            Ok(LiveConsent { account: account.to_owned() })
        } else {
            Err(NoConsent { expected })
        }
    }

    /// The account it was given for.
    pub fn account(&self) -> &str {
        &self.account
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn consent_names_the_account_it_is_for() {
        assert_eq!(LiveConsent::given("1000000001", "trade live with 1000000001\n").unwrap().account(), "1000000001");
        for typed in ["", "yes", "trade live with 1000000002", "Trade Live With 1000000001"] {
            assert!(LiveConsent::given("1000000001", typed).is_err(), "{typed:?}");
        }
        assert!(LiveConsent::given("", "trade live with ").is_err());
    }
}
