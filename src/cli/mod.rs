//! One file per verb: it parses, calls one function and prints.

pub mod api_token;
pub mod backtest;
pub mod config;
pub mod data;
pub mod db;
pub mod demo;
pub mod doctor;
pub mod exit;
pub mod greeks;
pub mod guardian;
pub mod instruments;
pub mod list;
pub mod operate;
pub mod plan;
pub mod progress;
pub mod run;
pub mod sim;
pub mod token;

use std::process::ExitCode;

use clap::{Parser, Subcommand};

use crate::tape::import::ImportContext;

/// Trades, records and replays Indian index options through one decision core.
#[derive(Debug, Parser)]
#[command(name = "scalper", version = crate::backtest::run::CODE_VERSION, propagate_version = true)]
pub struct Cli {
    /// What to do.
    #[command(subcommand)]
    verb: Verb,
}

#[derive(Debug, Subcommand)]
enum Verb {
    /// Replay two generated days offline, print the tables and write the HTML report. The days are written to show every
    /// way a position ends; the result says nothing about profit.
    Demo(demo::DemoArgs),
    /// Replay recorded days through the decision chain.
    Backtest(backtest::BacktestArgs),
    /// Import, list, verify and export tapes.
    Data(data::DataArgs),
    /// Migrate, seed, verify, back up and restore the database.
    Db(db::DbArgs),
    /// Check, show and describe the configuration.
    Config(config::ConfigArgs),
    /// Price options, or find their implied volatility and Greeks, for a CSV of cases.
    Greeks(greeks::GreeksArgs),
    /// Download, search and look at the broker's instrument lists.
    Instruments(instruments::InstrumentsArgs),
    /// Show what the market feed would carry over which socket, without a daemon, an account or a network.
    Plan(plan::PlanArgs),
    /// Set, renew and look at the broker's access token.
    Token(token::TokenArgs),
    /// Make, list and end tokens of the daemon's API.
    ApiToken(api_token::ApiTokenArgs),
    /// Run the daemon: trade by itself in the simulated market.
    Run(run::RunArgs),
    /// Look at everything that must be right before a session; non-zero when something is not.
    Doctor(doctor::DoctorArgs),
    /// Watch over the engine of a data folder, and close what it holds should it die. `run` starts one by itself.
    Guardian(guardian::GuardianArgs),
    #[command(flatten)]
    Operate(operate::Operate),
    /// Run a simulated broker on this machine: REST, market feed, depth and order updates, until Ctrl-C.
    Sim(sim::SimArgs),
}

/// Parses the arguments and runs the verb.
pub fn main() -> ExitCode {
    let cli = match Cli::try_parse() {
        Ok(cli) => cli,
        Err(e) => {
            let _ = e.print();
            return if e.use_stderr() { exit::Code::Usage.into() } else { ExitCode::SUCCESS };
        }
    };
    let result = match cli.verb {
        Verb::Demo(args) => demo::run(&args),
        Verb::Backtest(args) => backtest::run(&args),
        Verb::Data(args) => data::run(&args, import_context).map(|_| exit::Code::Ok),
        Verb::Db(args) => db::run(&args),
        Verb::Config(args) => config::run(&args).map(|()| exit::Code::Ok),
        Verb::Greeks(args) => greeks::run_verb(&args),
        Verb::Instruments(args) => instruments::run(&args),
        Verb::Plan(args) => plan::run(&args),
        Verb::Token(args) => token::run(&args),
        Verb::ApiToken(args) => api_token::run(&args),
        Verb::Run(args) => run::run(&args),
        Verb::Doctor(args) => doctor::run(&args),
        Verb::Guardian(args) => guardian::run(&args),
        Verb::Operate(verb) => operate::run(&verb),
        Verb::Sim(args) => sim::run(&args),
    };
    exit::finish(result)
}

/// Calendar and contract terms for an import, with the override file the environment names.
fn import_context() -> anyhow::Result<ImportContext> {
    let file = config::named_or_default(None);
    let tables = crate::config::load(file, std::env::vars())?.tables;
    Ok(ImportContext { calendar: tables.calendar, contracts: tables.contracts })
}
