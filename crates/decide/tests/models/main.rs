//! The models against independent answers: naive whole-window twins on random bars, and reference series computed
//! by other libraries.
#![allow(clippy::disallowed_methods, clippy::disallowed_types, reason = "tests read reference files")]

mod bar_aggregation;
mod greeks_properties;
mod indicator_reference;
mod indicator_twins;
mod naive;
mod option_reference;
mod shared_data;
