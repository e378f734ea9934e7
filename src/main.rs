//! The one binary: parses arguments and hands over.
fn main() {}
