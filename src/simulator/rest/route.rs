//! Where a request goes (dhan-v2.md 5.1, 6.1, 7, 10).

use crate::simulator::limits::Family;

/// An endpoint with the variable parts of its path.
#[derive(Debug, Clone, PartialEq, Eq)]
pub(super) enum Route {
    PlaceOrder,
    Slice,
    ModifyOrder(String),
    CancelOrder(String),
    OrderBook,
    Order(String),
    ByTag(String),
    TradeBook,
    TradesOf(String),
    TradeHistory { from: String, to: String, page: String },
    PlaceSuper,
    ModifySuper(String),
    CancelSuper { id: String, leg: String },
    SuperBook,
    Positions,
    ExitAll,
    Convert,
    Holdings,
    Funds,
    Margin,
    KillSwitch,
    SetKillSwitch,
    PnlExit,
    SetPnlExit,
    ClearPnlExit,
    Ltp,
    Ohlc,
    Quote,
    Intraday,
    Historical,
    Chain,
    Expiries,
    SegmentCsv(String),
    Profile,
    Ip,
    RenewToken,
}

/// Why there is no endpoint.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub(super) enum Missing {
    Path,
    Method,
}

/// Finds the endpoint of a path below the version.
pub(super) fn find(method: &str, segments: &[&str]) -> Result<Route, Missing> {
    let own = |text: &str| text.to_owned();
    let options: &[(&str, Route)] = &match segments {
        ["orders"] => vec![("POST", Route::PlaceOrder), ("GET", Route::OrderBook)],
        ["orders", "slicing"] => vec![("POST", Route::Slice)],
        ["orders", "external", tag] => vec![("GET", Route::ByTag(own(tag)))],
        ["orders", id] => vec![
            ("GET", Route::Order(own(id))),
            ("PUT", Route::ModifyOrder(own(id))),
            ("DELETE", Route::CancelOrder(own(id))),
        ],
        ["trades"] => vec![("GET", Route::TradeBook)],
        ["trades", id] => vec![("GET", Route::TradesOf(own(id)))],
        ["trades", from, to, page] => {
            vec![("GET", Route::TradeHistory { from: own(from), to: own(to), page: own(page) })]
        }
        ["super", "orders"] => vec![("POST", Route::PlaceSuper), ("GET", Route::SuperBook)],
        ["super", "orders", id] => vec![("PUT", Route::ModifySuper(own(id)))],
        ["super", "orders", id, leg] => vec![("DELETE", Route::CancelSuper { id: own(id), leg: own(leg) })],
        ["positions"] => vec![("GET", Route::Positions), ("DELETE", Route::ExitAll)],
        ["positions", "convert"] => vec![("POST", Route::Convert)],
        ["holdings"] => vec![("GET", Route::Holdings)],
        ["fundlimit"] => vec![("GET", Route::Funds)],
        ["margincalculator"] => vec![("POST", Route::Margin)],
        ["killswitch"] => vec![("GET", Route::KillSwitch), ("POST", Route::SetKillSwitch)],
        ["pnlExit"] => {
            vec![("GET", Route::PnlExit), ("POST", Route::SetPnlExit), ("DELETE", Route::ClearPnlExit)]
        }
        ["marketfeed", "ltp"] => vec![("POST", Route::Ltp)],
        ["marketfeed", "ohlc"] => vec![("POST", Route::Ohlc)],
        ["marketfeed", "quote"] => vec![("POST", Route::Quote)],
        ["charts", "intraday"] => vec![("POST", Route::Intraday)],
        ["charts", "historical"] => vec![("POST", Route::Historical)],
        ["optionchain"] => vec![("POST", Route::Chain)],
        ["optionchain", "expirylist"] => vec![("POST", Route::Expiries)],
        ["instrument", segment] => vec![("GET", Route::SegmentCsv(own(segment)))],
        ["profile"] => vec![("GET", Route::Profile)],
        ["ip", "getIP"] => vec![("GET", Route::Ip)],
        ["RenewToken"] => vec![("GET", Route::RenewToken)],
        _ => return Err(Missing::Path),
    };
    options.iter().find(|(m, _)| *m == method).map(|(_, route)| route.clone()).ok_or(Missing::Method)
}

impl Route {
    /// What it counts against (dhan-v2.md 9.1); `None` where the room counts by what is asked.
    pub(super) const fn family(&self) -> Option<Family> {
        match self {
            Route::PlaceOrder
            | Route::Slice
            | Route::ModifyOrder(_)
            | Route::CancelOrder(_)
            | Route::PlaceSuper
            | Route::ModifySuper(_)
            | Route::CancelSuper { .. }
            | Route::ExitAll
            | Route::Convert => Some(Family::Order),
            Route::Ltp | Route::Ohlc | Route::Quote => Some(Family::Quote),
            Route::Intraday | Route::Historical | Route::Expiries | Route::SegmentCsv(_) => Some(Family::Data),
            Route::Chain => None,
            _ => Some(Family::Other),
        }
    }

    /// Whether it changes something.
    pub(super) const fn is_write(&self) -> bool {
        matches!(
            self,
            Route::PlaceOrder
                | Route::Slice
                | Route::ModifyOrder(_)
                | Route::CancelOrder(_)
                | Route::PlaceSuper
                | Route::ModifySuper(_)
                | Route::CancelSuper { .. }
                | Route::ExitAll
                | Route::Convert
                | Route::SetKillSwitch
                | Route::SetPnlExit
                | Route::ClearPnlExit
                | Route::RenewToken
        )
    }

    /// Whether the static address is looked at: orders of all kinds (dhan-v2.md 4.3).
    pub(super) const fn needs_address(&self) -> bool {
        matches!(
            self,
            Route::PlaceOrder
                | Route::Slice
                | Route::ModifyOrder(_)
                | Route::CancelOrder(_)
                | Route::PlaceSuper
                | Route::ModifySuper(_)
                | Route::CancelSuper { .. }
        )
    }

    /// Whether it needs the data plan.
    pub(super) const fn is_data(&self) -> bool {
        matches!(self, Route::Intraday | Route::Historical) || self.is_keyed()
    }

    /// Whether its errors have the shape of the data APIs, and the client id must be named in a header.
    pub(super) const fn is_keyed(&self) -> bool {
        matches!(self, Route::Ltp | Route::Ohlc | Route::Quote | Route::Chain | Route::Expiries)
    }

    /// Whether anybody may ask, without a token.
    pub(super) const fn is_public(&self) -> bool {
        matches!(self, Route::SegmentCsv(_))
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn slicing_and_external_are_no_order_numbers() {
        assert_eq!(find("POST", &["orders", "slicing"]), Ok(Route::Slice));
        assert_eq!(find("GET", &["orders", "11"]), Ok(Route::Order("11".to_owned())));
        assert_eq!(find("GET", &["orders", "external", "A"]), Ok(Route::ByTag("A".to_owned())));
        assert_eq!(find("POST", &["RenewToken"]), Err(Missing::Method));
        assert_eq!(find("GET", &["orders", "a", "b"]), Err(Missing::Path));
    }
}
