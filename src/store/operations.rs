//! Small facts that outlive a process: volatility by session, calls counted against the broker's limits, latched
//! breakers.

use chrono::NaiveDate;
use scalper_decide::domain::event::IvDays;
use scalper_decide::domain::{Instant, Underlying};

use super::Store;
use super::error::StoreError;
use super::link::{Readers, args};

/// Calls counted in one window of one budget.
#[derive(Debug, Clone, PartialEq, Eq, PartialOrd, Ord)]
pub struct BudgetUse {
    /// Which budget and window, as the rate budget names it.
    pub budget: String,
    /// Start of the window.
    pub window_start: Instant,
    /// Calls so far.
    pub used: i64,
}

/// A latched breaker.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct Latched {
    /// `account`, or the symbol of an index.
    pub scope: String,
    /// Its code.
    pub code: String,
    /// In words.
    pub detail: String,
    /// When it latched.
    pub at: Instant,
}

/// Breakers latched on a day, by scope and code (I13, J2).
///
/// # Errors
/// [`StoreError`].
pub async fn latched(readers: &Readers, day: NaiveDate) -> Result<Vec<Latched>, StoreError> {
    let sql = "SELECT scope, code, detail, latched_at FROM breaker WHERE day = $1 ORDER BY scope, code";
    let rows = readers.fetch(sql, &args![day.to_string()]).await?;
    let latched = |row: &super::link::Row| {
        Ok(Latched {
            scope: row.text(0)?.to_owned(),
            code: row.text(1)?.to_owned(),
            detail: row.text(2)?.to_owned(),
            at: Instant::from_nanos(row.int(3)?),
        })
    };
    rows.iter().map(latched).collect()
}

/// At-the-money volatility (millionths of a percent) at the end of each session before `before`, oldest first: what the
/// IV rank of that day begins with.
///
/// # Errors
/// [`StoreError`].
pub async fn iv_history(readers: &Readers, before: NaiveDate) -> Result<IvDays, StoreError> {
    let sql = "SELECT underlying, day, iv_micro FROM iv_history WHERE day < $1 ORDER BY underlying, day";
    let mut history = IvDays::new();
    for row in readers.fetch(sql, &args![before.to_string()]).await? {
        let damaged = || StoreError::Damaged(format!("{:?} in the volatility history", row.0));
        let underlying = Underlying::from_symbol(row.text(0)?).ok_or_else(damaged)?;
        let day = row.text(1)?.parse().map_err(|_| damaged())?;
        history.entry(underlying).or_default().push((day, row.int(2)?));
    }
    Ok(history)
}

/// What was used of the budgets of an account, windows that began at `since` or later.
///
/// # Errors
/// [`StoreError`].
pub async fn budget_use(readers: &Readers, account: &str, since: Instant) -> Result<Vec<BudgetUse>, StoreError> {
    let sql = "SELECT budget, window_start, used FROM rate_budget WHERE account = $1 AND window_start >= $2 \
               ORDER BY budget, window_start";
    let rows = readers.fetch(sql, &args![account, since.nanos()]).await?;
    let used = |row: &super::link::Row| {
        let window_start = Instant::from_nanos(row.int(1)?);
        Ok(BudgetUse { budget: row.text(0)?.to_owned(), window_start, used: row.int(2)? })
    };
    rows.iter().map(used).collect()
}

impl Store {
    /// Keeps the volatility (percent) a session ended with; a second value of the same session replaces the first.
    ///
    /// # Errors
    /// [`StoreError::Statement`] for a value that is no number.
    pub async fn save_iv(&self, underlying: Underlying, day: NaiveDate, iv_pct: f64) -> Result<(), StoreError> {
        if !iv_pct.is_finite() || !(0.0..1e6).contains(&iv_pct) {
            return Err(StoreError::Statement(format!("a volatility of {iv_pct}")));
        }
        let micro = (iv_pct * 1e6).round() as i64;
        self.transact(move |link| {
            Box::pin(async move {
                let sql = "INSERT INTO iv_history (underlying, day, iv_micro) VALUES ($1, $2, $3) \
                           ON CONFLICT (underlying, day) DO UPDATE SET iv_micro = excluded.iv_micro";
                link.execute(sql, &args![underlying.symbol(), day.to_string(), micro]).await.map(|_| ())
            })
        })
        .await
    }

    /// Keeps how much of an account's budgets is used, and forgets windows that began before `since`. A count never
    /// goes down inside a window.
    ///
    /// # Errors
    /// [`StoreError`].
    pub async fn save_budget(&self, account: String, uses: Vec<BudgetUse>, since: Instant) -> Result<(), StoreError> {
        self.transact(move |link| {
            Box::pin(async move {
                let sql = "DELETE FROM rate_budget WHERE account = $1 AND window_start < $2";
                link.execute(sql, &args![account.as_str(), since.nanos()]).await?;
                for one in &uses {
                    let sql = "INSERT INTO rate_budget (account, budget, window_start, used) VALUES ($1, $2, $3, $4) \
                               ON CONFLICT (account, budget, window_start) DO UPDATE SET used = \
                               CASE WHEN rate_budget.used > excluded.used THEN rate_budget.used ELSE excluded.used END";
                    let args = args![account.as_str(), one.budget.as_str(), one.window_start.nanos(), one.used];
                    link.execute(sql, &args).await?;
                }
                Ok(())
            })
        })
        .await
    }
}
