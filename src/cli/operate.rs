//! The operator's verbs: each asks a running engine over its socket, prints the answer and exits. They need neither the
//! network nor the database.

use std::io::{IsTerminal as _, Write as _};
use std::path::PathBuf;

use anyhow::{Context as _, bail};
use clap::{Args, Subcommand};
use rust_decimal::Decimal;
use rust_decimal::prelude::ToPrimitive as _;
use scalper_decide::domain::adoption::AdoptRequest;
use scalper_decide::domain::operator::OperatorCommand;
use scalper_decide::domain::{Instant, Lots, PositionId, Premium, Segment, Underlying};
use uuid::Uuid;

use super::exit::{BadUsage, Code};
use crate::engine::handle::Outcome;
use crate::engine::status::Status;
use crate::ops::control::SOCKET;
use crate::ops::control::client::ControlClient;
use crate::ops::control::protocol::{Request, Response};
use crate::ops::screen;

/// Where the engine is.
#[derive(Debug, Clone, Args)]
pub struct Where {
    /// Data folder of the running engine.
    #[arg(long, value_name = "DIR", default_value = "data", env = "SCALPER_DATA_DIR")]
    pub data_dir: PathBuf,
    /// Print one JSON object.
    #[arg(long)]
    pub json: bool,
}

/// Verbs for a running engine.
#[derive(Debug, Subcommand)]
pub enum Operate {
    /// What the engine is doing, and whether it may act.
    Status {
        /// Where it is.
        #[command(flatten)]
        at: Where,
        /// Print every newer status until interrupted.
        #[arg(long)]
        watch: bool,
    },
    /// Open positions.
    Positions {
        /// Where it is.
        #[command(flatten)]
        at: Where,
    },
    /// Orders of today, those in doubt first.
    Orders {
        /// Where it is.
        #[command(flatten)]
        at: Where,
    },
    /// No entries, and working ones taken back, until resumed.
    Halt {
        /// Where it is.
        #[command(flatten)]
        at: Where,
    },
    /// End halt and reduce-only, or the pause of one index.
    Resume {
        /// Where it is.
        #[command(flatten)]
        at: Where,
        /// Only this index.
        #[arg(long, value_name = "NAME", value_parser = parse_index)]
        index: Option<Underlying>,
    },
    /// No new entries; what works already may still fill.
    ReduceOnly {
        /// Where it is.
        #[command(flatten)]
        at: Where,
    },
    /// No new entries in one index.
    Pause {
        /// Where it is.
        #[command(flatten)]
        at: Where,
        /// Which index.
        #[arg(long, value_name = "NAME", value_parser = parse_index)]
        index: Underlying,
    },
    /// Close every position, or those of one index.
    Flatten {
        /// Where it is.
        #[command(flatten)]
        at: Where,
        /// Only this index.
        #[arg(long, value_name = "NAME", value_parser = parse_index)]
        index: Option<Underlying>,
    },
    /// Close one position, or sell some of its lots.
    Close {
        /// Where it is.
        #[command(flatten)]
        at: Where,
        /// Number of the position.
        position: u64,
        /// How many lots; all of them without it.
        #[arg(long, value_name = "N", value_parser = clap::value_parser!(i64).range(1..=10_000))]
        lots: Option<i64>,
    },
    /// Raise the stop of a position.
    Tighten {
        /// Where it is.
        #[command(flatten)]
        at: Where,
        /// Number of the position.
        position: u64,
        /// New trigger in rupees.
        #[arg(long, value_name = "RUPEES")]
        stop: Decimal,
    },
    /// Take over an option position that somebody else bought: protected and left like any other. Without an argument,
    /// what could be taken over.
    Adopt {
        /// Where it is.
        #[command(flatten)]
        at: Where,
        /// Security id of the contract, or `SEGMENT:ID` (`NSE_FNO:40001`).
        #[arg(value_parser = parse_contract)]
        contract: Option<(Option<Segment>, u32)>,
        /// How many lots; all that are there without it.
        #[arg(long, value_name = "N", requires = "contract", value_parser = clap::value_parser!(i64).range(1..=10_000))]
        lots: Option<i64>,
        /// First stop in rupees; the distance of the settings without it.
        #[arg(long, value_name = "RUPEES", requires = "contract")]
        stop: Option<Decimal>,
    },
    /// Lift a tripped breaker; the day's loss is counted anew from here.
    ResetBreaker {
        /// Where it is.
        #[command(flatten)]
        at: Where,
    },
    /// Say that you have looked at orders that came late, are ours and unknown, or contradict themselves: entries go on.
    Acknowledge {
        /// Where it is.
        #[command(flatten)]
        at: Where,
    },
    /// Let a live engine risk real money until the session ends. Looks at every check first.
    Arm {
        /// Where it is.
        #[command(flatten)]
        at: Where,
        /// The phrase that names account and caps; asked for on a terminal without it.
        #[arg(long, value_name = "TEXT")]
        phrase: Option<String>,
    },
    /// No entries until armed again, and working ones taken back; exits go on.
    Disarm {
        /// Where it is.
        #[command(flatten)]
        at: Where,
    },
    /// Inputs, gates, values and answers of a time, an order or a position.
    Explain {
        /// Where it is.
        #[command(flatten)]
        at: Where,
        /// `10:42`, `10:42:13`, a client order id or a position number.
        what: String,
    },
    /// Read the settings again: what is safe to change applies, the rest is refused with the reason.
    Reload {
        /// Where it is.
        #[command(flatten)]
        at: Where,
    },
    /// End the engine in order; stops stay at the broker.
    Stop {
        /// Where it is.
        #[command(flatten)]
        at: Where,
    },
}

fn parse_index(text: &str) -> Result<Underlying, String> {
    Underlying::from_symbol(&text.to_uppercase()).ok_or_else(|| {
        let known: Vec<&str> = Underlying::ALL.iter().map(|u| u.symbol()).collect();
        format!("no such index; one of {}", known.join(", "))
    })
}

/// `40001` or `NSE_FNO:40001`.
fn parse_contract(text: &str) -> Result<(Option<Segment>, u32), String> {
    let (segment, id) = match text.split_once(':') {
        Some((segment, id)) => {
            let known = Segment::from_name(&segment.to_uppercase());
            (Some(known.ok_or_else(|| format!("{segment} is no segment; NSE_FNO or BSE_FNO"))?), id)
        }
        None => (None, text),
    };
    let id =
        id.parse().map_err(|_| format!("{id:?} is no security id; `scalper adopt` lists what could be adopted"))?;
    Ok((segment, id))
}

/// A number of its own for every request, so that a repeated one does nothing more.
fn number() -> u64 {
    Uuid::new_v4().as_u64_pair().0.max(1)
}

/// Rupees with at most two decimals as a premium.
fn premium(rupees: Decimal) -> anyhow::Result<Premium> {
    let paise = (rupees * Decimal::from(100)).normalize();
    match paise.to_i64().filter(|p| paise.is_integer() && *p > 0) {
        Some(paise) => Ok(Premium::from_paise(paise)),
        None => Err(BadUsage(format!("--stop {rupees}: a price above zero with at most two decimals")).into()),
    }
}

enum Job {
    Arm(Option<String>),
    Show(fn(&Status, Instant) -> String),
    Watch,
    Ask(Request),
}

fn operate(command: OperatorCommand) -> Job {
    Job::Ask(Request::Operate { key: Uuid::new_v4(), command })
}

/// Runs the verb.
///
/// # Errors
/// When no engine listens, the connection breaks, or the command line cannot be.
pub fn run(verb: &Operate) -> anyhow::Result<Code> {
    let (at, job) = match verb {
        Operate::Status { at, watch: true } => (at, Job::Watch),
        Operate::Status { at, watch: false } => (at, Job::Show(screen::status)),
        Operate::Positions { at } => (at, Job::Show(|s, now| screen::positions(&s.positions, now))),
        Operate::Orders { at } => (at, Job::Show(|s, _| screen::orders(&s.orders))),
        Operate::Halt { at } => (at, operate(OperatorCommand::Halt)),
        Operate::Resume { at, index: None } => (at, operate(OperatorCommand::Resume)),
        Operate::Resume { at, index: Some(underlying) } => {
            (at, operate(OperatorCommand::ResumeIndex { underlying: *underlying }))
        }
        Operate::ReduceOnly { at } => (at, operate(OperatorCommand::ReduceOnly)),
        Operate::Pause { at, index } => (at, operate(OperatorCommand::Pause { underlying: *index })),
        Operate::Flatten { at, index } => (at, operate(OperatorCommand::Flatten { underlying: *index })),
        Operate::Close { at, position, lots } => {
            let (position, lots) = (PositionId(*position), lots.map(Lots::new));
            (at, operate(OperatorCommand::Close { position, lots, request: number() }))
        }
        Operate::Tighten { at, position, stop } => {
            (at, operate(OperatorCommand::Tighten { position: PositionId(*position), stop: premium(*stop)? }))
        }
        Operate::Adopt { at, contract: None, .. } => (at, Job::Show(|s, _| screen::foreign(&s.foreign))),
        Operate::Adopt { at, contract: Some((segment, security_id)), lots, stop } => {
            let ask = AdoptRequest {
                segment: *segment,
                security_id: *security_id,
                lots: lots.map(Lots::new),
                stop: stop.map(premium).transpose()?,
                request: number(),
            };
            (at, operate(OperatorCommand::Adopt(ask)))
        }
        Operate::ResetBreaker { at } => (at, operate(OperatorCommand::ResetBreaker)),
        Operate::Arm { at, phrase } => (at, Job::Arm(phrase.clone())),
        Operate::Disarm { at } => (at, operate(OperatorCommand::Disarm)),
        Operate::Acknowledge { at } => (at, operate(OperatorCommand::Acknowledge)),
        Operate::Explain { at, what } => (at, Job::Ask(Request::Explain { what: what.clone() })),
        Operate::Reload { at } => (at, Job::Ask(Request::Reload)),
        Operate::Stop { at } => (at, Job::Ask(Request::Stop)),
    };
    let runtime = tokio::runtime::Builder::new_current_thread().enable_all().build().context("no runtime")?;
    runtime.block_on(carry_out(at, job))
}

async fn carry_out(at: &Where, job: Job) -> anyhow::Result<Code> {
    let mut engine = ControlClient::connect(&at.data_dir.join(SOCKET)).await?;
    match job {
        Job::Show(show) => {
            let response = engine.ask(&Request::Status).await?;
            print_status(at, response, show)?;
            Ok(Code::Ok)
        }
        Job::Watch => {
            let mut response = engine.ask(&Request::Watch).await?;
            loop {
                print_status(at, response, screen::status)?;
                response = engine.next().await?;
            }
        }
        Job::Arm(phrase) => {
            let phrase = match phrase {
                Some(phrase) => phrase,
                None => ask_for_phrase(engine.ask(&Request::Status).await?)?,
            };
            print_outcome(at, engine.ask(&Request::Arm { phrase }).await?)
        }
        Job::Ask(request) => print_outcome(at, engine.ask(&request).await?),
    }
}

/// Shows what has to be typed and reads it from the terminal.
fn ask_for_phrase(response: Response) -> anyhow::Result<String> {
    let Response::Status { status } = response else { bail!("the engine answered something else: {response:?}") };
    let Some(arming) = status.arming else {
        bail!("this engine trades no real money ({}): there is nothing to arm", status.mode.word());
    };
    let Some(phrase) = arming.phrase else {
        bail!("the loss limit of the day is not known yet: nothing can be capped")
    };
    if !std::io::stdin().is_terminal() {
        return Err(BadUsage(format!("without a terminal: scalper arm --phrase {phrase:?}")).into());
    }
    eprintln!("Real money is at risk until the session ends. Type exactly:\n{phrase}");
    let mut typed = String::new();
    std::io::stdin().read_line(&mut typed)?;
    Ok(typed.trim().to_owned())
}

fn print_outcome(at: &Where, response: Response) -> anyhow::Result<Code> {
    let Response::Outcome { outcome } = response else { bail!("the engine answered something else: {response:?}") };
    if at.json {
        println(&serde_json::to_string(&outcome)?)?;
    }
    match outcome {
        Outcome::Done { text } => {
            if !at.json {
                println(&text)?;
            }
            Ok(Code::Ok)
        }
        Outcome::Refused { code, text } => {
            if !at.json {
                eprintln!("refused ({code}): {text}");
            }
            Ok(Code::Failure)
        }
    }
}

fn print_status(at: &Where, response: Response, show: fn(&Status, Instant) -> String) -> anyhow::Result<()> {
    let Response::Status { status } = response else { bail!("the engine answered something else: {response:?}") };
    if at.json {
        return println(&serde_json::to_string(&status)?);
    }
    println(show(&status, status.at).trim_end())
}

fn println(text: &str) -> anyhow::Result<()> {
    writeln!(std::io::stdout(), "{text}")?;
    Ok(())
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn a_stop_is_a_price_above_zero_with_at_most_two_decimals() {
        assert_eq!(premium("80.05".parse().unwrap()).unwrap(), Premium::from_paise(8_005));
        assert_eq!(premium("80".parse().unwrap()).unwrap(), Premium::from_rupees(80));
        for wrong in ["0", "-1", "80.005", "99999999999999999999"] {
            assert!(premium(wrong.parse().unwrap()).is_err(), "{wrong}");
        }
    }

    #[test]
    fn a_contract_is_a_security_id_with_or_without_its_segment() {
        assert_eq!(parse_contract("40001"), Ok((None, 40_001)));
        assert_eq!(parse_contract("nse_fno:40001"), Ok((Some(Segment::NseFno), 40_001)));
        for wrong in ["", "NIFTY", "NSE_FNO:", "NYSE:7", "-4"] {
            assert!(parse_contract(wrong).is_err(), "{wrong}");
        }
    }
}
