//! Lists of users, what is subscribed for whom, and the log of it (S1-30 to S1-33). Owners are counted: something is
//! subscribed as long as somebody needs it, in the highest tier anybody needs it in (F-28, G1-9). Each call is one
//! transaction, log included (G1-11, G1-12, G1-16).

use scalper_decide::domain::{Instant, Segment};

use super::Store;
use super::error::StoreError;
use super::link::{Link, Readers, Row, Value, args};

/// Why something is subscribed.
#[derive(Debug, Clone, Copy, PartialEq, Eq, PartialOrd, Ord)]
pub enum Tier {
    /// On demand.
    A,
    /// Always on.
    B,
}

impl Tier {
    /// Its letter.
    pub const fn name(self) -> &'static str {
        match self {
            Tier::A => "A",
            Tier::B => "B",
        }
    }

    fn from_name(name: &str) -> Option<Tier> {
        [Tier::A, Tier::B].into_iter().find(|tier| tier.name() == name)
    }
}

/// What happened to a subscription.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub enum Action {
    /// Somebody needs it now.
    Subscribe,
    /// Nobody needs it any more.
    Unsubscribe,
    /// It made room.
    Evict,
    /// The day is over.
    Cleanup,
    /// It goes over another socket.
    Move,
}

impl Action {
    const ALL: [Action; 5] = [Action::Subscribe, Action::Unsubscribe, Action::Evict, Action::Cleanup, Action::Move];

    /// Its word in the log.
    pub const fn name(self) -> &'static str {
        match self {
            Action::Subscribe => "SUBSCRIBE",
            Action::Unsubscribe => "UNSUBSCRIBE",
            Action::Evict => "RATE_LIMIT_EVICT",
            Action::Cleanup => "EOD_CLEANUP",
            Action::Move => "MOVE",
        }
    }

    fn from_name(name: &str) -> Option<Action> {
        Action::ALL.into_iter().find(|action| action.name() == name)
    }
}

/// An instrument as its list names it.
#[derive(Debug, Clone, PartialEq, Eq, PartialOrd, Ord)]
pub struct Leg {
    /// Segment.
    pub segment: Segment,
    /// Token, unique inside the segment.
    pub security_id: u32,
    /// Trading symbol.
    pub symbol: String,
    /// Expiry, `YYYY-MM-DD`; empty for what has none.
    pub expiry: String,
    /// Strike in paise, of options.
    pub strike_paise: Option<i64>,
    /// The list's instrument type, e.g. `OPTIDX`.
    pub kind: String,
}

/// Something that is subscribed.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct Subscribed {
    /// What.
    pub leg: Leg,
    /// The highest tier anybody needs it in.
    pub tier: Tier,
    /// Since when.
    pub since: Instant,
    /// Over which socket, 1 to 5; `None` while it waits for one.
    pub socket: Option<u8>,
    /// How many need it.
    pub owners: u32,
}

/// An entry of a user's list.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct Entry {
    /// Its number.
    pub id: i64,
    /// Whose list.
    pub user: String,
    /// Symbol of the underlying or share.
    pub symbol: String,
    /// Expiry; empty for what has none.
    pub expiry: String,
    /// What kind, e.g. `STOCK_OPTION`.
    pub kind: String,
    /// When it was added.
    pub added_at: Instant,
    /// Place in the user's list, from 1.
    pub order: i64,
    /// When it was looked at last: the one unused longest makes room first.
    pub used_at: Instant,
}

impl Entry {
    /// The name under which its legs are owned.
    pub fn owner(&self) -> String {
        owner(self.id)
    }
}

fn owner(id: i64) -> String {
    format!("watchlist:{id}")
}

/// What a user wants to watch.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct NewEntry {
    /// Whose list.
    pub user: String,
    /// Symbol of the underlying or share.
    pub symbol: String,
    /// Expiry; empty for what has none.
    pub expiry: String,
    /// What kind.
    pub kind: String,
    /// Everything that is subscribed for it.
    pub legs: Vec<Leg>,
}

/// One line of the log.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct LogLine {
    /// When.
    pub at: Instant,
    /// What.
    pub action: Action,
    /// Segment.
    pub segment: Segment,
    /// Token.
    pub security_id: u32,
    /// Socket, when it has one.
    pub socket: Option<u8>,
    /// Why.
    pub reason: String,
}

/// Strikes around the money.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct AtTheMoney {
    /// Symbol of the underlying.
    pub underlying: String,
    /// Expiry.
    pub expiry: String,
    /// Level it was computed from, paise.
    pub level_paise: i64,
    /// The strike, paise.
    pub atm_paise: i64,
    /// Distance of strikes, paise.
    pub step_paise: i64,
    /// When; whoever reads it judges its age.
    pub cached_at: Instant,
    /// The strikes, paise, ascending.
    pub strikes_paise: Vec<i64>,
}

async fn log(
    link: &mut Link,
    at: Instant,
    action: Action,
    key: (&str, i64),
    socket: Option<i64>,
    reason: &str,
) -> Result<(), StoreError> {
    let sql = "INSERT INTO subscription_log (at, action, segment, security_id, socket, reason) \
               VALUES ($1, $2, $3, $4, $5, $6)";
    link.execute(sql, &args![at.nanos(), action.name(), key.0, key.1, socket, reason]).await.map(|_| ())
}

/// Somebody needs these legs; the number of those nobody needed before.
async fn claim(
    link: &mut Link,
    owner: &str,
    tier: Tier,
    legs: &[Leg],
    at: Instant,
    reason: &str,
) -> Result<u64, StoreError> {
    let mut new = 0;
    for leg in legs {
        let (segment, id) = (leg.segment.name(), i64::from(leg.security_id));
        let sql = "SELECT active FROM subscriptions WHERE segment = $1 AND security_id = $2";
        let was_active = match link.fetch_one(sql, &args![segment, id]).await? {
            Some(row) => row.int(0)? == 1,
            None => false,
        };
        let sql = "INSERT INTO subscriptions (segment, security_id, symbol, expiry, strike_paise, kind, tier, \
                   subscribed_at, socket, active) VALUES ($1, $2, $3, $4, $5, $6, $7, $8, NULL, 1) \
                   ON CONFLICT (segment, security_id) DO UPDATE SET symbol = excluded.symbol, \
                   expiry = excluded.expiry, strike_paise = excluded.strike_paise, kind = excluded.kind, \
                   tier = CASE WHEN subscriptions.active = 1 AND subscriptions.tier = 'B' THEN 'B' \
                   ELSE excluded.tier END, \
                   subscribed_at = CASE WHEN subscriptions.active = 1 THEN subscriptions.subscribed_at \
                   ELSE excluded.subscribed_at END, active = 1";
        let (symbol, expiry, kind) = (leg.symbol.as_str(), leg.expiry.as_str(), leg.kind.as_str());
        let values = args![segment, id, symbol, expiry, leg.strike_paise, kind, tier.name(), at.nanos()];
        link.execute(sql, &values).await?;
        let sql = "INSERT INTO subscription_owners (segment, security_id, owner, tier) VALUES ($1, $2, $3, $4) \
                   ON CONFLICT (segment, security_id, owner) DO UPDATE SET tier = excluded.tier";
        link.execute(sql, &args![segment, id, owner, tier.name()]).await?;
        if !was_active {
            new += 1;
            log(link, at, Action::Subscribe, (segment, id), None, reason).await?;
        }
    }
    Ok(new)
}

/// An owner needs nothing any more; the legs nobody needs now.
async fn release(
    link: &mut Link,
    owner: &str,
    action: Action,
    at: Instant,
    reason: &str,
) -> Result<Vec<(Segment, u32)>, StoreError> {
    let sql = "SELECT segment, security_id FROM subscription_owners WHERE owner = $1 ORDER BY segment, security_id";
    let legs = link.fetch(sql, &args![owner]).await?;
    link.execute("DELETE FROM subscription_owners WHERE owner = $1", &args![owner]).await?;
    let mut gone = Vec::new();
    for row in &legs {
        let (segment, id) = (row.text(0)?, row.int(1)?);
        let sql = "SELECT count(*), coalesce(max(tier), '') FROM subscription_owners \
                   WHERE segment = $1 AND security_id = $2";
        let left = link.fetch_one(sql, &args![segment, id]).await?;
        let left = left.ok_or_else(|| StoreError::Damaged("a count without a row".to_owned()))?;
        if left.int(0)? > 0 {
            let sql = "UPDATE subscriptions SET tier = $3 WHERE segment = $1 AND security_id = $2";
            link.execute(sql, &args![segment, id, left.text(1)?]).await?;
            continue;
        }
        let sql = "SELECT socket FROM subscriptions WHERE segment = $1 AND security_id = $2";
        let socket = link.fetch_one(sql, &args![segment, id]).await?.and_then(|row| row.maybe_int(0).ok().flatten());
        let sql = "UPDATE subscriptions SET active = 0, socket = NULL WHERE segment = $1 AND security_id = $2";
        link.execute(sql, &args![segment, id]).await?;
        log(link, at, action, (segment, id), socket, reason).await?;
        gone.push(key(row)?);
    }
    Ok(gone)
}

fn key(row: &Row) -> Result<(Segment, u32), StoreError> {
    let damaged = || StoreError::Damaged(format!("{:?} among the subscriptions", row.0));
    let segment = Segment::from_name(row.text(0)?).ok_or_else(damaged)?;
    Ok((segment, u32::try_from(row.int(1)?).map_err(|_| damaged())?))
}

impl Store {
    /// Puts an entry on a user's list and claims its legs, all of it or nothing. `None` when it is there already.
    ///
    /// # Errors
    /// [`StoreError`].
    pub async fn watch_add(&self, entry: NewEntry, at: Instant) -> Result<Option<Entry>, StoreError> {
        self.transact(move |link| {
            Box::pin(async move {
                let sql = "SELECT coalesce(max(added_order), 0) + 1 FROM watchlist WHERE user_name = $1";
                let order = link.fetch_one(sql, &args![entry.user.as_str()]).await?;
                let order = order.ok_or_else(|| StoreError::Damaged("a maximum without a row".to_owned()))?.int(0)?;
                let (user, symbol) = (entry.user.as_str(), entry.symbol.as_str());
                let sql = "INSERT INTO watchlist (user_name, symbol, expiry, kind, added_at, added_order, used_at) \
                           VALUES ($1, $2, $3, $4, $5, $6, $5) ON CONFLICT (user_name, symbol, expiry) DO NOTHING \
                           RETURNING id";
                let values = args![user, symbol, entry.expiry.as_str(), entry.kind.as_str(), at.nanos(), order];
                let Some(row) = link.fetch_one(sql, &values).await? else { return Ok(None) };
                let id = row.int(0)?;
                let reason = format!("{user} watches {symbol} {}", entry.expiry);
                claim(link, &owner(id), Tier::A, &entry.legs, at, reason.trim_end()).await?;
                let NewEntry { user, symbol, expiry, kind, .. } = entry;
                Ok(Some(Entry { id, user, symbol, expiry, kind, added_at: at, order, used_at: at }))
            })
        })
        .await
    }

    /// Takes an entry off its list, whatever the chain looks like by now; the legs nobody needs any more. `None` when it
    /// was not there.
    ///
    /// # Errors
    /// [`StoreError`].
    pub async fn watch_remove(
        &self,
        id: i64,
        action: Action,
        at: Instant,
        reason: String,
    ) -> Result<Option<Vec<(Segment, u32)>>, StoreError> {
        self.transact(move |link| {
            Box::pin(async move {
                if link.execute("DELETE FROM watchlist WHERE id = $1", &args![id]).await? == 0 {
                    return Ok(None);
                }
                release(link, &owner(id), action, at, &reason).await.map(Some)
            })
        })
        .await
    }

    /// An entry was looked at.
    ///
    /// # Errors
    /// [`StoreError`].
    pub async fn watch_used(&self, id: i64, at: Instant) -> Result<(), StoreError> {
        self.transact(move |link| {
            Box::pin(async move {
                let sql = "UPDATE watchlist SET used_at = $2 WHERE id = $1 AND used_at < $2";
                link.execute(sql, &args![id, at.nanos()]).await.map(|_| ())
            })
        })
        .await
    }

    /// Somebody else than an entry needs these legs; the number of those nobody needed before.
    ///
    /// # Errors
    /// [`StoreError`].
    pub async fn claim(
        &self,
        owner: String,
        tier: Tier,
        legs: Vec<Leg>,
        at: Instant,
        reason: String,
    ) -> Result<u64, StoreError> {
        self.transact(move |link| Box::pin(async move { claim(link, &owner, tier, &legs, at, &reason).await })).await
    }

    /// It needs nothing any more; the legs nobody needs now.
    ///
    /// # Errors
    /// [`StoreError`].
    pub async fn release(
        &self,
        owner: String,
        action: Action,
        at: Instant,
        reason: String,
    ) -> Result<Vec<(Segment, u32)>, StoreError> {
        self.transact(move |link| Box::pin(async move { release(link, &owner, action, at, &reason).await })).await
    }

    /// What is subscribed goes over this socket from now on; `false` when it is not subscribed.
    ///
    /// # Errors
    /// [`StoreError`]; a socket that is not 1 to 5 is refused by the database.
    pub async fn carry_over(
        &self,
        what: (Segment, u32),
        socket: u8,
        at: Instant,
        reason: String,
    ) -> Result<bool, StoreError> {
        self.transact(move |link| {
            Box::pin(async move {
                let (segment, id) = (what.0.name(), i64::from(what.1));
                let sql = "SELECT socket FROM subscriptions WHERE segment = $1 AND security_id = $2 AND active = 1";
                let Some(row) = link.fetch_one(sql, &args![segment, id]).await? else { return Ok(false) };
                let before = row.maybe_int(0)?;
                let sql = "UPDATE subscriptions SET socket = $3 WHERE segment = $1 AND security_id = $2";
                link.execute(sql, &args![segment, id, i64::from(socket)]).await?;
                if before.is_some_and(|before| before != i64::from(socket)) {
                    log(link, at, Action::Move, (segment, id), Some(i64::from(socket)), &reason).await?;
                }
                Ok(true)
            })
        })
        .await
    }

    /// Keeps strikes around the money in place of those before.
    ///
    /// # Errors
    /// [`StoreError`].
    pub async fn save_atm(&self, atm: AtTheMoney) -> Result<(), StoreError> {
        self.transact(move |link| {
            Box::pin(async move {
                let strikes = serde_json::to_string(&atm.strikes_paise).expect("numbers");
                let sql = "INSERT INTO atm_cache (underlying, expiry, level_paise, atm_paise, step_paise, cached_at, \
                           strikes) VALUES ($1, $2, $3, $4, $5, $6, $7) ON CONFLICT (underlying, expiry) DO UPDATE SET \
                           level_paise = excluded.level_paise, atm_paise = excluded.atm_paise, \
                           step_paise = excluded.step_paise, cached_at = excluded.cached_at, strikes = excluded.strikes";
                let at = atm.cached_at.nanos();
                let values =
                    args![atm.underlying, atm.expiry, atm.level_paise, atm.atm_paise, atm.step_paise, at, strikes];
                link.execute(sql, &values).await.map(|_| ())
            })
        })
        .await
    }
}

/// Entries of one user, or of all (`None`), in the order they were added.
///
/// # Errors
/// [`StoreError`].
pub async fn entries(readers: &Readers, user: Option<&str>) -> Result<Vec<Entry>, StoreError> {
    let sql = "SELECT id, user_name, symbol, expiry, kind, added_at, added_order, used_at FROM watchlist \
               WHERE $1 = 0 OR user_name = $2 ORDER BY user_name, added_order";
    let entry = |row: &Row| {
        Ok(Entry {
            id: row.int(0)?,
            user: row.text(1)?.to_owned(),
            symbol: row.text(2)?.to_owned(),
            expiry: row.text(3)?.to_owned(),
            kind: row.text(4)?.to_owned(),
            added_at: Instant::from_nanos(row.int(5)?),
            order: row.int(6)?,
            used_at: Instant::from_nanos(row.int(7)?),
        })
    };
    let values = args![i64::from(user.is_some()), user.unwrap_or_default()];
    readers.fetch(sql, &values).await?.iter().map(entry).collect()
}

/// Everything that is subscribed, by segment and token: what a restart goes on with.
///
/// # Errors
/// [`StoreError`]; what nobody can have written counts as damage.
pub async fn subscribed(readers: &Readers) -> Result<Vec<Subscribed>, StoreError> {
    let sql = "SELECT s.segment, s.security_id, s.symbol, s.expiry, s.strike_paise, s.kind, s.tier, s.subscribed_at, \
               s.socket, (SELECT count(*) FROM subscription_owners o WHERE o.segment = s.segment \
               AND o.security_id = s.security_id) FROM subscriptions s WHERE s.active = 1 \
               ORDER BY s.segment, s.security_id";
    let one = |row: &Row| {
        let damaged = || StoreError::Damaged(format!("{:?} among the subscriptions", row.0));
        let (segment, security_id) = key(row)?;
        let leg = Leg {
            segment,
            security_id,
            symbol: row.text(2)?.to_owned(),
            expiry: row.text(3)?.to_owned(),
            strike_paise: row.maybe_int(4)?,
            kind: row.text(5)?.to_owned(),
        };
        Ok(Subscribed {
            leg,
            tier: Tier::from_name(row.text(6)?).ok_or_else(damaged)?,
            since: Instant::from_nanos(row.int(7)?),
            socket: socket(row, 8)?,
            owners: u32::try_from(row.int(9)?).map_err(|_| damaged())?,
        })
    };
    readers.fetch(sql, &[]).await?.iter().map(one).collect()
}

fn socket(row: &Row, at: usize) -> Result<Option<u8>, StoreError> {
    let number = |n| u8::try_from(n).map_err(|_| StoreError::Damaged(format!("socket {n}")));
    row.maybe_int(at)?.map(number).transpose()
}

/// Lines of the log, newest first, `limit` of them after `offset`; and how many there are.
///
/// # Errors
/// [`StoreError`].
pub async fn log_lines(readers: &Readers, offset: u64, limit: u64) -> Result<(Vec<LogLine>, u64), StoreError> {
    let total = readers.fetch_one("SELECT count(*) FROM subscription_log", &[]).await?;
    let total = total.ok_or_else(|| StoreError::Damaged("a count without a row".to_owned()))?.int(0)?;
    let sql = "SELECT segment, security_id, at, action, socket, reason FROM subscription_log \
               ORDER BY id DESC LIMIT $1 OFFSET $2";
    let line = |row: &Row| {
        let (segment, security_id) = key(row)?;
        let action = Action::from_name(row.text(3)?);
        Ok(LogLine {
            at: Instant::from_nanos(row.int(2)?),
            action: action.ok_or_else(|| StoreError::Damaged(format!("{:?} in the log", row.0)))?,
            segment,
            security_id,
            socket: socket(row, 4)?,
            reason: row.text(5)?.to_owned(),
        })
    };
    let rows = readers.fetch(sql, &[Value::from(limit), Value::from(offset)]).await?;
    Ok((rows.iter().map(line).collect::<Result<_, StoreError>>()?, total.cast_unsigned()))
}

/// Strikes around the money as last kept.
///
/// # Errors
/// [`StoreError`].
pub async fn load_atm(readers: &Readers, underlying: &str, expiry: &str) -> Result<Option<AtTheMoney>, StoreError> {
    let sql = "SELECT level_paise, atm_paise, step_paise, cached_at, strikes FROM atm_cache \
               WHERE underlying = $1 AND expiry = $2";
    let Some(row) = readers.fetch_one(sql, &args![underlying, expiry]).await? else { return Ok(None) };
    let strikes = serde_json::from_str(row.text(4)?);
    Ok(Some(AtTheMoney {
        underlying: underlying.to_owned(),
        expiry: expiry.to_owned(),
        level_paise: row.int(0)?,
        atm_paise: row.int(1)?,
        step_paise: row.int(2)?,
        cached_at: Instant::from_nanos(row.int(3)?),
        strikes_paise: strikes.map_err(|e| StoreError::Damaged(format!("strikes of {underlying}: {e}")))?,
    }))
}
