-- Times are INTEGER nanoseconds since 1970 (UTC), money is INTEGER paise, days are TEXT 'YYYY-MM-DD' (IST).

-- Whose database this is; one row, never changed.
CREATE TABLE identity (
    id         INTEGER NOT NULL PRIMARY KEY CHECK (id = 1),
    mode       TEXT    NOT NULL CHECK (mode IN ('sim', 'paper', 'live')),
    account    TEXT    NOT NULL,
    created_at INTEGER NOT NULL
) STRICT;

-- Who may write. Every commit names the epoch.
CREATE TABLE lease (
    name         TEXT    NOT NULL PRIMARY KEY,
    epoch        INTEGER NOT NULL,
    session      TEXT    NOT NULL,
    holder       TEXT    NOT NULL,
    place        TEXT    NOT NULL,
    acquired_at  INTEGER NOT NULL,
    heartbeat_at INTEGER NOT NULL,
    ttl_ms       INTEGER NOT NULL
) STRICT;

CREATE TABLE journal_runs (
    run_id           TEXT    NOT NULL PRIMARY KEY,
    ordinal          INTEGER NOT NULL UNIQUE,
    mode             TEXT    NOT NULL CHECK (mode IN ('sim', 'paper', 'live')),
    account          TEXT    NOT NULL,
    day              TEXT    NOT NULL,
    binary_hash      TEXT    NOT NULL,
    config_hash      TEXT    NOT NULL,
    tables_hash      TEXT    NOT NULL,
    started_at       INTEGER NOT NULL,
    after_seq        INTEGER NOT NULL,
    predecessor      TEXT    REFERENCES journal_runs (run_id),
    predecessor_hash BLOB    NOT NULL,
    genesis          BLOB    NOT NULL,
    state            TEXT    NOT NULL CHECK (state IN ('running', 'ended', 'crashed_recovered', 'quarantined')),
    ended_at         INTEGER
) STRICT;
CREATE INDEX journal_runs_by_day ON journal_runs (day, ordinal);

CREATE TABLE journal_segments (
    run_id    TEXT    NOT NULL REFERENCES journal_runs (run_id),
    first_seq INTEGER NOT NULL,
    last_seq  INTEGER NOT NULL,
    first_at  INTEGER NOT NULL,
    last_at   INTEGER NOT NULL,
    format    INTEGER NOT NULL,
    raw_len   INTEGER NOT NULL,
    payload   BLOB    NOT NULL,
    checksum  INTEGER NOT NULL,
    previous  BLOB    NOT NULL,
    hash      BLOB    NOT NULL,
    epoch     INTEGER NOT NULL,
    PRIMARY KEY (run_id, first_seq)
) STRICT;
