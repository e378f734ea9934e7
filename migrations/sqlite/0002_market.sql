-- What can be watched and traded. Segments are the broker's names (IDX_I, NSE_FNO, ..).

CREATE TABLE instruments (
    id          INTEGER NOT NULL PRIMARY KEY,
    exchange    TEXT    NOT NULL CHECK (exchange IN ('NSE', 'BSE')),
    segment     TEXT    NOT NULL,
    security_id INTEGER NOT NULL,
    symbol      TEXT    NOT NULL,
    name        TEXT    NOT NULL,
    UNIQUE (segment, security_id)
) STRICT;

CREATE TABLE derivatives (
    id            INTEGER NOT NULL PRIMARY KEY,
    instrument_id INTEGER NOT NULL REFERENCES instruments (id),
    segment       TEXT    NOT NULL,
    security_id   INTEGER NOT NULL,
    symbol        TEXT    NOT NULL,
    expiry        TEXT    NOT NULL,
    strike_paise  INTEGER,
    option_right  TEXT    CHECK (option_right IN ('CE', 'PE')),
    lot           INTEGER NOT NULL CHECK (lot > 0),
    tick_paise    INTEGER NOT NULL CHECK (tick_paise > 0),
    UNIQUE (segment, security_id)
) STRICT;
CREATE INDEX derivatives_by_expiry ON derivatives (instrument_id, expiry, strike_paise);

-- watchable_id points into instruments or derivatives, as watchable_type says.
CREATE TABLE watchlist_items (
    id             INTEGER NOT NULL PRIMARY KEY,
    watchable_type TEXT    NOT NULL CHECK (watchable_type IN ('instrument', 'derivative')),
    watchable_id   INTEGER NOT NULL,
    segment        TEXT    NOT NULL,
    security_id    INTEGER NOT NULL,
    kind           TEXT    NOT NULL CHECK (kind IN ('index_value', 'equity', 'derivative', 'currency', 'commodity')),
    active         INTEGER NOT NULL DEFAULT 1 CHECK (active IN (0, 1)),
    label          TEXT,
    UNIQUE (segment, security_id)
) STRICT;
