//! Lays one tree over another. What is written later wins; places travel with the values.

use super::node::{Node, Value};

/// What happens to lists.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub(crate) enum Lists {
    /// The later list replaces the earlier one as a whole.
    Replace,
    /// Lists of entries with a `from` date are merged by that date; other lists are replaced.
    ByDate,
}

/// `over` laid over `base`: sections key by key, everything else as a whole.
pub(crate) fn merge(base: Node, over: Node, lists: Lists) -> Node {
    match (base.value, over.value) {
        (Value::Map(mut below), Value::Map(above)) => {
            for entry in above {
                match below.iter().position(|e| e.key == entry.key) {
                    Some(i) => {
                        let old = std::mem::replace(&mut below[i].node.value, Value::Empty);
                        let at = below[i].node.at.clone();
                        below[i].node = merge(Node { value: old, at }, entry.node, lists);
                        below[i].key_at = entry.key_at;
                    }
                    None => below.push(entry),
                }
            }
            Node { value: Value::Map(below), at: over.at }
        }
        // An empty section changes nothing; its emptiness is reported when the layer itself is read.
        (below @ Value::Map(_), Value::Empty) => Node { value: below, at: base.at },
        (Value::List(mut below), Value::List(above))
            if lists == Lists::ByDate && is_dated(&below) && is_dated(&above) =>
        {
            for item in above {
                let from = item.get("from").map(Node::canonical);
                match below.iter().position(|b| b.get("from").map(Node::canonical) == from) {
                    Some(i) => below[i] = item,
                    None => below.push(item),
                }
            }
            below.sort_by_key(|item| item.get("from").map(Node::canonical));
            Node { value: Value::List(below), at: over.at }
        }
        (_, above) => Node { value: above, at: over.at },
    }
}

fn is_dated(items: &[Node]) -> bool {
    items.iter().all(|item| item.get("from").is_some())
}
