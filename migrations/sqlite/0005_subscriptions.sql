-- What people watch, what is subscribed for whom, and what became of it. Segments are the broker's names; a security id
-- is unique inside its segment only.

-- One entry of one user's list (S1-30). expiry is empty for what has none, so that it counts in the unique key.
CREATE TABLE watchlist (
    id          INTEGER NOT NULL PRIMARY KEY,
    user_name   TEXT    NOT NULL,
    symbol      TEXT    NOT NULL,
    expiry      TEXT    NOT NULL DEFAULT '',
    kind        TEXT    NOT NULL,
    added_at    INTEGER NOT NULL,
    added_order INTEGER NOT NULL,
    used_at     INTEGER NOT NULL,
    UNIQUE (user_name, symbol, expiry)
) STRICT;

-- What is subscribed (S1-31). socket is empty while it waits for one.
CREATE TABLE subscriptions (
    segment       TEXT    NOT NULL,
    security_id   INTEGER NOT NULL,
    symbol        TEXT    NOT NULL,
    expiry        TEXT    NOT NULL DEFAULT '',
    strike_paise  INTEGER,
    kind          TEXT    NOT NULL,
    tier          TEXT    NOT NULL CHECK (tier IN ('A', 'B')),
    subscribed_at INTEGER NOT NULL,
    socket        INTEGER CHECK (socket BETWEEN 1 AND 5),
    active        INTEGER NOT NULL DEFAULT 1 CHECK (active IN (0, 1)),
    PRIMARY KEY (segment, security_id)
) STRICT;

-- Who needs it: a watchlist entry (`watchlist:ID`), a chain that is always on, a position. It is subscribed as long as
-- there is a row (G1-9, F-28), and the legs of an entry are the ones it was added with (G1-10).
CREATE TABLE subscription_owners (
    segment     TEXT    NOT NULL,
    security_id INTEGER NOT NULL,
    owner       TEXT    NOT NULL,
    tier        TEXT    NOT NULL CHECK (tier IN ('A', 'B')),
    PRIMARY KEY (segment, security_id, owner),
    FOREIGN KEY (segment, security_id) REFERENCES subscriptions (segment, security_id)
) STRICT;
CREATE INDEX subscription_owners_by_owner ON subscription_owners (owner);

-- Strikes around the money as last computed (S1-32); strikes is a JSON list of paise.
CREATE TABLE atm_cache (
    underlying  TEXT    NOT NULL,
    expiry      TEXT    NOT NULL,
    level_paise INTEGER NOT NULL,
    atm_paise   INTEGER NOT NULL,
    step_paise  INTEGER NOT NULL CHECK (step_paise > 0),
    cached_at   INTEGER NOT NULL,
    strikes     TEXT    NOT NULL,
    PRIMARY KEY (underlying, expiry)
) STRICT;

-- Every change of the set, in order (S1-33).
CREATE TABLE subscription_log (
    id          INTEGER NOT NULL PRIMARY KEY,
    at          INTEGER NOT NULL,
    action      TEXT    NOT NULL CHECK (action IN ('SUBSCRIBE', 'UNSUBSCRIBE', 'RATE_LIMIT_EVICT', 'EOD_CLEANUP', 'MOVE')),
    segment     TEXT    NOT NULL,
    security_id INTEGER NOT NULL,
    socket      INTEGER,
    reason      TEXT    NOT NULL
) STRICT;
CREATE INDEX subscription_log_by_time ON subscription_log (at);
