//! Proof that an order never reached the broker (P1, L3, I11). Only clean reads asked after the horizon count, a read
//! gap apart; failed reads and early not-founds count zero (C4, C5).

use crate::domain::{Age, Instant};

/// Reads that would have shown the order and did not.
#[derive(Debug, Clone, PartialEq, Eq, Default)]
pub(super) struct Proof {
    pub(super) lists: Vec<Instant>,
    pub(super) lookups: Vec<Instant>,
}

fn add(reads: &mut Vec<Instant>, asked_at: Instant, gap: Age) {
    if reads.last().is_none_or(|last| asked_at >= *last + gap) {
        reads.push(asked_at);
    }
}

impl Proof {
    /// A complete order list without the order.
    pub(super) fn missing_from_list(&mut self, asked_at: Instant, valid_from: Instant, gap: Age) {
        if asked_at > valid_from {
            add(&mut self.lists, asked_at, gap);
        }
    }

    /// A look-up that found nothing.
    pub(super) fn not_found(&mut self, asked_at: Instant, valid_from: Instant, gap: Age) {
        if asked_at > valid_from {
            add(&mut self.lookups, asked_at, gap);
        }
    }

    /// Whether both kinds were seen often enough.
    pub(super) const fn is_complete(&self, needed: u8) -> bool {
        self.lists.len() >= needed as usize && self.lookups.len() >= needed as usize
    }
}
