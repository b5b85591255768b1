-- Tasks, their steps outside of the server, and which requests are part of them. A task is named by the fact that opened
-- it, a step by its first fact. The money of steps is list money of a kind of its own, beside that of tokens and bytes.
ALTER TABLE request ADD COLUMN task TEXT NOT NULL DEFAULT '';
ALTER TABLE request ADD COLUMN prompt_version TEXT NOT NULL DEFAULT '';
ALTER TABLE request ADD COLUMN route TEXT NOT NULL DEFAULT '';
ALTER TABLE request ADD COLUMN context_bucket INTEGER NOT NULL DEFAULT 0;
ALTER TABLE request ADD COLUMN fallback INTEGER NOT NULL DEFAULT 0;
ALTER TABLE request ADD COLUMN prompts INTEGER NOT NULL DEFAULT 1;
CREATE INDEX request_task ON request (tenant, task) WHERE task <> '';

CREATE TABLE task (
    node      TEXT    NOT NULL,
    sequence  BIGINT  NOT NULL,
    tenant    TEXT    NOT NULL,
    id        TEXT    NOT NULL,
    project   TEXT    NOT NULL,
    key_id    TEXT    NOT NULL,
    name      TEXT    NOT NULL,
    criterion TEXT    NOT NULL,
    slo_nanos BIGINT  NOT NULL,
    limits    TEXT    NOT NULL,
    implicit  INTEGER NOT NULL,
    opened_at BIGINT  NOT NULL,
    openings  INTEGER NOT NULL,
    ended_at  BIGINT  NOT NULL DEFAULT 0,
    outcome   TEXT    NOT NULL DEFAULT '',
    why       TEXT    NOT NULL DEFAULT '',
    endings   INTEGER NOT NULL DEFAULT 0,
    PRIMARY KEY (node, sequence)
);
CREATE INDEX task_id ON task (tenant, id);
CREATE INDEX task_opened ON task (tenant, opened_at);

-- `task` is the fact that opened the task; `hour`, `corrects` and `list_money` are those of a step that was done.
CREATE TABLE step (
    node           TEXT    NOT NULL,
    sequence       BIGINT  NOT NULL,
    task           BIGINT  NOT NULL,
    id             TEXT    NOT NULL,
    tenant         TEXT    NOT NULL,
    project        TEXT    NOT NULL,
    key_id         TEXT    NOT NULL,
    kind           TEXT    NOT NULL,
    state          TEXT    NOT NULL,
    reserved_money BIGINT  NOT NULL,
    list_money     BIGINT  NOT NULL,
    overdraft      BIGINT  NOT NULL,
    quantity       TEXT    NOT NULL,
    unit           TEXT    NOT NULL,
    duration_nanos BIGINT  NOT NULL,
    hit            TEXT    NOT NULL,
    retry_of       TEXT    NOT NULL,
    price_book     TEXT    NOT NULL,
    opened_at      BIGINT  NOT NULL,
    settled_at     BIGINT  NOT NULL,
    hour           BIGINT  NOT NULL,
    corrects       TEXT    NOT NULL,
    settlements    INTEGER NOT NULL,
    PRIMARY KEY (node, sequence),
    UNIQUE (task, id, node)
);
CREATE INDEX step_hour ON step (hour);

ALTER TABLE usage_hour ADD COLUMN step TEXT NOT NULL DEFAULT '';
ALTER TABLE usage_hour ADD COLUMN steps BIGINT NOT NULL DEFAULT 0;
ALTER TABLE usage_hour ADD COLUMN step_money BIGINT NOT NULL DEFAULT 0;

ALTER TABLE period ADD COLUMN step_money BIGINT NOT NULL DEFAULT 0;
