//! Indicators over closed bars: incremental, constant work per bar, running across sessions (VWAP alone resets).
//!
//! Values are f64 index points; nothing here is money. Two rules hold everywhere: input is a [`Bar`], whose
//! constructor has already refused whatever is not a believable price, and an output that is not yet defined is
//! `None`, never NaN. Each indicator stands behind the traits of the `ta` crate ([`ta::Next`], [`ta::Period`],
//! [`ta::Reset`]); the averages are our own because `ta`'s RSI and ATR are not Wilder's.
#![allow(clippy::float_arithmetic, reason = "indicators are models in index points, not money")]

pub mod adaptive_supertrend;
pub mod adx;
pub mod atr;
pub mod bar;
pub mod bars;
pub mod clusters;
pub mod ema;
pub mod rsi;
pub mod supertrend;
pub mod supertrend_model;
pub mod vwap;
pub mod wilder;

pub use adaptive_supertrend::{AdaptiveSupertrend, AdaptiveValue};
pub use adx::{Adx, AdxValue};
pub use atr::{Atr, TrueRange};
pub use bar::{BadBar, Bar};
pub use bars::{BarBuilder, TickFit};
pub use clusters::Regime;
pub use ema::Ema;
pub use rsi::Rsi;
pub use supertrend::{Supertrend, SupertrendValue};
pub use supertrend_model::SupertrendModel;
pub use vwap::Vwap;
pub use wilder::Wilder;
