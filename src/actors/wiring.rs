//! A replay through the actors: the way to prove that mailboxes decide exactly as plain calls do.

use std::collections::BTreeMap;

use actix::SystemRunner;
use scalper_decide::direct::CoreTables;
use scalper_decide::params::StrategyParams;

use super::feed_hub::FeedHub;
use crate::backtest::replay::{Driver, Wiring};

/// The stages of a replay by mailbox, each replay on an actix system of its own.
#[derive(Debug, Clone, Copy)]
pub struct ByMailbox;

impl Driver for SystemRunner {
    fn run<F: Future>(&self, future: F) -> F::Output {
        self.block_on(future)
    }
}

impl Wiring for ByMailbox {
    type Core = FeedHub;
    type Driver = SystemRunner;

    fn build(&self, params: &StrategyParams, tables: CoreTables) -> (FeedHub, SystemRunner) {
        let system = actix::System::new();
        let (hub, _) = system.block_on(async { FeedHub::start(params.clone(), tables, &BTreeMap::new()) });
        (hub, system)
    }
}
