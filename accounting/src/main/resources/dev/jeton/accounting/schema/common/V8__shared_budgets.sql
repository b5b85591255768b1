-- Budgets that servers spend together. These rows are no projection of any journal: they say who may spend how much, and
-- what each server said that it has spent. Should they be lost, each server says again what it has.

-- What holds of a budget on all servers: what was decided last, on any of them. Versions are of the whole table.
CREATE TABLE shared_budget (
    budget     TEXT    NOT NULL,
    kind       TEXT    NOT NULL,
    generation BIGINT  NOT NULL,
    version    BIGINT  NOT NULL,
    terms      TEXT    NOT NULL,
    removed    INTEGER NOT NULL,
    decided_by TEXT    NOT NULL,
    decided_at BIGINT  NOT NULL,
    PRIMARY KEY (budget, kind)
);
CREATE INDEX shared_budget_version ON shared_budget (version);

-- What each server's own definition said last: only a change of it is a decision.
CREATE TABLE budget_offer (
    node   TEXT NOT NULL,
    budget TEXT NOT NULL,
    kind   TEXT NOT NULL,
    terms  TEXT NOT NULL,
    PRIMARY KEY (node, budget, kind)
);

-- One window of one counter. `allotted` is the sum of its allotments; `beyond` is what servers had spent past the limit
-- before they could know (device time, work reported afterwards, a lowered limit), `highest` the highest limit under
-- which something was allotted.
CREATE TABLE budget_pool (
    pool           TEXT    PRIMARY KEY,
    budget         TEXT    NOT NULL,
    kind           TEXT    NOT NULL,
    generation     BIGINT  NOT NULL,
    subject        TEXT    NOT NULL,
    window_from    BIGINT  NOT NULL,
    window_to      BIGINT  NOT NULL,
    allotted       BIGINT  NOT NULL,
    taken_of_limit BIGINT  NOT NULL,
    debt           BIGINT  NOT NULL,
    taken          TEXT    NOT NULL,
    highest        BIGINT  NOT NULL,
    beyond         BIGINT  NOT NULL
);
CREATE INDEX budget_pool_ended ON budget_pool (window_to);

-- What one server may spend of it, and what it said that it has spent or reserved. A counter that begins anew, as after
-- the loss of a journal, is another one.
CREATE TABLE budget_allotment (
    pool     TEXT   NOT NULL,
    node     TEXT   NOT NULL,
    counter  TEXT   NOT NULL,
    allotted BIGINT NOT NULL,
    charged  BIGINT NOT NULL,
    told_at  BIGINT NOT NULL,
    PRIMARY KEY (pool, node, counter)
);
CREATE INDEX budget_allotment_node ON budget_allotment (node);

-- Until when a server spends what it has been allotted without asking again, by the database's clock.
CREATE TABLE budget_lease (
    node        TEXT   PRIMARY KEY,
    lease_until BIGINT NOT NULL,
    renewed_at  BIGINT NOT NULL
);
