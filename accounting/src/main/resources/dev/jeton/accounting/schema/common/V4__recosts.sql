-- Other prices that were decided for a time, by a fact of a journal; windows up to done_until have been costed by them.
CREATE TABLE recost (
    node       TEXT   NOT NULL,
    sequence   BIGINT NOT NULL,
    decided_at BIGINT NOT NULL,
    period     TEXT   NOT NULL,
    from_at    BIGINT NOT NULL,
    until_at   BIGINT NOT NULL,
    price_book TEXT   NOT NULL,
    done_until BIGINT NOT NULL,
    PRIMARY KEY (node, sequence)
);
CREATE INDEX device_window_from ON device_window (from_at);
