CREATE TABLE config_history (
    config_hash TEXT    NOT NULL PRIMARY KEY,
    first_seen  BIGINT NOT NULL,
    settings    TEXT    NOT NULL
);

-- Append-only; each row carries the hash of the one before (S22).
CREATE TABLE audit (
    id       BIGINT NOT NULL PRIMARY KEY,
    at       BIGINT NOT NULL,
    actor    TEXT    NOT NULL,
    source   TEXT    NOT NULL,
    action   TEXT    NOT NULL,
    detail   TEXT    NOT NULL,
    previous BYTEA    NOT NULL,
    hash     BYTEA    NOT NULL
);
CREATE FUNCTION audit_is_append_only() RETURNS trigger LANGUAGE plpgsql AS
$$ BEGIN RAISE EXCEPTION 'audit is append-only'; END $$;
CREATE TRIGGER audit_is_never_changed BEFORE UPDATE OR DELETE OR TRUNCATE ON audit
    FOR EACH STATEMENT EXECUTE FUNCTION audit_is_append_only();

-- Calls counted against the broker's limits, per window (second, minute, hour, day) and its start.
CREATE TABLE rate_budget (
    account      TEXT    NOT NULL,
    budget       TEXT    NOT NULL,
    window_start BIGINT NOT NULL,
    used         BIGINT NOT NULL,
    PRIMARY KEY (account, budget, window_start)
);

-- At-the-money volatility at the end of each session, in millionths of a percent.
CREATE TABLE iv_history (
    underlying TEXT    NOT NULL,
    day        TEXT    NOT NULL,
    iv_micro   BIGINT NOT NULL,
    PRIMARY KEY (underlying, day)
);
