//! The day's contracts, from the broker's own list. A list that has shrunk is not believed: a truncated download would
//! take contracts away that may be held.

use std::fs::File;
use std::io::{BufReader, Read as _};
use std::path::Path;

use anyhow::{Context as _, bail};
use scalper_decide::domain::Instrument;

use crate::broker::dhan::rest::client::Client;
use crate::broker::dhan::rest::instruments;
use crate::clock::SessionClock;
use crate::config::Effective;
use crate::engine::start::Role;

/// The list in the data folder.
const LIST: &str = "instruments.csv";
/// A new list must have at least this share of the lines of the old one.
const LEAST_PERCENT: u64 = 70;

/// What a run of this role must know: nothing for a guardian, as the journal names every contract that an engine could
/// have bought.
///
/// # Errors
/// As [`instruments()`].
pub async fn of_role<M: 'static>(
    role: &Role,
    client: &Client<M>,
    dir: &Path,
    config: &Effective,
    clock: &SessionClock,
) -> anyhow::Result<Vec<Instrument>> {
    match role {
        Role::Engine { .. } => instruments(client, dir, config, clock).await,
        Role::Guardian { .. } => Ok(Vec::new()),
    }
}

/// Downloads the list and reads the contracts of the configured indices.
///
/// # Errors
/// It cannot be had, cannot be read, lacks what is traded, or has shrunk; the one in the folder stays then.
pub async fn instruments<M: 'static>(
    client: &Client<M>,
    dir: &Path,
    config: &Effective,
    clock: &SessionClock,
) -> anyhow::Result<Vec<Instrument>> {
    let (path, new) = (dir.join(LIST), dir.join("instruments.new.csv"));
    client.download_instruments(&new).await.context("the instrument list")?;
    let file = File::open(&new).with_context(|| new.display().to_string())?;
    let day = clock.now().ist_date();
    let master = instruments::load(BufReader::new(file), &config.params.indices, day, &config.tables.contracts)?;
    if path.exists() {
        let (had, has) = (lines(&path)?, lines(&new)?);
        if has * 100 < had * LEAST_PERCENT {
            bail!(
                "the instrument list has shrunk from {had} to {has} lines, which looks like a broken download: start \
                 again, or remove {} when the new list is right",
                path.display()
            );
        }
    }
    std::fs::rename(&new, &path).with_context(|| path.display().to_string())?;
    for complaint in &master.complaints {
        tracing::warn!(target: "instruments", complaint);
    }
    Ok(master.instruments)
}

/// Lines of a file.
pub(super) fn lines(path: &Path) -> anyhow::Result<u64> {
    let mut file = BufReader::new(File::open(path).with_context(|| path.display().to_string())?);
    let (mut lines, mut part) = (0, vec![0; 64 * 1024]);
    loop {
        let read = file.read(&mut part).with_context(|| path.display().to_string())?;
        if read == 0 {
            return Ok(lines);
        }
        lines += part[..read].iter().filter(|byte| **byte == b'\n').count() as u64;
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn lines_are_counted_across_the_parts_they_are_read_in() {
        let dir = tempfile::tempdir().unwrap();
        let path = dir.path().join("list");
        std::fs::write(&path, "0123456789\n".repeat(20_000)).unwrap();
        assert_eq!(lines(&path).unwrap(), 20_000);
    }
}
