-- Times are BIGINT nanoseconds since 1970 (UTC), money is BIGINT paise, days are TEXT 'YYYY-MM-DD' (IST).

-- Whose database this is; one row, never changed.
CREATE TABLE identity (
    id         BIGINT NOT NULL PRIMARY KEY CHECK (id = 1),
    mode       TEXT    NOT NULL CHECK (mode IN ('sim', 'paper', 'live')),
    account    TEXT    NOT NULL,
    created_at BIGINT NOT NULL
);

-- Who may write. Every commit names the epoch.
CREATE TABLE lease (
    name         TEXT    NOT NULL PRIMARY KEY,
    epoch        BIGINT NOT NULL,
    session      TEXT    NOT NULL,
    holder       TEXT    NOT NULL,
    place        TEXT    NOT NULL,
    acquired_at  BIGINT NOT NULL,
    heartbeat_at BIGINT NOT NULL,
    ttl_ms       BIGINT NOT NULL
);

CREATE TABLE journal_runs (
    run_id           TEXT    NOT NULL PRIMARY KEY,
    ordinal          BIGINT NOT NULL UNIQUE,
    mode             TEXT    NOT NULL CHECK (mode IN ('sim', 'paper', 'live')),
    account          TEXT    NOT NULL,
    day              TEXT    NOT NULL,
    binary_hash      TEXT    NOT NULL,
    config_hash      TEXT    NOT NULL,
    tables_hash      TEXT    NOT NULL,
    started_at       BIGINT NOT NULL,
    after_seq        BIGINT NOT NULL,
    predecessor      TEXT    REFERENCES journal_runs (run_id),
    predecessor_hash BYTEA    NOT NULL,
    genesis          BYTEA    NOT NULL,
    state            TEXT    NOT NULL CHECK (state IN ('running', 'ended', 'crashed_recovered', 'quarantined')),
    ended_at         BIGINT
);
CREATE INDEX journal_runs_by_day ON journal_runs (day, ordinal);

CREATE TABLE journal_segments (
    run_id    TEXT    NOT NULL REFERENCES journal_runs (run_id),
    first_seq BIGINT NOT NULL,
    last_seq  BIGINT NOT NULL,
    first_at  BIGINT NOT NULL,
    last_at   BIGINT NOT NULL,
    format    BIGINT NOT NULL,
    raw_len   BIGINT NOT NULL,
    payload   BYTEA    NOT NULL,
    checksum  BIGINT NOT NULL,
    previous  BYTEA    NOT NULL,
    hash      BYTEA    NOT NULL,
    epoch     BIGINT NOT NULL,
    PRIMARY KEY (run_id, first_seq)
);
