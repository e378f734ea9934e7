//! The verbs of the command line: one file per verb; a verb parses, calls, prints.

pub mod greeks;
