//! The one integration-test binary; each module is a group of scenarios.

mod cli_bad_input;
mod cli_verbs;
mod demo;
mod determinism;
mod lookahead;
mod operator;
mod real_days;
mod review;
mod scenarios;
mod support;
mod tidy;
