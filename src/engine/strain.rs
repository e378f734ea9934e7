//! Whether the engine keeps up: what the supervisor sees of the deciders, and how full the lane of events is. While it
//! does not, nothing new is entered; exits go on (G9, G10).

use std::sync::Arc;
use std::sync::atomic::{AtomicU32, Ordering};

use crate::actors::lanes::Pressure;

/// Deciders that stand still at the moment. Clones share the count: the supervisor's thread writes it, the loop reads it.
#[derive(Debug, Clone, Default)]
pub struct Strain(Arc<AtomicU32>);

impl Strain {
    /// A decider that owes work does not advance.
    pub fn slow(&self) {
        self.0.fetch_add(1, Ordering::AcqRel);
    }

    /// It advances again.
    pub fn recovered(&self) {
        let _ = self.0.fetch_update(Ordering::AcqRel, Ordering::Acquire, |slow| slow.checked_sub(1));
    }

    /// Why entries have to wait, if they have to.
    pub fn reason(&self, pressure: Pressure) -> Option<String> {
        match (self.0.load(Ordering::Acquire), pressure) {
            (0, Pressure::HaltEntries) => Some("events wait in a queue that is 80 % full or more".to_owned()),
            (0, _) => None,
            (slow, _) => Some(format!("{slow} deciders owe work and do not advance")),
        }
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn entries_wait_for_slow_deciders_and_for_a_queue_that_is_nearly_full() {
        // G9, G10
        let strain = Strain::default();
        assert_eq!(strain.reason(Pressure::Alarm), None);
        assert!(strain.reason(Pressure::HaltEntries).unwrap().contains("80 %"));
        strain.slow();
        strain.clone().slow();
        strain.recovered();
        assert!(strain.reason(Pressure::Normal).unwrap().contains("1 deciders"));
        strain.recovered();
        strain.recovered();
        assert_eq!(strain.reason(Pressure::Normal), None);
    }
}
