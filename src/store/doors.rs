//! Doors that a person closed and nobody opened again: a halt outlives its day, and every later one until it is lifted.

use std::collections::BTreeSet;

use chrono::NaiveDate;
use scalper_decide::domain::operator::OperatorCommand;

use super::error::StoreError;
use super::link::{Readers, args};

/// The commands that close them again, as of the end of the last day before `day` that anybody said anything on. A day
/// begins by repeating them, so that day is enough. Words that cannot be read keep entries closed.
///
/// # Errors
/// The database does not answer.
pub async fn left_closed(readers: &Readers, day: NaiveDate) -> Result<Vec<OperatorCommand>, StoreError> {
    let sql = "SELECT detail FROM risk_events WHERE kind = $1 AND day = \
               (SELECT MAX(day) FROM risk_events WHERE kind = $2 AND day < $3) ORDER BY seq, line";
    let rows = readers.fetch(sql, &args!["operator", "operator", day.to_string()]).await?;
    let (mut halted, mut reduce_only, mut paused) = (false, false, BTreeSet::new());
    for row in &rows {
        match serde_json::from_str(row.text(0)?) {
            Ok(OperatorCommand::Halt) | Err(_) => halted = true,
            Ok(OperatorCommand::ReduceOnly) => reduce_only = true,
            Ok(OperatorCommand::Resume) => (halted, reduce_only) = (false, false),
            Ok(OperatorCommand::Pause { underlying }) => {
                paused.insert(underlying);
            }
            Ok(OperatorCommand::ResumeIndex { underlying }) => {
                paused.remove(&underlying);
            }
            Ok(_) => {}
        }
    }
    let whole = [(halted, OperatorCommand::Halt), (reduce_only, OperatorCommand::ReduceOnly)];
    let whole = whole.into_iter().filter(|(is_closed, _)| *is_closed).map(|(_, command)| command);
    Ok(whole.chain(paused.into_iter().map(|underlying| OperatorCommand::Pause { underlying })).collect())
}
