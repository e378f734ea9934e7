//! What can go wrong with a call to a broker, classified once at the edge, and what that means for an order (P1, L3).

use std::fmt;

use scalper_decide::domain::VenueRefusal;
use scalper_decide::domain::broker::Answer;

/// Reason of a refusal because of the broker's rate limit. The call was not processed (dhan-v2.md 9.1, probe P5), but
/// sending it again is a decision of its own, never automatic.
pub const RATE_LIMITED: &str = "rate limited";

/// What the broker said when it did not do what was asked.
#[derive(Debug, Clone, PartialEq, Eq, Default)]
pub struct Said {
    /// HTTP status; `None` when no complete answer came.
    pub http: Option<u16>,
    /// The broker's code, e.g. `DH-905`, `806`, `RS-9005`.
    pub code: Option<String>,
    /// Its words, shortened and free of tokens.
    pub text: String,
}

impl fmt::Display for Said {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        match self.http {
            Some(http) => write!(f, "HTTP {http}")?,
            None => f.write_str("no answer")?,
        }
        if let Some(code) = &self.code {
            write!(f, " {code}")?;
        }
        if !self.text.is_empty() {
            write!(f, ": {}", self.text)?;
        }
        Ok(())
    }
}

/// Why a call did not do what it should.
#[derive(Debug, Clone, PartialEq, Eq, thiserror::Error)]
pub enum Fault {
    /// The broker understood the call and declined it; asking the same again gives the same.
    #[error("refused: {said}")]
    Refused {
        /// Why, in our words.
        refusal: VenueRefusal,
        /// What was said.
        said: Said,
    },
    /// There is nothing of what was asked for (DH-907, DH-1111).
    #[error("no data: {0}")]
    NoData(Said),
    /// The token is expired, replaced or wrong: everything waits for a new one (B1, B2).
    #[error("the token is not accepted: {0}")]
    TokenDead(Said),
    /// Too many calls (B6).
    #[error("rate limited: {0}")]
    RateLimited(Said),
    /// Account, subscription, address or program is wrong; only a person can change that (B5).
    #[error("{0}")]
    Fatal(Said),
    /// The broker is in trouble or did not answer. A read may be asked again; an order is in doubt.
    #[error("no usable answer: {0}")]
    RetryableRead(Said),
    /// An answer nobody can read, or one that proves nothing (B12).
    #[error("an answer that says nothing: {0}")]
    Unknown(Said),
    /// Proven that no byte of the request left (B9).
    #[error("not sent: {0}")]
    NotSent(String),
}

impl Fault {
    /// Whether asking again soon may help; only ever for reads.
    pub const fn is_retryable_read(&self) -> bool {
        matches!(self, Fault::RetryableRead(_) | Fault::NotSent(_) | Fault::Unknown(_))
    }

    /// What was said, when anything was.
    pub const fn said(&self) -> Option<&Said> {
        match self {
            Fault::Refused { said, .. }
            | Fault::NoData(said)
            | Fault::TokenDead(said)
            | Fault::RateLimited(said)
            | Fault::Fatal(said)
            | Fault::RetryableRead(said)
            | Fault::Unknown(said) => Some(said),
            Fault::NotSent(_) => None,
        }
    }

    /// The same with every text of the broker changed, to take secrets out.
    #[must_use]
    pub fn map_text(mut self, change: impl Fn(&str) -> String) -> Fault {
        match &mut self {
            Fault::Refused { refusal, said } => {
                if let VenueRefusal::Other(text) = refusal {
                    *text = change(text);
                }
                said.text = change(&said.text);
            }
            Fault::NoData(said)
            | Fault::TokenDead(said)
            | Fault::RateLimited(said)
            | Fault::Fatal(said)
            | Fault::RetryableRead(said)
            | Fault::Unknown(said) => said.text = change(&said.text),
            Fault::NotSent(why) => *why = change(why),
        }
        self
    }

    /// What this means for a call that changes an order. Only the broker's own refusal proves that nothing happened;
    /// everything unclear is [`Answer::Unknown`].
    ///
    /// A dead token is [`Answer::NotSent`]: the broker turns such a call away before it looks at it, so the order
    /// does not exist and the intent may be tried again with a good token.
    pub fn into_answer(self) -> Answer {
        match self {
            Fault::Refused { refusal, .. } => Answer::Refused { refusal },
            Fault::NoData(said) | Fault::Fatal(said) => {
                Answer::Refused { refusal: VenueRefusal::Other(said.to_string()) }
            }
            Fault::RateLimited(_) => Answer::Refused { refusal: VenueRefusal::Other(RATE_LIMITED.to_owned()) },
            fault @ Fault::TokenDead(_) => Answer::NotSent { why: fault.to_string() },
            Fault::NotSent(why) => Answer::NotSent { why },
            Fault::RetryableRead(said) | Fault::Unknown(said) => Answer::Unknown { what: said.to_string() },
        }
    }
}
