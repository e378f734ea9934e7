//! The closed list of what can go wrong at the simulated broker, and where each of it happens.

use scalper_decide::domain::Age;
use serde::{Deserialize, Serialize};

/// Where a fault has its occasions.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub enum Occasion {
    /// A call that changes something has arrived; nothing has looked at it.
    Arrival,
    /// The same, for calls that may end a position: sells, changes and cancellations.
    ExitArrival,
    /// A call that changes something was accepted; its answer has not left.
    Acceptance,
    /// The same, for new orders.
    Placement,
    /// Any answer that has not left.
    Answer,
    /// Any call, on its way in or, for reads, on its way out.
    Call,
    /// A list of orders, executions or positions was answered.
    List,
    /// A list, or a look-up by tag, was answered.
    Read,
    /// A look-up by tag was answered.
    LookUp,
    /// A frame of order updates is about to be written.
    Update,
    /// A message of the market feed is about to be written.
    FeedMessage,
    /// A client of the market feed connects.
    FeedConnection,
}

macro_rules! kinds {
    ($( $(#[doc = $doc:literal])+ $name:ident = $word:literal at $occasion:ident $(lasts $millis:literal)? ; )+) => {
        /// Something that goes wrong.
        #[derive(Debug, Clone, Copy, PartialEq, Eq, PartialOrd, Ord, Hash, Serialize, Deserialize)]
        pub enum FaultKind {
            $( $(#[doc = $doc])+ #[serde(rename = $word)] $name, )+
        }

        impl FaultKind {
            /// All of them, in the order of the documentation.
            pub const ALL: &[FaultKind] = &[$( FaultKind::$name, )+];

            /// Its word in a schedule.
            pub const fn word(self) -> &'static str {
                match self { $( FaultKind::$name => $word, )+ }
            }

            /// What it does, in words.
            pub const fn words(self) -> &'static str {
                match self { $( FaultKind::$name => concat!($($doc),+).trim_ascii(), )+ }
            }

            /// Where it happens.
            pub const fn occasion(self) -> Occasion {
                match self { $( FaultKind::$name => Occasion::$occasion, )+ }
            }

            /// How long it lasts unless the schedule says otherwise; `None` where it has no length.
            pub const fn usual_length(self) -> Option<Age> {
                match self { $( FaultKind::$name => kinds!(@length $($millis)?), )+ }
            }
        }
    };
    (@length) => { None };
    (@length $millis:literal) => { Some(Age::from_millis($millis)) };
}

kinds! {
    /// A call is lost before anybody took it; the connection is cut.
    RequestLost = "request_lost" at Arrival;
    /// A call was accepted and its answer is lost.
    ResponseLost = "response_lost" at Acceptance;
    /// A call was accepted and its answer comes late.
    ResponseDelayed = "response_delayed" at Acceptance lasts 2_500;
    /// A call waits on its way, longer than its client does, and is carried out all the same.
    LateArrival = "late_arrival" at Arrival lasts 15_000;
    /// A call is carried out twice; the client gets the first answer. New orders are spared: the broker has no
    /// defence against those, and no client could either.
    DeliveredTwice = "delivered_twice" at Acceptance;
    /// A call was accepted and is answered with a server error.
    ErrorAfterAcceptance = "error_after_acceptance" at Acceptance;
    /// A call is answered with a server error and was never looked at.
    ErrorBeforeAcceptance = "error_before_acceptance" at Arrival;
    /// A call is answered 429, DH-904.
    RateLimited = "rate_limited" at Arrival;
    /// A call is answered by the edge, with a page of HTML, and was never looked at.
    HtmlPage = "html_page" at Arrival;
    /// A call is refused in a shape of another room of the API.
    OtherErrorShape = "other_error_shape" at Arrival;
    /// A sell, a change or a cancellation is refused by the broker's risk checks.
    ExitRefused = "exit_refused" at ExitArrival;
    /// The token is not accepted for a while: every call is answered DH-901.
    TokenExpired = "token_expired" at Call lasts 2_000;
    /// The connection is reset; a read has no answer, a call that changes something is not looked at.
    ConnectionReset = "connection_reset" at Call;
    /// Characters of an answer are damaged.
    GarbledBody = "garbled_body" at Answer;
    /// The second half of an answer is missing.
    TruncatedBody = "truncated_body" at Answer;
    /// An answer has nothing in it.
    EmptyBody = "empty_body" at Answer;
    /// The keys of an answer are written in another casing.
    OtherCasing = "other_casing" at Answer;
    /// An answer arrives in two halves, the second one late.
    SlowBody = "slow_body" at Answer lasts 1_500;
    /// A list of orders, executions or positions is empty.
    EmptyBook = "empty_book" at List;
    /// A list or a look-up is answered as it would have been a while ago.
    StaleBook = "stale_book" at Read lasts 4_000;
    /// A list is answered with a server error.
    BookError = "book_error" at List;
    /// A look-up by tag is answered with a server error.
    LookUpError = "look_up_error" at LookUp;
    /// The answer to a new order is held back until its execution has long been told.
    FillBeforeAcceptance = "fill_before_acceptance" at Placement lasts 3_500;
    /// An order update is lost.
    UpdateDropped = "update_dropped" at Update;
    /// An order update comes twice.
    UpdateDuplicated = "update_duplicated" at Update;
    /// An order update comes after the one behind it.
    UpdateReordered = "update_reordered" at Update;
    /// An order update comes late.
    UpdateDelayed = "update_delayed" at Update lasts 3_000;
    /// An order update ends in the middle.
    UpdateGarbled = "update_garbled" at Update;
    /// The keys of an order update are written in another casing.
    UpdateOtherCasing = "update_other_casing" at Update;
    /// The order-update connection is dead with TCP open; what comes up meanwhile is lost.
    UpdatesHalfOpen = "updates_half_open" at Update lasts 20_000;
    /// Order updates stand still and then come all at once.
    UpdatesStalled = "updates_stalled" at Update lasts 5_000;
    /// The order-update connection is reset.
    UpdatesDisconnected = "updates_disconnected" at Update;
    /// A message of the feed is lost.
    FeedDropped = "feed_dropped" at FeedMessage;
    /// A message of the feed comes twice.
    FeedDuplicated = "feed_duplicated" at FeedMessage;
    /// Bytes of a feed message are damaged.
    FeedGarbled = "feed_garbled" at FeedMessage;
    /// A packet with a code nobody knows comes before a feed message.
    FeedUnknownPacket = "feed_unknown_packet" at FeedMessage;
    /// A feed message is glued to the one behind it.
    FeedGlued = "feed_glued" at FeedMessage;
    /// The trade times of a feed message lie a minute back.
    FeedBackwardsTime = "feed_backwards_time" at FeedMessage;
    /// The feed stands still and then comes all at once.
    FeedStalled = "feed_stalled" at FeedMessage lasts 2_500;
    /// The feed connection is dead with TCP open; what comes up meanwhile is lost.
    FeedHalfOpen = "feed_half_open" at FeedMessage lasts 8_000;
    /// Pings are answered and no data comes; what comes up meanwhile is lost.
    FeedSilent = "feed_silent" at FeedMessage lasts 5_000;
    /// The feed connection is reset.
    FeedDisconnected = "feed_disconnected" at FeedMessage;
    /// A connecting client of the feed is sent away with 805, too many connections.
    FeedRefused805 = "feed_refused_805" at FeedConnection;
    /// A connecting client of the feed is answered 429 in place of the upgrade.
    FeedRefused429 = "feed_refused_429" at FeedConnection;
}

impl FaultKind {
    /// The kind with this word.
    pub fn from_word(word: &str) -> Option<FaultKind> {
        FaultKind::ALL.iter().copied().find(|kind| kind.word() == word)
    }
}
