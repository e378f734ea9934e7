//! The one integration-test binary; each module is a group of scenarios.

mod api;
mod cli_bad_input;
mod cli_token;
mod cli_verbs;
mod daemon;
mod demo;
mod determinism;
mod endings;
mod faults;
mod fuzz_files;
mod fuzz_sockets;
mod guardian;
mod kill_drill;
mod lookahead;
mod modes;
mod operator;
mod ops_control;
mod parity;
mod real_days;
mod reconciled;
mod review;
mod scenarios;
mod store;
mod support;
mod tidy;
mod wired;
