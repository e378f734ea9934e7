//! POST /charts/historical and /charts/intraday: parallel arrays of doubles in exponent form (dhan-v2.md 10.2).

use scalper_decide::domain::{Instant, Segment};
use serde::{Deserialize, Serialize};

use super::scalar::{self, Number};
use super::words;
use crate::broker::market::{Bar, BarRequest};

/// Body of both endpoints.
#[derive(Debug, Clone, PartialEq, Eq, Serialize, Deserialize)]
#[serde(rename_all = "camelCase")]
pub struct CandleBody {
    /// Token.
    #[serde(with = "scalar::security_id")]
    pub security_id: u32,
    /// Segment.
    #[serde(with = "words::segment")]
    pub exchange_segment: Segment,
    /// `INDEX`, `OPTIDX`, ...
    pub instrument: String,
    /// Minutes, as a text; intraday only.
    #[serde(default, with = "scalar::empty", skip_serializing_if = "Option::is_none")]
    pub interval: Option<String>,
    /// 0 for an index and for a concrete contract.
    #[serde(default, with = "scalar::maybe")]
    pub expiry_code: Option<scalar::Count>,
    /// With open interest.
    #[serde(default, with = "scalar::flag")]
    pub oi: bool,
    /// First day, `YYYY-MM-DD`, also with a time.
    pub from_date: String,
    /// Day after the last one.
    pub to_date: String,
}

impl CandleBody {
    /// The body of a request of ours.
    pub fn of(request: &BarRequest) -> CandleBody {
        CandleBody {
            security_id: request.security_id,
            exchange_segment: request.segment,
            instrument: request.instrument.to_owned(),
            interval: request.minutes.map(|m| m.to_string()),
            expiry_code: None,
            oi: request.oi,
            from_date: request.from.to_string(),
            to_date: request.to.to_string(),
        }
    }
}

/// The arrays. A missing value is null.
#[derive(Debug, Clone, PartialEq, Default, Serialize, Deserialize)]
pub struct Candles {
    /// Opens, rupees.
    pub open: Vec<Option<Number>>,
    /// Highs, rupees.
    pub high: Vec<Option<Number>>,
    /// Lows, rupees.
    pub low: Vec<Option<Number>>,
    /// Closes, rupees.
    pub close: Vec<Option<Number>>,
    /// Units.
    pub volume: Vec<Option<Number>>,
    /// Starts, true Unix seconds.
    pub timestamp: Vec<Option<Number>>,
    /// Units; empty when not asked for.
    #[serde(default, skip_serializing_if = "Vec::is_empty")]
    pub open_interest: Vec<Option<Number>>,
}

/// Why arrays are no bars.
#[derive(Debug, Clone, PartialEq, Eq, thiserror::Error)]
pub enum CandleError {
    /// One array is longer than another: no value can be trusted to stand at its bar.
    #[error("arrays of unequal length: {0:?}")]
    UnequalLengths([usize; 7]),
    /// Time does not rise.
    #[error("bar {0} does not start after the one before it")]
    NotAscending(usize),
}

impl Candles {
    /// The bars. One with a missing price or time, or whose high is not the highest, is left out.
    pub fn bars(&self) -> Result<Vec<Bar>, CandleError> {
        let n = self.timestamp.len();
        let lengths = [
            n,
            self.open.len(),
            self.high.len(),
            self.low.len(),
            self.close.len(),
            self.volume.len(),
            self.open_interest.len(),
        ];
        if lengths[..6].iter().any(|length| *length != n) || (lengths[6] != n && lengths[6] != 0) {
            return Err(CandleError::UnequalLengths(lengths));
        }
        let mut bars: Vec<Bar> = Vec::with_capacity(n);
        for i in 0..n {
            let Some(bar) = self.bar(i) else { continue };
            if bars.last().is_some_and(|last| last.start >= bar.start) {
                return Err(CandleError::NotAscending(i));
            }
            bars.push(bar);
        }
        Ok(bars)
    }

    fn bar(&self, i: usize) -> Option<Bar> {
        // Seconds outside these are no time of a market and would not fit nanoseconds.
        let start = self.timestamp[i].map(Number::whole).filter(|s| (0..9_000_000_000).contains(s))?;
        let price = |array: &[Option<Number>]| array[i].map(Number::paise).filter(|p| *p > 0);
        let (open, high) = (price(&self.open)?, price(&self.high)?);
        let (low, close) = (price(&self.low)?, price(&self.close)?);
        if low > open.min(close) || high < open.max(close) {
            return None;
        }
        Some(Bar {
            start: Instant::from_secs(start),
            open,
            high,
            low,
            close,
            volume: self.volume[i].map_or(0, Number::whole),
            oi: self.open_interest.get(i).copied().flatten().map(Number::whole),
        })
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    fn candles(text: &str) -> Candles {
        serde_json::from_str(text).unwrap()
    }

    #[test]
    fn exponents_are_read_and_a_bar_with_a_null_is_left_out() {
        let bars = candles(
            r#"{"open":[1687.0,null],"high":[1687.0,2],"low":[1651.25,1],"close":[1664.9,1],
                "volume":[1.7454579E7,0],"timestamp":[1.7375706E9,1.737657E9]}"#,
        )
        .bars()
        .unwrap();
        assert_eq!(bars.len(), 1);
        assert_eq!((bars[0].open, bars[0].close, bars[0].volume), (168_700, 166_490, 17_454_579));
        assert_eq!(bars[0].start.ist_text(), "2025-01-23T00:00:00+05:30");
    }

    #[test]
    fn unequal_arrays_and_time_that_stands_still_are_refused() {
        let unequal =
            candles(r#"{"open":[1,1],"high":[1],"low":[1,1],"close":[1,1],"volume":[0,0],"timestamp":[1,2]}"#);
        assert_eq!(unequal.bars(), Err(CandleError::UnequalLengths([2, 2, 1, 2, 2, 2, 0])));
        let still =
            candles(r#"{"open":[1,1],"high":[1,1],"low":[1,1],"close":[1,1],"volume":[0,0],"timestamp":[5,5]}"#);
        assert_eq!(still.bars(), Err(CandleError::NotAscending(1)));
        assert_eq!(Candles::default().bars(), Ok(Vec::new()));
    }
}
