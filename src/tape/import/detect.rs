//! Recognises a layout by first bytes and header.

use super::error::ImportError;
use super::input::Input;
use super::options::Layout;

/// The layout of a file.
///
/// # Errors
/// [`ImportError::UnknownLayout`] with what was seen.
pub fn detect(input: &Input) -> Result<Layout, ImportError> {
    if input.is_parquet() {
        return Ok(Layout::Ticks);
    }
    let unknown = |detail: String| ImportError::UnknownLayout { file: input.shown(), detail };
    if input.bytes().first() == Some(&b'{') {
        return json(input).ok_or_else(|| unknown("JSON of an unknown shape".to_owned()));
    }
    let table = input.table()?;
    let has = |names: &[&str]| names.iter().all(|n| table.find(&[n]).is_some());
    let bars = has(&["open", "high", "low", "close"]);
    let layout = if has(&["ce_open", "pe_open", "strike", "expiry"]) {
        Layout::RollingOptions
    } else if has(&["nse_ts", "collected_at", "ce_ltp"]) {
        Layout::NseChain
    } else if has(&["recv_ts", "type", "bid_price_1"]) {
        Layout::DhanFullCsv
    } else if has(&["timestamp", "symbol", "bid_price1"]) {
        Layout::OptionvaultLevel2
    } else if has(&["timestamp", "price", "tradingsymbol", "instrument_type"]) {
        Layout::OptionvaultTicks
    } else if bars && has(&["datetime"]) {
        Layout::OptionvaultBars
    } else if bars && has(&["ts"]) {
        Layout::IndexBars
    } else {
        return Err(unknown(format!("the header is {}", table.header().join(","))));
    };
    Ok(layout)
}

fn json(input: &Input) -> Option<Layout> {
    let text = input.text().ok()?;
    let value: serde_json::Value = match serde_json::from_str(text) {
        Ok(value) => value,
        Err(_) => serde_json::from_str(text.lines().next()?).ok()?,
    };
    if value.get("hex").is_some() {
        return Some(Layout::DhanPackets);
    }
    let path = value.get("path").and_then(|p| p.as_str()).unwrap_or_default();
    let data = value.get("data");
    if path.ends_with("/charts/intraday") || (value.get("open").is_some() && value.get("timestamp").is_some()) {
        Some(Layout::DhanIntraday)
    } else if path.ends_with("/optionchain") || data.is_some_and(|d| d.get("oc").is_some()) {
        Some(Layout::DhanChain)
    } else if data.and_then(|d| d.get(0)).is_some_and(|row| row.get("call_options").is_some()) {
        Some(Layout::UpstoxChain)
    } else {
        None
    }
}
