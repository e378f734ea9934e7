//! Outcomes by key, so that a command that is sent twice is carried out once (I7, S21).

use std::collections::{HashMap, VecDeque};
use std::hash::Hash;
use std::sync::Arc;

use tokio::sync::Mutex;

/// The outcome of one command, once there is one. Whoever carries the command out holds it meanwhile, so that a
/// repeated one waits for the first instead of running beside it.
pub type Slot<T> = Arc<Mutex<Option<T>>>;

/// The key stands for another command.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub struct KeyReused;

/// The latest outcomes `T` of commands `C` by key `K`, oldest forgotten first.
#[derive(Debug)]
pub struct Once<K, C, T> {
    most: usize,
    known: std::sync::Mutex<Known<K, C, T>>,
}

#[derive(Debug)]
struct Known<K, C, T> {
    outcomes: HashMap<K, (C, Slot<T>)>,
    order: VecDeque<K>,
}

impl<K: Clone + Eq + Hash, C: PartialEq, T> Once<K, C, T> {
    /// Remembers `most` commands.
    pub fn new(most: usize) -> Once<K, C, T> {
        Once { most, known: std::sync::Mutex::new(Known { outcomes: HashMap::new(), order: VecDeque::new() }) }
    }

    /// The slot of a key, taken before its command runs.
    ///
    /// # Errors
    /// [`KeyReused`].
    pub fn slot(&self, key: &K, command: C) -> Result<Slot<T>, KeyReused> {
        let mut known = self.known.lock().expect("nothing panics while it holds the keys");
        if let Some((first, slot)) = known.outcomes.get(key) {
            return if *first == command { Ok(slot.clone()) } else { Err(KeyReused) };
        }
        if known.order.len() == self.most
            && let Some(oldest) = known.order.pop_front()
        {
            known.outcomes.remove(&oldest);
        }
        let slot = Slot::default();
        known.outcomes.insert(key.clone(), (command, slot.clone()));
        known.order.push_back(key.clone());
        Ok(slot)
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn a_key_stands_for_one_command_until_it_is_forgotten() {
        let once: Once<u8, &str, u8> = Once::new(2);
        let first = once.slot(&1, "halt").unwrap();
        assert!(Arc::ptr_eq(&first, &once.slot(&1, "halt").unwrap()));
        assert_eq!(once.slot(&1, "flatten").unwrap_err(), KeyReused);
        once.slot(&2, "halt").unwrap();
        once.slot(&3, "halt").unwrap();
        assert!(!Arc::ptr_eq(&first, &once.slot(&1, "flatten").unwrap()));
    }
}
