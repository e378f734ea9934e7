//! Settings read again while the daemon runs.

use std::path::PathBuf;
use std::sync::{Arc, Mutex};

use scalper_decide::domain::Underlying;

use super::{RunArgs, sim};
use crate::cli::config::named_or_default;
use crate::config::{self, Effective};
use crate::engine::handle::{NewSettings, ReadSettings};

/// What only a start takes over, as the latest one took it. Clones share it.
#[derive(Clone)]
pub(super) struct Base(Arc<Mutex<(String, Vec<Underlying>)>>);

impl Base {
    /// What a start with these settings takes over.
    pub(super) fn of(config: &Effective) -> Base {
        Base(Arc::new(Mutex::new((config.tables.hash.clone(), config.params.indices.clone()))))
    }

    /// Another start takes these.
    pub(super) fn set(&self, config: &Effective) {
        *self.get() = (config.tables.hash.clone(), config.params.indices.clone());
    }

    fn get(&self) -> std::sync::MutexGuard<'_, (String, Vec<Underlying>)> {
        self.0.lock().expect("nothing panics while it holds it")
    }
}

/// Reads the files and variables the daemon began with, as they are by then. What only a start takes over is refused
/// here; the rest is the core's to judge.
pub(super) fn reader(args: &RunArgs, base: Base, speed: f64) -> ReadSettings {
    let file: Option<PathBuf> = named_or_default(args.config.as_deref()).map(ToOwned::to_owned);
    let presets = args.preset.clone();
    Arc::new(move || {
        let (tables, indices) = base.get().clone();
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
