//! The tables that are projections of the journal, and changes to their rows. A change is a whole row, so that writing
//! it twice is writing it once.

use std::collections::BTreeMap;
use std::sync::LazyLock;

use super::link::{Value, fixed};

/// A projected table: the first `key` columns are its primary key.
#[derive(Debug, PartialEq, Eq)]
pub struct Table {
    /// Its name.
    pub name: &'static str,
    /// Number of key columns.
    pub key: usize,
    /// All columns, keys first.
    pub columns: &'static [&'static str],
}

macro_rules! tables {
    ($($(#[$doc:meta])* $id:ident = $name:literal, $key:literal, [$($column:literal),* $(,)?];)*) => {
        $($(#[$doc])* pub static $id: Table = Table { name: $name, key: $key, columns: &[$($column),*] };)*
        /// All projected tables.
        pub static PROJECTED: &[&Table] = &[$(&$id),*];
    };
}

tables! {
    /// Orders as they stand.
    ORDERS = "orders", 2, [
        "day", "client_order_id", "position_id", "segment", "security_id", "purpose", "side", "qty", "order_type",
        "price_paise", "trigger_paise", "state", "reason", "filled_qty", "turnover_paise", "modifications", "sent_at",
        "updated_seq", "updated_at",
    ];
    /// Every command and report, in order.
    ORDER_EVENTS = "order_events", 3, ["day", "seq", "line", "at", "client_order_id", "direction", "kind", "detail"];
    /// Executions.
    FILLS = "fills", 3, ["day", "client_order_id", "trade_id", "side", "qty", "price_paise", "at", "seq"];
    /// Position trackers.
    POSITIONS = "positions", 2, [
        "day", "position_id", "underlying", "segment", "security_id", "signal", "state", "exit_reason", "owned",
        "bought", "sold", "paid_paise", "received_paise", "charges_paise", "stop_paise", "stop_rule",
        "high_water_paise", "low_water_paise", "deadline", "opened_at", "closed_at", "net_paise", "updated_seq",
    ];
    /// Holds on capital.
    HOLDS = "holds", 2, ["day", "hold_id", "position_id", "state", "held_paise", "committed_paise", "updated_seq"];
    /// Latched breakers.
    BREAKER = "breaker", 3, ["day", "scope", "code", "detail", "latched_seq", "latched_at"];
    /// What happened to risk.
    RISK_EVENTS = "risk_events", 3, ["day", "seq", "line", "at", "kind", "detail"];
    /// Answers of the stages.
    DECISIONS = "decisions", 3, ["day", "seq", "line", "at", "underlying", "stage", "code", "detail"];
}

/// Statements over one table, put together once.
#[derive(Debug)]
pub(crate) struct Statements {
    /// Writes a whole row, new or known.
    pub(crate) upsert: &'static str,
    /// Reads a day in order of the key.
    pub(crate) of_day: &'static str,
}

static STATEMENTS: LazyLock<BTreeMap<&'static str, Statements>> = LazyLock::new(|| {
    let statements = |t: &Table| {
        let columns = t.columns.join(", ");
        let places: Vec<String> = (1..=t.columns.len()).map(|n| format!("${n}")).collect();
        let (key, rest) = t.columns.split_at(t.key);
        let set: Vec<String> = rest.iter().map(|c| format!("{c} = excluded.{c}")).collect();
        Statements {
            upsert: fixed(format!(
                "INSERT INTO {} ({columns}) VALUES ({}) ON CONFLICT ({}) DO UPDATE SET {}",
                t.name,
                places.join(", "),
                key.join(", "),
                set.join(", ")
            )),
            of_day: fixed(format!("SELECT {columns} FROM {} WHERE day = $1 ORDER BY {}", t.name, key.join(", "))),
        }
    };
    PROJECTED.iter().map(|t| (t.name, statements(t))).collect()
});

impl Table {
    /// The projected table of this name.
    pub fn named(name: &str) -> Option<&'static Table> {
        PROJECTED.iter().copied().find(|t| t.name == name)
    }

    pub(crate) fn statements(&self) -> &'static Statements {
        &STATEMENTS[self.name]
    }
}

/// One row as it is from now on.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct RowChange {
    /// Which table.
    pub table: &'static Table,
    /// Every column, keys first.
    pub values: Vec<Value>,
}

impl RowChange {
    /// A change.
    ///
    /// # Panics
    /// When the number of values is not the number of columns.
    pub fn new(table: &'static Table, values: Vec<Value>) -> RowChange {
        assert_eq!(values.len(), table.columns.len(), "columns of {}", table.name);
        RowChange { table, values }
    }

    /// The primary key.
    pub fn key(&self) -> &[Value] {
        &self.values[..self.table.key]
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn statements_bind_every_value_and_overwrite_everything_but_the_key() {
        let sql = HOLDS.statements().upsert;
        assert!(sql.starts_with("INSERT INTO holds (day, hold_id, position_id"), "{sql}");
        assert!(
            sql.contains("VALUES ($1, $2, $3, $4, $5, $6, $7) ON CONFLICT (day, hold_id) DO UPDATE SET position_id")
        );
        assert!(!sql.contains("hold_id = excluded.hold_id"));
        assert_eq!(PROJECTED.len(), 8);
        assert!(PROJECTED.iter().all(|t| Table::named(t.name) == Some(*t)));
    }
}
