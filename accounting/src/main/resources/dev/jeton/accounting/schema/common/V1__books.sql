-- The books in SQL, the same for SQLite and PostgreSQL. Changes are additive: a new version of this file is never made.
--
-- Times are microseconds since 1970 (UTC), durations nanoseconds, money nano-units, energy microjoules. A fact is named
-- by (node, sequence); a request by the fact that opened it, so that its id can be erased and its postings stay.
-- No index but a primary key begins with the node: PostgreSQL, asked for (node, sequence) before it has statistics, may
-- take it and read all of the node's rows.
--
-- `hour` is the hour in which a row is booked; `corrects` the frozen period that it is about, empty for most rows.

CREATE TABLE node (
    node           TEXT   NOT NULL PRIMARY KEY,
    first_sequence BIGINT NOT NULL,
    last_sequence  BIGINT NOT NULL,
    last_at        BIGINT NOT NULL,
    run            BIGINT NOT NULL,
    price_book     TEXT   NOT NULL,
    policy         TEXT   NOT NULL
);

CREATE TABLE request (
    node              TEXT    NOT NULL,
    sequence          BIGINT  NOT NULL,
    id                TEXT    NOT NULL,
    tenant            TEXT    NOT NULL,
    project           TEXT    NOT NULL,
    key_id            TEXT    NOT NULL,
    model             TEXT    NOT NULL,
    labels            TEXT    NOT NULL,
    price_book        TEXT    NOT NULL,
    policy            TEXT    NOT NULL,
    sequences         INTEGER NOT NULL,
    opened_at         BIGINT  NOT NULL,
    openings          INTEGER NOT NULL,
    granted           BIGINT  NOT NULL DEFAULT 0,
    confirmed         BIGINT  NOT NULL DEFAULT 0,
    closings          INTEGER NOT NULL DEFAULT 0,
    closed_at         BIGINT  NOT NULL DEFAULT 0,
    outcome           TEXT    NOT NULL DEFAULT '',
    input_tokens      BIGINT  NOT NULL DEFAULT 0,
    cached_tokens     BIGINT  NOT NULL DEFAULT 0,
    output_tokens     BIGINT  NOT NULL DEFAULT 0,
    egress_bytes      BIGINT  NOT NULL DEFAULT 0,
    list_money        BIGINT  NOT NULL DEFAULT 0,
    queue_nanos       BIGINT  NOT NULL DEFAULT 0,
    first_token_nanos BIGINT  NOT NULL DEFAULT 0,
    total_nanos       BIGINT  NOT NULL DEFAULT 0,
    retries           INTEGER NOT NULL DEFAULT 0,
    hour              BIGINT  NOT NULL DEFAULT 0,
    corrects          TEXT    NOT NULL DEFAULT '',
    PRIMARY KEY (node, sequence),
    UNIQUE (id, node)
);
CREATE INDEX request_hour ON request (hour);

CREATE TABLE allowance (
    node     TEXT    NOT NULL,
    request  BIGINT  NOT NULL,
    sequence INTEGER NOT NULL,
    total    BIGINT  NOT NULL,
    PRIMARY KEY (node, request, sequence)
);

CREATE TABLE device_window (
    node           TEXT    NOT NULL,
    sequence       BIGINT  NOT NULL,
    run            BIGINT  NOT NULL,
    device         TEXT    NOT NULL,
    from_at        BIGINT  NOT NULL,
    to_at          BIGINT  NOT NULL,
    from_nanos     BIGINT  NOT NULL,
    to_nanos       BIGINT  NOT NULL,
    step_nanos     BIGINT  NOT NULL,
    copy_nanos     BIGINT  NOT NULL,
    stalled_nanos  BIGINT  NOT NULL,
    idle_nanos     BIGINT  NOT NULL,
    loading_nanos  BIGINT  NOT NULL,
    draining_nanos BIGINT  NOT NULL,
    down_nanos     BIGINT  NOT NULL,
    imbalance      BIGINT  NOT NULL,
    microjoules    BIGINT  NOT NULL,
    measured       INTEGER NOT NULL,
    hour           BIGINT  NOT NULL,
    corrects       TEXT    NOT NULL,
    PRIMARY KEY (node, sequence)
);
CREATE INDEX device_window_hour ON device_window (hour);

CREATE TABLE line (
    node            TEXT    NOT NULL,
    sequence        BIGINT  NOT NULL,
    number          INTEGER NOT NULL,
    request         BIGINT  NOT NULL,
    prefill         BIGINT  NOT NULL,
    decode          BIGINT  NOT NULL,
    recompute       BIGINT  NOT NULL,
    overrun         BIGINT  NOT NULL,
    cancelled       BIGINT  NOT NULL,
    saved           BIGINT  NOT NULL,
    kv_byte_seconds BIGINT  NOT NULL,
    microjoules     BIGINT  NOT NULL,
    PRIMARY KEY (node, sequence, number)
);
CREATE INDEX line_request ON line (request, node);

CREATE TABLE posting (
    node        TEXT    NOT NULL,
    sequence    BIGINT  NOT NULL,
    number      INTEGER NOT NULL,
    account     TEXT    NOT NULL,
    party       TEXT    NOT NULL,
    request     BIGINT  NOT NULL,
    kind        TEXT    NOT NULL,
    unit        TEXT    NOT NULL,
    amount      BIGINT  NOT NULL,
    price_book  TEXT    NOT NULL,
    policy      TEXT    NOT NULL,
    hour        BIGINT  NOT NULL,
    corrects    TEXT    NOT NULL,
    reversal_of INTEGER NOT NULL DEFAULT -1,
    PRIMARY KEY (node, sequence, number)
);
CREATE INDEX posting_request ON posting (request, node);
CREATE INDEX posting_hour ON posting (hour);

CREATE TABLE document (
    kind       TEXT   NOT NULL,
    version    TEXT   NOT NULL,
    content    TEXT   NOT NULL,
    node       TEXT   NOT NULL,
    adopted_at BIGINT NOT NULL,
    PRIMARY KEY (kind, version)
);

-- What a frozen period said when it was frozen; verification compares.
CREATE TABLE period (
    period     TEXT   NOT NULL PRIMARY KEY,
    closed_at  BIGINT NOT NULL,
    requests   BIGINT NOT NULL,
    list_money BIGINT NOT NULL,
    metered    BIGINT NOT NULL
);

CREATE TABLE erasure (
    tenant    TEXT   NOT NULL,
    number    BIGINT NOT NULL,
    before_at BIGINT NOT NULL,
    PRIMARY KEY (tenant, number)
);

-- A digest of the dimensions is the key: they are together longer than an index entry may be in PostgreSQL.
CREATE TABLE usage_hour (
    hour            BIGINT NOT NULL,
    digest          TEXT   NOT NULL,
    tenant          TEXT   NOT NULL,
    project         TEXT   NOT NULL,
    key_id          TEXT   NOT NULL,
    model           TEXT   NOT NULL,
    labels          TEXT   NOT NULL,
    price_book      TEXT   NOT NULL,
    corrects        TEXT   NOT NULL,
    requests        BIGINT NOT NULL,
    completed       BIGINT NOT NULL,
    cancelled       BIGINT NOT NULL,
    failed          BIGINT NOT NULL,
    input_tokens    BIGINT NOT NULL,
    cached_tokens   BIGINT NOT NULL,
    output_tokens   BIGINT NOT NULL,
    egress_bytes    BIGINT NOT NULL,
    payable         BIGINT NOT NULL,
    house           BIGINT NOT NULL,
    cancelled_nanos BIGINT NOT NULL,
    recompute_nanos BIGINT NOT NULL,
    overrun_nanos   BIGINT NOT NULL,
    saved_nanos     BIGINT NOT NULL,
    kv_byte_seconds BIGINT NOT NULL,
    microjoules     BIGINT NOT NULL,
    list_money      BIGINT NOT NULL,
    metered         BIGINT NOT NULL,
    house_money     BIGINT NOT NULL,
    PRIMARY KEY (hour, digest)
);

CREATE TABLE device_hour (
    hour           BIGINT NOT NULL,
    node           TEXT   NOT NULL,
    device         TEXT   NOT NULL,
    corrects       TEXT   NOT NULL,
    windows        BIGINT NOT NULL,
    step_nanos     BIGINT NOT NULL,
    copy_nanos     BIGINT NOT NULL,
    stalled_nanos  BIGINT NOT NULL,
    idle_nanos     BIGINT NOT NULL,
    loading_nanos  BIGINT NOT NULL,
    draining_nanos BIGINT NOT NULL,
    down_nanos     BIGINT NOT NULL,
    imbalance      BIGINT NOT NULL,
    microjoules    BIGINT NOT NULL,
    device_money   BIGINT NOT NULL,
    tenant_money   BIGINT NOT NULL,
    idle_money     BIGINT NOT NULL,
    overhead_money BIGINT NOT NULL,
    house_money    BIGINT NOT NULL,
    rounding_money BIGINT NOT NULL,
    PRIMARY KEY (hour, node, device, corrects)
);
