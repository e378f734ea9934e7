//! From settings, the day's list and prices to what is wanted: the chains of tier B, and those a start puts into tier A.
//! Every figure is counted from the list; nothing is assumed about expiry days, steps or ids.

mod expand;
mod price_of;
pub mod settings;

pub use expand::{Asked, Expanded, Group, Share, Universe};
pub use price_of::{PriceOf, price_of};
pub use settings::UniverseSettings;

#[cfg(test)]
mod tests;
