package dev.jeton.accounting;

/** What the writer of tasks says to the database; the same for SQLite and PostgreSQL. */
enum TaskSql {
    /** A task. */
    OPEN("""
            INSERT INTO task (node, sequence, tenant, id, project, key_id, name, criterion, slo_nanos, limits, implicit,
                              opened_at, openings)
            VALUES (?, ?, ?, ?, ?, ?, ?, ?, ?, ?, ?, ?, ?)
            """),
    /** The last task of an id. */
    FIND("""
            SELECT sequence FROM task WHERE tenant = ? AND id = ? AND node = ? ORDER BY sequence DESC LIMIT 1
            """),
    /** Its end. */
    END("""
            UPDATE task SET outcome = ?, why = ?, ended_at = ?, endings = 1
            WHERE node = ? AND sequence = ? AND endings = 0
            """),
    /** The end of a task that had ended; verification reports it. */
    END_AGAIN("UPDATE task SET endings = endings + 1 WHERE node = ? AND sequence = ?"),
    /** A step. */
    STEP("""
            INSERT INTO step (node, sequence, task, id, tenant, opened_at, reserved_money, settlements, project, key_id,
                              kind, state, list_money, overdraft, quantity, unit, duration_nanos, hit, retry_of,
                              price_book, settled_at, hour, corrects)
            VALUES (?, ?, ?, ?, ?, ?, ?, ?, ?, ?, ?, ?, ?, ?, ?, ?, ?, ?, ?, ?, ?, ?, ?)
            """),
    /** A step by its id. */
    FIND_STEP("SELECT sequence, state FROM step WHERE task = ? AND id = ? AND node = ?"),
    /** What became of a reserved step. */
    SETTLE("""
            UPDATE step
            SET settlements = 1, project = ?, key_id = ?, kind = ?, state = ?, list_money = ?, overdraft = ?,
                quantity = ?, unit = ?, duration_nanos = ?, hit = ?, retry_of = ?, price_book = ?, settled_at = ?,
                hour = ?, corrects = ?
            WHERE node = ? AND sequence = ?
            """),
    /** What became again of a step that was settled; verification reports it. */
    SETTLE_AGAIN("UPDATE step SET settlements = settlements + 1 WHERE node = ? AND sequence = ?");

    private final String text;

    TaskSql(String text) {
        this.text = text;
    }

    String text() {
        return text;
    }
}
