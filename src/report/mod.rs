//! Says what a replay did to people: number formats, plain words, and the single-file HTML report.

pub mod figures;
pub mod format;
pub mod words;
