//! A journal in memory whose durability the oracle knows: a commit is durable some time after it was handed over, and
//! the engine is told when it is. A planted bug tells it at once (the dropped fsync).

use std::sync::Arc;
use std::sync::atomic::{AtomicU64, Ordering};
use std::time::Duration;

use rand::{RngExt as _, SeedableRng as _};
use rand_chacha::ChaCha8Rng;
use scalper_decide::domain::Seq;
use tokio::sync::{mpsc, watch};
use uuid::Uuid;

use crate::journal::writer::JournalWriter;
use crate::store::writer::{Durability, Health, Job, WriterHandle};

/// A writer on a disk of memory. With `drops_fsync` it says "durable" before it is.
///
/// It begins after event `after`; `durable` always holds the number of the last event that is.
pub(super) fn journal(seed: u64, after: Seq, durable: &Arc<AtomicU64>, drops_fsync: bool) -> JournalWriter {
    let run = Uuid::from_u128(u128::from(seed));
    durable.store(after.0, Ordering::Release);
    let start =
        Durability { run, database: after, emergency: Seq(0), health: Health::Good, last_commit: Duration::ZERO };
    let (publish, durability) = watch::channel(start);
    let (jobs, mut inbox) = mpsc::unbounded_channel();
    // Nobody reads spills: a commit here never takes as long as an exit waits.
    let (spills, _) = std::sync::mpsc::channel();
    let durable = Arc::clone(durable);
    actix_rt::spawn(async move {
        let mut dice = ChaCha8Rng::seed_from_u64(seed);
        while let Some(job) = inbox.recv().await {
            let Job::Commit(commit) = job else { unreachable!("the drill only commits") };
            let last = commit.block.last.seq;
            if drops_fsync {
                publish.send_modify(|d| d.database = last);
            }
            tokio::time::sleep(Duration::from_millis(dice.random_range(2..12))).await;
            durable.store(last.0, Ordering::Release);
            publish.send_modify(|d| d.database = last);
        }
    });
    JournalWriter::new(run, after, WriterHandle { jobs, spills, durability })
}
