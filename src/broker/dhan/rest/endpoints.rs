//! Where everything lives: hosts and paths, all of them configurable (dhan-v2.md 0.1).

use reqwest::Url;
use serde::{Deserialize, Serialize};

/// Hosts and paths. Every missing key has Dhan's value.
#[derive(Debug, Clone, PartialEq, Eq, Serialize, Deserialize)]
#[serde(default, deny_unknown_fields)]
pub struct Endpoints {
    /// REST, up to and including the version.
    #[serde(with = "address")]
    pub rest: Url,
    /// Compact instrument list.
    #[serde(with = "address")]
    pub instruments: Url,
    /// Paths below `rest`.
    pub paths: Paths,
}

/// An address as text.
mod address {
    use super::Url;
    use serde::{Deserialize as _, Deserializer, Serializer};

    pub(super) fn serialize<S: Serializer>(url: &Url, s: S) -> Result<S::Ok, S::Error> {
        s.serialize_str(url.as_str())
    }

    pub(super) fn deserialize<'de, D: Deserializer<'de>>(d: D) -> Result<Url, D::Error> {
        let text = String::deserialize(d)?;
        Url::parse(&text).map_err(|e| serde::de::Error::custom(format!("{text:?}: {e}")))
    }
}

impl Default for Endpoints {
    fn default() -> Endpoints {
        let url = |text: &str| Url::parse(text).expect("a literal address");
        Endpoints {
            rest: url("https://api.dhan.co/v2"),
            instruments: url("https://images.dhan.co/api-data/api-scrip-master.csv"),
            paths: Paths::default(),
        }
    }
}

macro_rules! paths {
    ($($(#[$doc:meta])* $name:ident = $path:literal;)*) => {
        /// Paths below the REST host.
        #[derive(Debug, Clone, PartialEq, Eq, Serialize, Deserialize)]
        #[serde(default, deny_unknown_fields)]
        pub struct Paths {
            $($(#[$doc])* pub $name: String,)*
        }

        impl Default for Paths {
            fn default() -> Paths {
                Paths { $($name: $path.to_owned(),)* }
            }
        }
    };
}

paths! {
    /// Order book; POST places, `/{id}` changes.
    orders = "orders";
    /// Placing above the freeze quantity.
    slicing = "orders/slicing";
    /// Look-up by correlation id.
    external = "orders/external";
    /// Trade book.
    trades = "trades";
    /// Super orders.
    super_orders = "super/orders";
    /// Positions; DELETE closes all.
    positions = "positions";
    /// Conversion of a position.
    convert = "positions/convert";
    /// Holdings.
    holdings = "holdings";
    /// Funds.
    funds = "fundlimit";
    /// Margin of one order.
    margin = "margincalculator";
    /// Margin of several.
    margin_multi = "margincalculator/multi";
    /// Kill switch.
    kill_switch = "killswitch";
    /// Profit-and-loss exit.
    pnl_exit = "pnlExit";
    /// Last prices.
    ltp = "marketfeed/ltp";
    /// Last prices and the day's range.
    ohlc = "marketfeed/ohlc";
    /// Full quotes.
    quote = "marketfeed/quote";
    /// Daily bars.
    historical = "charts/historical";
    /// Minute bars.
    intraday = "charts/intraday";
    /// Option chain.
    option_chain = "optionchain";
    /// Expiries.
    expiry_list = "optionchain/expirylist";
    /// Profile.
    profile = "profile";
    /// Setting the static address.
    ip_set = "ip/setIP";
    /// Changing it.
    ip_modify = "ip/modifyIP";
    /// Reading it.
    ip_get = "ip/getIP";
    /// Renewing the token.
    renew_token = "RenewToken";
}

/// The address is not on this machine, so the simulator cannot be there (N17).
#[derive(Debug, Clone, PartialEq, Eq, thiserror::Error)]
pub enum NotLoopback {
    /// Not a loopback address written in numbers; a name could resolve to anything.
    #[error("the simulator lives on a loopback address such as 127.0.0.1, not on {0:?}")]
    Host(String),
    /// Not plain HTTP.
    #[error("the simulator speaks http, not {0:?}")]
    Scheme(String),
    /// Not an address at all.
    #[error("{0:?} is not an address")]
    Url(String),
}

impl Endpoints {
    /// Everything at one loopback address, e.g. `http://127.0.0.1:7000/v2`; the instrument list is `/instruments.csv`
    /// of the same host.
    pub fn at_simulator(base: &str) -> Result<Endpoints, NotLoopback> {
        let rest = Url::parse(base).map_err(|_| NotLoopback::Url(base.to_owned()))?;
        if rest.scheme() != "http" {
            return Err(NotLoopback::Scheme(rest.scheme().to_owned()));
        }
        if !is_loopback(&rest) {
            return Err(NotLoopback::Host(rest.host_str().unwrap_or_default().to_owned()));
        }
        let mut instruments = rest.clone();
        instruments.set_path("/instruments.csv");
        Ok(Endpoints { rest, instruments, paths: Paths::default() })
    }

    /// A path below the REST host, each further segment escaped.
    pub fn at(&self, path: &str, segments: &[&str]) -> Url {
        let mut url = self.rest.clone();
        url.path_segments_mut()
            .expect("an http address has a path")
            .pop_if_empty()
            .extend(path.split('/').filter(|s| !s.is_empty()))
            .extend(segments);
        url
    }

    /// Hosts that an account's token may be sent to: TLS everywhere, plain HTTP on loopback only (B14). `Err` names
    /// the address that is neither.
    pub fn check_transport(&self) -> Result<(), String> {
        for url in [&self.rest, &self.instruments] {
            let plain_at_home = url.scheme() == "http" && is_loopback(url);
            if url.cannot_be_a_base() || !(url.scheme() == "https" || plain_at_home) {
                return Err(format!("{url}: https is required outside this machine"));
            }
        }
        Ok(())
    }
}

/// Whether the host is a loopback address in numbers.
pub fn is_loopback(url: &Url) -> bool {
    let host = url.host_str().unwrap_or_default().trim_start_matches('[').trim_end_matches(']');
    host.parse::<std::net::IpAddr>().is_ok_and(|ip| ip.is_loopback())
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn a_simulator_is_on_this_machine_or_refused_by_type() {
        // N17, F-67.
        for ok in ["http://127.0.0.1:7000/v2", "http://[::1]:7000", "http://127.9.9.9/v2/"] {
            assert!(Endpoints::at_simulator(ok).is_ok(), "{ok}");
        }
        for host in [
            "http://api.dhan.co/v2",
            "http://localhost/v2",
            "http://10.0.0.1",
            "http://127.0.0.1.evil.example",
            "http://0.0.0.0",
        ] {
            assert!(matches!(Endpoints::at_simulator(host), Err(NotLoopback::Host(_))), "{host}");
        }
        assert!(matches!(Endpoints::at_simulator("https://127.0.0.1"), Err(NotLoopback::Scheme(_))));
        assert!(matches!(Endpoints::at_simulator("127.0.0.1"), Err(NotLoopback::Url(_))));
    }

    #[test]
    fn ids_are_escaped_and_a_trailing_slash_does_not_matter() {
        for base in ["http://127.0.0.1:1/v2", "http://127.0.0.1:1/v2/"] {
            let ends = Endpoints::at_simulator(base).unwrap();
            assert_eq!(ends.at("orders", &["1 2/../x?y"]).as_str(), "http://127.0.0.1:1/v2/orders/1%202%2F..%2Fx%3Fy");
            assert_eq!(ends.at("orders/external", &["A-1"]).as_str(), "http://127.0.0.1:1/v2/orders/external/A-1");
        }
    }

    #[test]
    fn a_token_never_travels_in_the_clear() {
        let mut ends = Endpoints::default();
        assert_eq!(ends.check_transport(), Ok(()));
        ends.rest = Url::parse("http://api.dhan.co/v2").unwrap();
        assert!(ends.check_transport().is_err());
    }
}
