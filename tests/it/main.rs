//! The one integration-test binary; each module is a group of scenarios.

mod determinism;
mod lookahead;
mod real_days;
mod review;
mod support;
mod tidy;
