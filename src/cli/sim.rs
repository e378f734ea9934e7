//! `scalper sim`: a simulated broker on this machine, until Ctrl-C.

use std::io::Write as _;
use std::net::IpAddr;
use std::path::PathBuf;
use std::str::FromStr;

use chrono::NaiveDate;
use clap::Args;
use scalper_decide::domain::{Age, Instant};
use secrecy::ExposeSecret as _;
use serde_json::json;

use super::exit::{BadUsage, Code};
use crate::config::tables;
use crate::sample::demo::DEMO_SEED;
use crate::simulator::account::TOKEN_LIFE;
use crate::simulator::faults;
use crate::simulator::market::{GeneratedMarket, GeneratedSpec, Market, RecordedMarket};
use crate::simulator::server::{MAX_SPEED, Pace, SimServer, SimServerConfig, SimServerError};
use crate::simulator::{SimConfig, Simulator};

/// From the start to the opening bell, with a clock that runs by itself: time to connect.
const BEFORE_OPEN: Age = Age::from_secs(10);

/// Arguments of `scalper sim`.
#[derive(Debug, Args)]
pub struct SimArgs {
    /// Seed of a generated market.
    #[arg(long, default_value_t = DEMO_SEED, conflicts_with = "tape")]
    pub seed: u64,
    /// Folder of a tape to live through in place of a generated market.
    #[arg(long, value_name = "DIR")]
    pub tape: Option<PathBuf>,
    /// Session seconds per second, 1 to 1000; `max` = as fast as clients read, starting at the first connection.
    #[arg(long, default_value = "1")]
    pub speed: Speed,
    /// First trading day, or the first one after it [default: 2026-02-10, or the tape's first].
    #[arg(long, value_name = "YYYY-MM-DD")]
    pub day: Option<NaiveDate>,
    /// Port of REST; the sockets have the next one. 0 = any two.
    #[arg(long, default_value_t = 0)]
    pub port: u16,
    /// Loopback address to listen on.
    #[arg(long, default_value = "127.0.0.1")]
    pub host: IpAddr,
    /// What goes wrong: a fault schedule, see docs/FAULTS.md.
    #[arg(long, value_name = "FILE")]
    pub faults: Option<PathBuf>,
    /// Print one JSON object.
    #[arg(long)]
    pub json: bool,
}

/// Value of `--speed`.
#[derive(Debug, Clone, Copy, PartialEq)]
pub enum Speed {
    /// So many times the wall clock.
    Times(f64),
    /// As fast as clients read.
    Max,
}

impl FromStr for Speed {
    type Err = String;
    fn from_str(text: &str) -> Result<Speed, String> {
        if text == "max" {
            return Ok(Speed::Max);
        }
        let speed = text.parse::<f64>().ok().filter(|speed| (1.0..=MAX_SPEED).contains(speed));
        speed.map(Speed::Times).ok_or_else(|| format!("a number from 1 to {MAX_SPEED}, or max"))
    }
}

/// Runs the verb.
pub fn run(args: &SimArgs) -> anyhow::Result<Code> {
    if !args.host.is_loopback() {
        return Err(BadUsage(SimServerError::NotLoopback(args.host).to_string()).into());
    }
    let tables = tables::load(None)?;
    let sim = SimConfig::default();
    let market: Box<dyn Market> = match &args.tape {
        Some(dir) => {
            Box::new(RecordedMarket::open(dir, args.day, sim.history_days, &tables.calendar, &tables.contracts)?)
        }
        None => {
            let day = args.day.unwrap_or(NaiveDate::from_ymd_opt(2026, 2, 10).expect("a date"));
            Box::new(GeneratedMarket::new(GeneratedSpec::usual(args.seed, day), &tables.calendar, &tables.contracts)?)
        }
    };
    let title = market.title();
    let simulator = Simulator::new(market, sim, tables.charges)?;
    let open = simulator.hours().expect("a day has begun").open_at();
    let (pace, start_at) = match args.speed {
        Speed::Times(speed) => (Pace::Scaled(speed), Some(open - BEFORE_OPEN)),
        Speed::Max => (Pace::Max, None),
    };
    let config = SimServerConfig {
        pace,
        start_at,
        host: args.host,
        rest_port: args.port,
        socket_port: args.port.checked_add(u16::from(args.port > 0)).unwrap_or(0),
        ..SimServerConfig::default()
    };
    let schedule = args.faults.as_deref().map(faults::read).transpose()?;
    let config = schedule.iter().fold(config, SimServerConfig::with_faults);
    let runtime = tokio::runtime::Builder::new_multi_thread().enable_all().build()?;
    runtime.block_on(async {
        let server = SimServer::around(simulator, config).await?;
        print(args, &title, &server)?;
        let over = async {
            if args.speed == Speed::Max {
                server.hub.first_connection().await;
                server.run_until(Instant::MAX).await?;
            }
            Err::<(), _>(server.broken().await)
        };
        tokio::select! {
            ended = over => ended?,
            pressed = tokio::signal::ctrl_c() => pressed?,
        }
        for (kind, count) in schedule.iter().flat_map(|schedule| schedule.counts()) {
            eprintln!("{:<24} {} of {} occasions", kind.word(), count.fired, count.occasions);
        }
        server.stop().await;
        Ok(Code::Ok)
    })
}

/// Addresses, and a token that opens nothing but this simulator.
fn print(args: &SimArgs, title: &str, server: &SimServer) -> anyhow::Result<()> {
    let now = server.clock.now();
    let at = &server.addresses;
    let facts = [
        ("market", title.to_owned()),
        ("session_time", now.ist_text()),
        ("rest", at.rest.clone()),
        ("instruments", at.instruments.clone()),
        ("feed", at.feed.clone()),
        ("depth", at.depth.clone()),
        ("order_updates", at.order_updates.clone()),
        ("client_id", server.client_id.clone()),
        ("token", server.token.expose_secret().to_owned()),
        ("token_ends", (now + TOKEN_LIFE).ist_text()),
    ];
    let mut out = std::io::stdout().lock();
    if args.json {
        let object: serde_json::Map<_, _> =
            facts.into_iter().map(|(name, value)| (name.to_owned(), json!(value))).collect();
        writeln!(out, "{}", serde_json::Value::Object(object))?;
    } else {
        for (name, value) in facts {
            writeln!(out, "{:<14} {value}", name.replace('_', " "))?;
        }
        writeln!(out, "\nsimulated broker, for this machine alone; Ctrl-C ends it")?;
    }
    out.flush()?;
    Ok(())
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn a_speed_is_a_number_up_to_a_thousand_or_max() {
        assert_eq!("max".parse(), Ok(Speed::Max));
        assert_eq!("1000".parse(), Ok(Speed::Times(1_000.0)));
        for bad in ["0", "0.5", "1001", "-1", "NaN", "inf", "fast", ""] {
            assert!(bad.parse::<Speed>().is_err(), "{bad}");
        }
    }

    #[test]
    fn an_address_that_others_can_reach_is_refused() {
        let args = SimArgs {
            seed: 1,
            tape: None,
            speed: Speed::Max,
            day: None,
            port: 0,
            host: [0, 0, 0, 0].into(),
            faults: None,
            json: false,
        };
        assert!(run(&args).unwrap_err().is::<BadUsage>());
    }
}
