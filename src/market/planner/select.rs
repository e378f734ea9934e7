//! Who gets in. A function of the wishes and the room alone: what is placed now has no say, so the answer to the same
//! wishes is the same tomorrow.

use std::collections::{BTreeMap, BTreeSet, HashMap};
use std::sync::Arc;

use super::plan::{LeftOut, Rank, Why};
use super::want::{Desired, Entry, FeedMode, Owner, Request};
use crate::market::Key;

pub(super) struct Want {
    pub(super) mode: FeedMode,
    pub(super) rank: Rank,
    pub(super) owners: Vec<Owner>,
}

pub(super) struct Selected {
    pub(super) wanted: BTreeMap<Key, Want>,
    pub(super) left_out: Vec<LeftOut>,
    /// Why a key that nobody may have any more is gone.
    pub(super) dropped: BTreeMap<Key, Why>,
    /// Different instruments anybody wants.
    pub(super) asked_for: usize,
}

/// What pins and tier B get, and those of them that found no room.
struct Fixed {
    keys: BTreeSet<Key>,
    left_out: Vec<(Owner, BTreeSet<Key>)>,
}

fn fixed(desired: &Desired, room: usize) -> Fixed {
    let mut keys = BTreeSet::new();
    let mut left_out: Vec<(Owner, BTreeSet<Key>)> = Vec::new();
    let mut pins: Vec<_> = desired.pins.iter().collect();
    pins.sort_by_key(|(_, pin)| std::cmp::Reverse(pin.why));
    let pins = pins.into_iter().map(|(key, pin)| (Owner::Pin(pin.why), *key));
    let chains = desired.tier_b.iter().flat_map(|c| c.legs.iter().map(|key| (Owner::TierB(Arc::clone(&c.name)), *key)));
    for (owner, key) in pins.chain(chains) {
        if keys.contains(&key) {
            continue;
        }
        if keys.len() < room {
            keys.insert(key);
        } else {
            match left_out.last_mut().filter(|(last, _)| *last == owner) {
                Some((_, out)) => {
                    out.insert(key);
                }
                None => left_out.push((owner, BTreeSet::from([key]))),
            }
        }
    }
    Fixed { keys, left_out }
}

/// The entries that stay, and how many of them want each key.
struct Kept<'a> {
    entries: Vec<&'a Entry>,
    counts: HashMap<Key, usize>,
    /// Keys of kept entries and the fixed ones.
    total: usize,
}

impl Kept<'_> {
    /// Takes one entry out; true when it was there.
    fn drop(&mut self, fixed: &BTreeSet<Key>, entry: &Entry) {
        let before = self.entries.len();
        self.entries.retain(|kept| kept.id != entry.id);
        if self.entries.len() == before {
            return;
        }
        for key in &entry.legs {
            if let Some(count) = self.counts.get_mut(key) {
                *count -= 1;
                if *count == 0 {
                    self.counts.remove(key);
                    self.total -= usize::from(!fixed.contains(key));
                }
            }
        }
    }
}

/// Oldest use first; of equals the one added first.
fn by_use<'a>(entries: impl Iterator<Item = &'a Entry>) -> Vec<&'a Entry> {
    let mut sorted: Vec<&Entry> = entries.collect();
    sorted.sort_by_key(|entry| (entry.last_used, entry.id));
    sorted
}

/// Entries that put their user above the quota. One with a pinned leg stays: a position is not closed to the eye because
/// its user looks at too much.
fn over_quota(desired: &Desired, quota: usize) -> Vec<&Entry> {
    let mut by_user: BTreeMap<&str, Vec<&Entry>> = BTreeMap::new();
    for entry in by_use(desired.tier_a.iter()) {
        by_user.entry(&entry.user).or_default().push(entry);
    }
    let mut out = Vec::new();
    for entries in by_user.values() {
        let mut counts: HashMap<Key, usize> = HashMap::new();
        for key in entries.iter().flat_map(|entry| &entry.legs) {
            *counts.entry(*key).or_default() += 1;
        }
        for entry in entries {
            if counts.len() <= quota {
                break;
            }
            if entry.legs.iter().any(|key| desired.pins.contains_key(key)) {
                continue;
            }
            for key in &entry.legs {
                let count = counts.get_mut(key).expect("every leg was counted");
                *count -= 1;
                if *count == 0 {
                    counts.remove(key);
                }
            }
            out.push(*entry);
        }
    }
    out
}

/// Keys that entries of two different users want.
fn shared_keys(entries: &[&Entry]) -> BTreeSet<Key> {
    let mut first: HashMap<Key, &str> = HashMap::new();
    let mut shared = BTreeSet::new();
    for entry in entries {
        for key in &entry.legs {
            if *first.entry(*key).or_insert(&entry.user) != &*entry.user {
                shared.insert(*key);
            }
        }
    }
    shared
}

pub(super) fn select(request: &Request<'_>, room: usize) -> Selected {
    let desired = request.desired;
    let fixed = fixed(desired, room);
    let mut left_out: Vec<LeftOut> = Vec::new();
    let mut dropped: BTreeMap<Key, Why> = BTreeMap::new();
    let none = if request.connected.is_empty() { Why::NoSocket } else { Why::NoRoom };
    for (owner, keys) in &fixed.left_out {
        dropped.extend(keys.iter().map(|key| (*key, none.clone())));
        left_out.push(LeftOut { owner: owner.clone(), instruments: keys.len(), why: none.clone() });
    }

    let mut kept = Kept { entries: desired.tier_a.iter().collect(), counts: HashMap::new(), total: 0 };
    for key in desired.tier_a.iter().flat_map(|entry| &entry.legs) {
        *kept.counts.entry(*key).or_default() += 1;
    }
    kept.total = fixed.keys.len() + kept.counts.keys().filter(|key| !fixed.keys.contains(*key)).count();

    let mut go = |kept: &mut Kept<'_>, entry: &Entry, why: Why| {
        kept.drop(&fixed.keys, entry);
        dropped.extend(entry.legs.iter().map(|key| (*key, why.clone())));
        let owner = Owner::TierA { user: Arc::clone(&entry.user), entry: entry.id };
        let instruments = entry.legs.iter().filter(|key| !fixed.keys.contains(*key)).count();
        left_out.push(LeftOut { owner, instruments, why });
    };

    for entry in over_quota(desired, request.limits.per_user) {
        let why = Why::OverQuota { user: Arc::clone(&entry.user), entry: entry.id };
        go(&mut kept, entry, why);
    }
    let starved: BTreeSet<&Key> = fixed.left_out.iter().flat_map(|(_, keys)| keys).collect();
    let asked_for = kept.total + starved.into_iter().filter(|key| !kept.counts.contains_key(key)).count();
    if kept.total > room {
        let shared = shared_keys(&kept.entries);
        let may_go = |entry: &Entry| {
            !entry.legs.iter().any(|key| desired.pins.contains_key(key) || shared.contains(key))
                && entry.legs.iter().any(|key| !fixed.keys.contains(key))
        };
        for entry in by_use(kept.entries.clone().into_iter()).into_iter().filter(|entry| may_go(entry)) {
            if kept.total <= room {
                break;
            }
            let why = if request.connected.is_empty() {
                Why::NoSocket
            } else {
                Why::LeastRecentlyUsed { user: Arc::clone(&entry.user), entry: entry.id }
            };
            go(&mut kept, entry, why);
        }
        // Only pinned and shared entries are left, and they do not fit: the one that came last finds no room.
        let mut newest = kept.entries.clone();
        newest.sort_by_key(|entry| std::cmp::Reverse(entry.id));
        for entry in newest {
            if kept.total <= room {
                break;
            }
            if entry.legs.iter().any(|key| !fixed.keys.contains(key)) {
                go(&mut kept, entry, none.clone());
            }
        }
    }

    let wanted = wanted(desired, &fixed.keys, &kept.entries);
    dropped.retain(|key, _| !wanted.contains_key(key));
    Selected { wanted, left_out, dropped, asked_for }
}

/// Every key that gets in with its owners, the firmest first.
fn wanted(desired: &Desired, fixed: &BTreeSet<Key>, entries: &[&Entry]) -> BTreeMap<Key, Want> {
    let mut wanted: BTreeMap<Key, Want> = BTreeMap::new();
    let mut want = |key: &Key, mode: FeedMode, owner: Owner| {
        let rank = Rank::of(&owner);
        match wanted.get_mut(key) {
            None => {
                wanted.insert(*key, Want { mode, rank, owners: vec![owner] });
            }
            Some(known) => {
                known.mode = known.mode.max(mode);
                known.rank = known.rank.min(rank);
                known.owners.push(owner);
            }
        }
    };
    for (key, pin) in desired.pins.iter().filter(|(key, _)| fixed.contains(*key)) {
        want(key, pin.mode, Owner::Pin(pin.why));
    }
    for chain in &desired.tier_b {
        for key in chain.legs.iter().filter(|key| fixed.contains(*key)) {
            want(key, chain.mode, Owner::TierB(Arc::clone(&chain.name)));
        }
    }
    let mut entries = entries.to_vec();
    entries.sort_by_key(|entry| entry.id);
    for entry in entries {
        for key in &entry.legs {
            want(key, entry.mode, Owner::TierA { user: Arc::clone(&entry.user), entry: entry.id });
        }
    }
    wanted
}
