package dev.jeton.accounting;

/** What is said to the database of shared budgets; the same for SQLite and PostgreSQL. */
enum ShareSql {
    /** Of the terms. */
    VERSION("SELECT COALESCE(MAX(version), 0) FROM shared_budget"),
    /** Terms that are newer than a version. */
    DECIDED_SINCE("""
            SELECT budget, kind, generation, terms, removed, decided_by FROM shared_budget
            WHERE version > ? ORDER BY version
            """),
    /** Terms of one budget. */
    DECIDED("""
            SELECT budget, kind, generation, terms, removed, decided_by FROM shared_budget
            WHERE budget = ? AND kind = ?
            """),
    /** Other terms. */
    DECIDE("""
            INSERT INTO shared_budget (budget, kind, generation, version, terms, removed, decided_by, decided_at)
            VALUES (?, ?, ?, ?, ?, ?, ?, ?)
            ON CONFLICT (budget, kind) DO UPDATE
            SET generation = excluded.generation, version = excluded.version, terms = excluded.terms,
                removed = excluded.removed, decided_by = excluded.decided_by, decided_at = excluded.decided_at
            """),
    /** What a server said. */
    OFFERS("SELECT budget, kind, terms FROM budget_offer WHERE node = ?"),
    /** A server says something else. */
    OFFER("""
            INSERT INTO budget_offer (node, budget, kind, terms) VALUES (?, ?, ?, ?)
            ON CONFLICT (node, budget, kind) DO UPDATE SET terms = excluded.terms
            """),
    /** What a server said before stands no more... */
    FALL("UPDATE budget_offer SET stands = 0 WHERE node = ?"),
    /** ...but for this. */
    STAND("UPDATE budget_offer SET stands = 1 WHERE node = ? AND budget = ? AND kind = ?"),
    /** Budgets of a server that others who spend define as another kind. */
    DIFFERING("""
            SELECT o.budget, m.kind, o.node, o.kind
            FROM budget_offer m JOIN budget_offer o ON o.budget = m.budget JOIN budget_lease l ON l.node = o.node
            WHERE m.node = ? AND m.stands = 1 AND o.node <> m.node AND o.stands = 1 AND o.kind <> m.kind
                  AND l.lease_until > ?
            ORDER BY o.budget, o.node LIMIT ?
            """),
    /** A server says nothing of it any more. */
    FORGET_OFFER("DELETE FROM budget_offer WHERE node = ? AND budget = ? AND kind = ?"),
    /** A lease. */
    RENEW("""
            INSERT INTO budget_lease (node, lease_until, renewed_at) VALUES (?, ?, ?)
            ON CONFLICT (node) DO UPDATE SET lease_until = excluded.lease_until, renewed_at = excluded.renewed_at
            """),
    /** Holds a lease as it is. */
    LOCK_LEASE("UPDATE budget_lease SET renewed_at = renewed_at WHERE node = ?"),
    /** Servers that spend. */
    SERVERS("SELECT COUNT(*) FROM budget_lease WHERE lease_until > ?"),
    /** A window in which nothing is allotted yet; where there is one, its lock. */
    MAKE_POOL("""
            INSERT INTO budget_pool (pool, budget, kind, generation, subject, window_from, window_to, allotted,
                                     taken_of_limit, debt, taken, highest, beyond)
            VALUES (?, ?, ?, ?, ?, ?, ?, 0, 0, 0, '', 0, 0)
            ON CONFLICT (pool) DO UPDATE SET window_to = excluded.window_to
            """),
    /** A window. */
    POOL("SELECT allotted, taken_of_limit, debt, taken, highest, beyond FROM budget_pool WHERE pool = ?"),
    /** A window as it has become. */
    STORE_POOL("""
            UPDATE budget_pool SET allotted = ?, taken_of_limit = ?, debt = ?, taken = ?, highest = ?, beyond = ?
            WHERE pool = ?
            """),
    /** What a server may spend. */
    ALLOTMENT("SELECT allotted FROM budget_allotment WHERE pool = ? AND node = ? AND counter = ?"),
    /** The same, as it has become. */
    STORE_ALLOTMENT("""
            INSERT INTO budget_allotment (pool, node, counter, allotted, charged, told_at) VALUES (?, ?, ?, ?, ?, ?)
            ON CONFLICT (pool, node, counter) DO UPDATE
            SET allotted = excluded.allotted, charged = excluded.charged, told_at = excluded.told_at
            """),
    /** What the others have, and whether they live. */
    OTHERS("""
            SELECT a.allotted, a.charged,
                   CASE WHEN a.node = ? AND a.counter = ? THEN -1 WHEN l.lease_until > ? THEN 1 ELSE 0 END AS alive
            FROM budget_allotment a LEFT JOIN budget_lease l ON l.node = a.node
            WHERE a.pool = ?
            """),
    /** Windows that ended long ago. */
    ENDED("SELECT pool FROM budget_pool WHERE window_to < ? ORDER BY pool"),
    /** One of them. */
    DELETE_ALLOTMENTS("DELETE FROM budget_allotment WHERE pool = ?"),
    /** The same. */
    DELETE_POOL("DELETE FROM budget_pool WHERE pool = ?"),
    /** What servers whose lease has run out were allotted and did not say that they spent. */
    UNACCOUNTED("""
            SELECT a.counter, a.allotted, a.charged, p.budget, p.kind, p.generation, p.subject,
                   p.window_from, p.window_to
            FROM budget_allotment a JOIN budget_pool p ON p.pool = a.pool
            WHERE a.node = ? AND a.allotted > a.charged ORDER BY a.pool
            """),
    /** The same, and all that it has of windows that have not ended. */
    HELD("""
            SELECT a.counter, a.allotted, a.charged, p.budget, p.kind, p.generation, p.subject,
                   p.window_from, p.window_to
            FROM budget_allotment a JOIN budget_pool p ON p.pool = a.pool
            WHERE a.node = ? AND (a.allotted > a.charged OR a.allotted > 0 AND p.window_to > ?) ORDER BY a.pool
            """),
    /** Servers that have spent. */
    NODES("SELECT node FROM budget_lease ORDER BY node"),
    /** Until when a server spends. */
    LEASE("SELECT lease_until FROM budget_lease WHERE node = ?");

    private final String text;

    ShareSql(String text) {
        this.text = text;
    }

    String text() {
        return text;
    }
}
