CREATE TABLE config_history (
    config_hash TEXT    NOT NULL PRIMARY KEY,
    first_seen  INTEGER NOT NULL,
    settings    TEXT    NOT NULL
) STRICT;

-- Append-only; each row carries the hash of the one before (S22).
CREATE TABLE audit (
    id       INTEGER NOT NULL PRIMARY KEY,
    at       INTEGER NOT NULL,
    actor    TEXT    NOT NULL,
    source   TEXT    NOT NULL,
    action   TEXT    NOT NULL,
    detail   TEXT    NOT NULL,
    previous BLOB    NOT NULL,
    hash     BLOB    NOT NULL
) STRICT;
CREATE TRIGGER audit_is_never_changed BEFORE UPDATE ON audit BEGIN SELECT RAISE(ABORT, 'audit is append-only'); END;
CREATE TRIGGER audit_is_never_deleted BEFORE DELETE ON audit BEGIN SELECT RAISE(ABORT, 'audit is append-only'); END;

-- Calls counted against the broker's limits, per window (second, minute, hour, day) and its start.
CREATE TABLE rate_budget (
    account      TEXT    NOT NULL,
    budget       TEXT    NOT NULL,
    window_start INTEGER NOT NULL,
    used         INTEGER NOT NULL,
    PRIMARY KEY (account, budget, window_start)
) STRICT;

-- At-the-money volatility at the end of each session, in millionths of a percent.
CREATE TABLE iv_history (
    underlying TEXT    NOT NULL,
    day        TEXT    NOT NULL,
    iv_micro   INTEGER NOT NULL,
    PRIMARY KEY (underlying, day)
) STRICT;
