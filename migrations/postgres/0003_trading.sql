-- Projections of the journal: written in the transaction of the segment they come from, and recomputable from it.

CREATE TABLE orders (
    day             TEXT    NOT NULL,
    client_order_id TEXT    NOT NULL,
    position_id     BIGINT NOT NULL,
    segment         TEXT    NOT NULL,
    security_id     BIGINT NOT NULL,
    purpose         TEXT    NOT NULL,
    side            TEXT    NOT NULL,
    qty             BIGINT NOT NULL,
    order_type      TEXT    NOT NULL,
    price_paise     BIGINT NOT NULL,
    trigger_paise   BIGINT,
    state           TEXT    NOT NULL,
    reason          TEXT,
    filled_qty      BIGINT NOT NULL,
    turnover_paise  BIGINT NOT NULL,
    modifications   BIGINT NOT NULL,
    sent_at         BIGINT NOT NULL,
    updated_seq     BIGINT NOT NULL,
    updated_at      BIGINT NOT NULL,
    PRIMARY KEY (day, client_order_id)
);
CREATE INDEX orders_by_position ON orders (day, position_id);

CREATE TABLE order_events (
    day             TEXT    NOT NULL,
    seq             BIGINT NOT NULL,
    line            BIGINT NOT NULL,
    at              BIGINT NOT NULL,
    client_order_id TEXT    NOT NULL,
    direction       TEXT    NOT NULL CHECK (direction IN ('out', 'in')),
    kind            TEXT    NOT NULL,
    detail          TEXT    NOT NULL,
    PRIMARY KEY (day, seq, line)
);
CREATE INDEX order_events_by_order ON order_events (day, client_order_id, seq);

CREATE TABLE fills (
    day             TEXT    NOT NULL,
    client_order_id TEXT    NOT NULL,
    trade_id        TEXT    NOT NULL,
    side            TEXT    NOT NULL,
    qty             BIGINT NOT NULL,
    price_paise     BIGINT NOT NULL,
    at              BIGINT NOT NULL,
    seq             BIGINT NOT NULL,
    PRIMARY KEY (day, client_order_id, trade_id)
);

-- The position tracker: books, and the guard around it.
CREATE TABLE positions (
    day             TEXT    NOT NULL,
    position_id     BIGINT NOT NULL,
    underlying      TEXT    NOT NULL,
    segment         TEXT    NOT NULL,
    security_id     BIGINT NOT NULL,
    signal          TEXT    NOT NULL,
    state           TEXT    NOT NULL,
    exit_reason     TEXT,
    owned           BIGINT NOT NULL,
    bought          BIGINT NOT NULL,
    sold            BIGINT NOT NULL,
    paid_paise      BIGINT NOT NULL,
    received_paise  BIGINT NOT NULL,
    charges_paise   BIGINT NOT NULL,
    stop_paise      BIGINT,
    stop_rule       TEXT,
    high_water_paise BIGINT,
    low_water_paise BIGINT,
    deadline        BIGINT,
    opened_at       BIGINT,
    closed_at       BIGINT,
    net_paise       BIGINT,
    updated_seq     BIGINT NOT NULL,
    PRIMARY KEY (day, position_id)
);

CREATE TABLE holds (
    day             TEXT    NOT NULL,
    hold_id         BIGINT NOT NULL,
    position_id     BIGINT,
    state           TEXT    NOT NULL,
    held_paise      BIGINT NOT NULL,
    committed_paise BIGINT NOT NULL,
    updated_seq     BIGINT NOT NULL,
    PRIMARY KEY (day, hold_id)
);

-- scope: account, or the symbol of an index. Rows are never deleted inside a day (I13).
CREATE TABLE breaker (
    day         TEXT    NOT NULL,
    scope       TEXT    NOT NULL,
    code        TEXT    NOT NULL,
    detail      TEXT    NOT NULL,
    latched_seq BIGINT NOT NULL,
    latched_at  BIGINT NOT NULL,
    PRIMARY KEY (day, scope, code)
);

CREATE TABLE risk_events (
    day    TEXT    NOT NULL,
    seq    BIGINT NOT NULL,
    line   BIGINT NOT NULL,
    at     BIGINT NOT NULL,
    kind   TEXT    NOT NULL,
    detail TEXT    NOT NULL,
    PRIMARY KEY (day, seq, line)
);

CREATE TABLE decisions (
    day        TEXT    NOT NULL,
    seq        BIGINT NOT NULL,
    line       BIGINT NOT NULL,
    at         BIGINT NOT NULL,
    underlying TEXT    NOT NULL,
    stage      TEXT    NOT NULL,
    code       TEXT    NOT NULL,
    detail     TEXT    NOT NULL,
    PRIMARY KEY (day, seq, line)
);
CREATE INDEX decisions_by_time ON decisions (day, at);
