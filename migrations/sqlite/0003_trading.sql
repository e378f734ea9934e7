-- Projections of the journal: written in the transaction of the segment they come from, and recomputable from it.

CREATE TABLE orders (
    day             TEXT    NOT NULL,
    client_order_id TEXT    NOT NULL,
    position_id     INTEGER NOT NULL,
    segment         TEXT    NOT NULL,
    security_id     INTEGER NOT NULL,
    purpose         TEXT    NOT NULL,
    side            TEXT    NOT NULL,
    qty             INTEGER NOT NULL,
    order_type      TEXT    NOT NULL,
    price_paise     INTEGER NOT NULL,
    trigger_paise   INTEGER,
    state           TEXT    NOT NULL,
    reason          TEXT,
    filled_qty      INTEGER NOT NULL,
    turnover_paise  INTEGER NOT NULL,
    modifications   INTEGER NOT NULL,
    sent_at         INTEGER NOT NULL,
    updated_seq     INTEGER NOT NULL,
    updated_at      INTEGER NOT NULL,
    PRIMARY KEY (day, client_order_id)
) STRICT;
CREATE INDEX orders_by_position ON orders (day, position_id);

CREATE TABLE order_events (
    day             TEXT    NOT NULL,
    seq             INTEGER NOT NULL,
    line            INTEGER NOT NULL,
    at              INTEGER NOT NULL,
    client_order_id TEXT    NOT NULL,
    direction       TEXT    NOT NULL CHECK (direction IN ('out', 'in')),
    kind            TEXT    NOT NULL,
    detail          TEXT    NOT NULL,
    PRIMARY KEY (day, seq, line)
) STRICT;
CREATE INDEX order_events_by_order ON order_events (day, client_order_id, seq);

CREATE TABLE fills (
    day             TEXT    NOT NULL,
    client_order_id TEXT    NOT NULL,
    trade_id        TEXT    NOT NULL,
    side            TEXT    NOT NULL,
    qty             INTEGER NOT NULL,
    price_paise     INTEGER NOT NULL,
    at              INTEGER NOT NULL,
    seq             INTEGER NOT NULL,
    PRIMARY KEY (day, client_order_id, trade_id)
) STRICT;

-- The position tracker: books, and the guard around it.
CREATE TABLE positions (
    day             TEXT    NOT NULL,
    position_id     INTEGER NOT NULL,
    underlying      TEXT    NOT NULL,
    segment         TEXT    NOT NULL,
    security_id     INTEGER NOT NULL,
    signal          TEXT    NOT NULL,
    state           TEXT    NOT NULL,
    exit_reason     TEXT,
    owned           INTEGER NOT NULL,
    bought          INTEGER NOT NULL,
    sold            INTEGER NOT NULL,
    paid_paise      INTEGER NOT NULL,
    received_paise  INTEGER NOT NULL,
    charges_paise   INTEGER NOT NULL,
    stop_paise      INTEGER,
    stop_rule       TEXT,
    high_water_paise INTEGER,
    low_water_paise INTEGER,
    deadline        INTEGER,
    opened_at       INTEGER,
    closed_at       INTEGER,
    net_paise       INTEGER,
    updated_seq     INTEGER NOT NULL,
    PRIMARY KEY (day, position_id)
) STRICT;

CREATE TABLE holds (
    day             TEXT    NOT NULL,
    hold_id         INTEGER NOT NULL,
    position_id     INTEGER,
    state           TEXT    NOT NULL,
    held_paise      INTEGER NOT NULL,
    committed_paise INTEGER NOT NULL,
    updated_seq     INTEGER NOT NULL,
    PRIMARY KEY (day, hold_id)
) STRICT;

-- scope: account, or the symbol of an index. Rows are never deleted inside a day (I13).
CREATE TABLE breaker (
    day         TEXT    NOT NULL,
    scope       TEXT    NOT NULL,
    code        TEXT    NOT NULL,
    detail      TEXT    NOT NULL,
    latched_seq INTEGER NOT NULL,
    latched_at  INTEGER NOT NULL,
    PRIMARY KEY (day, scope, code)
) STRICT;

CREATE TABLE risk_events (
    day    TEXT    NOT NULL,
    seq    INTEGER NOT NULL,
    line   INTEGER NOT NULL,
    at     INTEGER NOT NULL,
    kind   TEXT    NOT NULL,
    detail TEXT    NOT NULL,
    PRIMARY KEY (day, seq, line)
) STRICT;

CREATE TABLE decisions (
    day        TEXT    NOT NULL,
    seq        INTEGER NOT NULL,
    line       INTEGER NOT NULL,
    at         INTEGER NOT NULL,
    underlying TEXT    NOT NULL,
    stage      TEXT    NOT NULL,
    code       TEXT    NOT NULL,
    detail     TEXT    NOT NULL,
    PRIMARY KEY (day, seq, line)
) STRICT;
CREATE INDEX decisions_by_time ON decisions (day, at);
