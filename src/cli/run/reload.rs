//! Settings read again while the daemon runs.

use std::path::PathBuf;
use std::sync::Arc;

use super::{RunArgs, sim};
use crate::cli::config::named_or_default;
use crate::config;
use crate::engine::handle::{NewSettings, ReadSettings};
use crate::engine::start::Plan;

/// Reads the files and variables the daemon began with, as they are by then. What only a start takes over is refused
/// here; the rest is the core's to judge.
pub(super) fn reader(args: &RunArgs, plan: &Plan) -> ReadSettings {
    let file: Option<PathBuf> = named_or_default(args.config.as_deref()).map(ToOwned::to_owned);
    let presets = args.preset.clone();
    let (tables, indices) = (plan.config.tables.hash.clone(), plan.config.params.indices.clone());
    let speed = plan.clock.speed();
    Arc::new(move || {
        let read = config::load_with(file.as_deref(), std::env::vars(), &presets).map_err(|e| e.to_string())?;
        if read.tables.hash != tables {
            return Err("the dated tables differ from those of the start; they change with the next start".to_owned());
        }
        if read.params.indices != indices {
            return Err("the list of indices differs from that of the start; it changes with the next start".to_owned());
        }
        let mut params = read.params;
        sim::be_patient(&mut params, speed);
        Ok(NewSettings { params, hash: read.hash })
    })
}
