//! Alarms from tasks that are not the core: the token's keeper, the checks. The loop puts them into the status.

use std::sync::{Arc, Mutex};

/// Rings may wait; more are dropped, the log has them all.
const WAITING: usize = 64;

/// A bell that anybody may ring. Clones share it.
#[derive(Debug, Clone, Default)]
pub struct Bell(Arc<Mutex<Vec<(&'static str, String)>>>);

impl Bell {
    /// Rings: a short key and what happened.
    pub fn ring(&self, key: &'static str, text: impl Into<String>) {
        let text = text.into();
        tracing::error!(target: "alarm", key, text);
        let mut waiting = self.0.lock().expect("nothing panics while it holds the bell");
        if waiting.len() < WAITING {
            waiting.push((key, text));
        }
    }

    /// What rang since the last time, oldest first.
    pub fn heard(&self) -> Vec<(&'static str, String)> {
        std::mem::take(&mut *self.0.lock().expect("nothing panics while it holds the bell"))
    }
}
