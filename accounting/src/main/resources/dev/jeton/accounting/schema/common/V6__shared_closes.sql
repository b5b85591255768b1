-- How far the ledger was with each node's facts when a period was closed. Should it be projected again, those count as
-- come before, in whatever order the nodes come.
CREATE TABLE period_taken (
    period   TEXT   NOT NULL,
    node     TEXT   NOT NULL,
    sequence BIGINT NOT NULL,
    PRIMARY KEY (period, node)
);
