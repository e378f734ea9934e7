//! The broker's vocabulary in both directions: statuses, sides, types, products, segments and IST times, as they
//! stand in order updates and books (dhan-v2.md 3.2, 5.4, 5.5).

use chrono::{DateTime, Datelike, NaiveDateTime};
use scalper_decide::domain::broker::{BrokerOrderType, BrokerStatus, Product};
use scalper_decide::domain::time::{IST_OFFSET_SECS, NANOS_PER_SEC};
use scalper_decide::domain::{Instant, OrderSide, Segment};

const TIME: &str = "%Y-%m-%d %H:%M:%S";
/// What stands where there is no time.
pub const NO_TIME: &str = "0001-01-01 00:00:00";

/// Whether a text stands for "absent": empty, `NA`, `null` or `NR`.
pub fn is_absent(text: &str) -> bool {
    matches!(text.trim(), "" | "NA" | "null" | "NR")
}

/// A status in any casing; unknown words are kept and never final.
pub fn status(text: &str) -> BrokerStatus {
    let folded: String = text.trim().to_ascii_uppercase().replace([' ', '-'], "_");
    match folded.as_str() {
        "TRANSIT" => BrokerStatus::Transit,
        "PENDING" => BrokerStatus::Pending,
        "PART_TRADED" | "PARTTRADED" | "PARTIALLY_TRADED" => BrokerStatus::PartTraded,
        "TRADED" => BrokerStatus::Traded,
        "CANCELLED" | "CANCELED" => BrokerStatus::Cancelled,
        "REJECTED" => BrokerStatus::Rejected,
        "EXPIRED" => BrokerStatus::Expired,
        "TRIGGERED" => BrokerStatus::Triggered,
        "CLOSED" => BrokerStatus::Closed,
        _ => BrokerStatus::Other(folded),
    }
}

/// The status as the broker spells it in capitals.
pub fn status_word(status: &BrokerStatus) -> &str {
    match status {
        BrokerStatus::Transit => "TRANSIT",
        BrokerStatus::Pending => "PENDING",
        BrokerStatus::PartTraded => "PART_TRADED",
        BrokerStatus::Traded => "TRADED",
        BrokerStatus::Cancelled => "CANCELLED",
        BrokerStatus::Rejected => "REJECTED",
        BrokerStatus::Expired => "EXPIRED",
        BrokerStatus::Triggered => "TRIGGERED",
        BrokerStatus::Closed => "CLOSED",
        BrokerStatus::Other(word) => word,
    }
}

/// `B`/`S` of updates, `BUY`/`SELL` of books.
pub fn side(text: &str) -> Option<OrderSide> {
    match text.trim().to_ascii_uppercase().as_str() {
        "B" | "BUY" => Some(OrderSide::Buy),
        "S" | "SELL" => Some(OrderSide::Sell),
        _ => None,
    }
}

/// The side as an update spells it.
pub const fn side_letter(side: OrderSide) -> &'static str {
    match side {
        OrderSide::Buy => "B",
        OrderSide::Sell => "S",
    }
}

/// `LMT`, `MKT`, `SL`, `SLM` of updates, the long words of books.
pub fn order_type(text: &str) -> Option<BrokerOrderType> {
    match text.trim().to_ascii_uppercase().as_str() {
        "LMT" | "LIMIT" => Some(BrokerOrderType::Limit),
        "MKT" | "MARKET" => Some(BrokerOrderType::Market),
        "SL" | "STOP_LOSS" => Some(BrokerOrderType::StopLoss),
        "SLM" | "SL-M" | "STOP_LOSS_MARKET" => Some(BrokerOrderType::StopLossMarket),
        _ => None,
    }
}

/// The type as an update spells it.
pub const fn order_type_letters(order_type: BrokerOrderType) -> &'static str {
    match order_type {
        BrokerOrderType::Limit => "LMT",
        BrokerOrderType::Market => "MKT",
        BrokerOrderType::StopLoss => "SL",
        BrokerOrderType::StopLossMarket => "SLM",
    }
}

/// One letter in updates, a word in books.
pub fn product(text: &str) -> Product {
    match text.trim().to_ascii_uppercase().as_str() {
        "I" | "INTRADAY" => Product::Intraday,
        "M" | "MARGIN" => Product::Margin,
        "C" | "CNC" => Product::Cnc,
        "F" | "MTF" => Product::Mtf,
        other => Product::Other(other.to_owned()),
    }
}

/// The product as an update spells it.
pub fn product_letter(product: &Product) -> &str {
    match product {
        Product::Intraday => "I",
        Product::Margin => "M",
        Product::Cnc => "C",
        Product::Mtf => "F",
        Product::Other(word) => word,
    }
}

/// Segment from the two columns of an update, exchange and `E`/`D`/`C`/`M`.
pub fn segment(exchange: &str, letter: &str) -> Option<Segment> {
    match (exchange.trim().to_ascii_uppercase().as_str(), letter.trim().to_ascii_uppercase().as_str()) {
        ("NSE", "E") => Some(Segment::NseEq),
        ("NSE", "D") => Some(Segment::NseFno),
        ("NSE", "C") => Some(Segment::NseCurrency),
        ("BSE", "E") => Some(Segment::BseEq),
        ("BSE", "D") => Some(Segment::BseFno),
        ("BSE", "C") => Some(Segment::BseCurrency),
        ("MCX", "M") => Some(Segment::McxComm),
        // Some senders put the whole segment into one column.
        (_, whole) => Segment::from_name(whole),
    }
}

/// Exchange and letter of a segment; `None` for indices, which have no orders.
pub const fn segment_columns(segment: Segment) -> Option<(&'static str, &'static str)> {
    match segment {
        Segment::IdxI => None,
        Segment::NseEq => Some(("NSE", "E")),
        Segment::NseFno => Some(("NSE", "D")),
        Segment::NseCurrency => Some(("NSE", "C")),
        Segment::BseEq => Some(("BSE", "E")),
        Segment::BseFno => Some(("BSE", "D")),
        Segment::BseCurrency => Some(("BSE", "C")),
        Segment::McxComm => Some(("MCX", "M")),
    }
}

/// A naive IST time `YYYY-MM-DD HH:MM:SS`; `None` for sentinels (year 1, 1980 and before) and anything unreadable.
pub fn ist_time(text: &str) -> Option<Instant> {
    let naive = NaiveDateTime::parse_from_str(text.trim(), TIME).ok()?;
    // The upper bound keeps nanoseconds inside 64 bits.
    (1981..=2200).contains(&naive.year()).then(|| Instant::from_secs(naive.and_utc().timestamp() - IST_OFFSET_SECS))
}

/// An instant as a naive IST time, the sub-second part dropped.
pub fn ist_text(at: Instant) -> String {
    let secs = at.nanos().div_euclid(NANOS_PER_SEC) + IST_OFFSET_SECS;
    DateTime::from_timestamp(secs, 0).expect("64 bits of nanoseconds are inside the calendar").format(TIME).to_string()
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn statuses_are_read_in_any_casing_and_unknown_ones_are_not_final() {
        let all = [
            BrokerStatus::Transit,
            BrokerStatus::Pending,
            BrokerStatus::PartTraded,
            BrokerStatus::Traded,
            BrokerStatus::Cancelled,
            BrokerStatus::Rejected,
            BrokerStatus::Expired,
            BrokerStatus::Triggered,
            BrokerStatus::Closed,
        ];
        for one in all {
            let word = status_word(&one);
            let title = format!("{}{}", &word[..1], word[1..].to_lowercase());
            for spelled in [word.to_owned(), word.to_lowercase(), title, format!(" {word} ")] {
                assert_eq!(status(&spelled), one, "{spelled}");
            }
        }
        for unknown in ["CONFIRM", "Modified", "", "FROZEN"] {
            assert!(!status(unknown).is_final(), "{unknown}");
        }
        assert_eq!(status("Modified"), BrokerStatus::Other("MODIFIED".to_owned()));
    }

    #[test]
    fn words_read_back() {
        for one in [OrderSide::Buy, OrderSide::Sell] {
            assert_eq!(side(side_letter(one)), Some(one));
        }
        use BrokerOrderType::*;
        for one in [Limit, Market, StopLoss, StopLossMarket] {
            assert_eq!(order_type(order_type_letters(one)), Some(one));
        }
        for one in [Product::Intraday, Product::Margin, Product::Cnc, Product::Mtf, Product::Other("V".to_owned())] {
            assert_eq!(product(product_letter(&one)), one);
        }
        for code in 1..9 {
            let Some(one) = Segment::from_code(code) else { continue };
            let (exchange, letter) = segment_columns(one).unwrap();
            assert_eq!(segment(exchange, letter), Some(one));
        }
        assert_eq!(segment("NSE", "NSE_FNO"), Some(Segment::NseFno));
        assert_eq!(segment("NSE", "M"), None);
    }

    #[test]
    fn times_are_ist_and_sentinels_are_absent() {
        let at = ist_time("2026-06-10 09:49:57").unwrap();
        assert_eq!(at.ist_text(), "2026-06-10T09:49:57+05:30");
        assert_eq!(ist_text(at), "2026-06-10 09:49:57");
        for absent in [NO_TIME, "", "NA", "1980-01-01 00:00:00", "9999-12-31 23:59:59", "10/06/2026 09:49:57"] {
            assert_eq!(ist_time(absent), None, "{absent}");
        }
    }
}
