package dev.jeton.accounting;

/**
 * What must not be in sound books: each query returns one row with one sentence for each fault. The same for SQLite and
 * PostgreSQL.
 */
enum VerificationSql {
    /** Double entry. */
    BALANCE("""
            SELECT 'the postings of fact ' || sequence || ' of node ' || node || ' sum to ' || SUM(amount) || ' '
                   || unit || ' instead of 0'
            FROM posting GROUP BY node, sequence, unit HAVING SUM(amount) <> 0
            ORDER BY node, sequence, unit
            """),
    /** Reversals reverse. */
    REVERSALS("""
            SELECT 'posting ' || p.number || ' of fact ' || p.sequence || ' of node ' || p.node
                   || ' does not reverse posting ' || p.reversal_of
            FROM posting p
            LEFT JOIN posting o ON o.node = p.node AND o.sequence = p.sequence AND o.number = p.reversal_of
            WHERE p.reversal_of >= 0
              AND (o.amount IS NULL OR o.amount + p.amount <> 0 OR o.account <> p.account OR o.unit <> p.unit
                   OR o.party <> p.party OR o.request <> p.request)
            ORDER BY p.node, p.sequence, p.number
            """),
    /** Postings have a window. */
    ORPHANS("""
            SELECT 'fact ' || p.sequence || ' of node ' || p.node || ' has postings but is no window'
            FROM posting p LEFT JOIN device_window w ON w.node = p.node AND w.sequence = p.sequence
            WHERE w.node IS NULL
            GROUP BY p.node, p.sequence ORDER BY p.node, p.sequence
            """),
    /** Time is booked, never inferred. */
    STATES("""
            SELECT 'the states of window ' || sequence || ' of device ' || device || ' of node ' || node
                   || ' sum to ' || (step_nanos + copy_nanos + stalled_nanos + idle_nanos + loading_nanos
                                     + draining_nanos + down_nanos)
                   || ' ns, its clocks say ' || (to_nanos - from_nanos) || ' ns; imbalance ' || imbalance || ' ns'
            FROM device_window
            WHERE step_nanos + copy_nanos + stalled_nanos + idle_nanos + loading_nanos + draining_nanos + down_nanos
                  <> to_nanos - from_nanos OR imbalance <> 0
            ORDER BY node, sequence
            """),
    /** Lines divide the time in steps. */
    LINES("""
            SELECT 'the lines of window ' || w.sequence || ' of device ' || w.device || ' of node ' || w.node
                   || ' sum to ' || COALESCE(l.nanos, 0) || ' ns, its steps took ' || w.step_nanos || ' ns'
            FROM device_window w
            LEFT JOIN (SELECT node, sequence, SUM(prefill + decode + recompute + overrun + cancelled) AS nanos
                       FROM line GROUP BY node, sequence) l ON l.node = w.node AND l.sequence = w.sequence
            WHERE COALESCE(l.nanos, 0) <> w.step_nanos
            ORDER BY w.node, w.sequence
            """),
    /** Windows follow one another; between two runs of the process there may be a gap. */
    CONTINUITY("""
            SELECT 'window ' || sequence || ' of device ' || device || ' of node ' || node || ' begins '
                   || CASE WHEN run = run_before
                           THEN (from_nanos - to_nanos_before) || ' ns (' || (from_at - to_before) || ' us)'
                           ELSE (from_at - to_before) || ' us' END
                   || ' after window ' || sequence_before || ' ended'
            FROM (SELECT node, sequence, device, run, from_at, from_nanos,
                         LAG(sequence) OVER ahead AS sequence_before,
                         LAG(run) OVER ahead AS run_before,
                         LAG(to_at) OVER ahead AS to_before,
                         LAG(to_nanos) OVER ahead AS to_nanos_before
                  FROM device_window
                  WINDOW ahead AS (PARTITION BY node, device ORDER BY sequence)) w
            WHERE sequence_before IS NOT NULL
              AND (run = run_before AND (from_nanos <> to_nanos_before OR from_at <> to_before)
                   OR run <> run_before AND from_at < to_before)
            ORDER BY node, sequence
            """),
    /** A request is opened once. */
    OPENINGS("""
            SELECT 'request ' || id || ' of node ' || node || ' was '
                   || CASE WHEN openings = 0 THEN 'never opened' ELSE 'opened ' || openings || ' times' END
            FROM request WHERE openings <> 1 ORDER BY node, sequence
            """),
    /** A request is closed once. */
    CLOSINGS("""
            SELECT 'request ' || id || ' of node ' || node || ' was closed ' || closings || ' times'
            FROM request WHERE closings > 1 ORDER BY node, sequence
            """),
    /** An id is one request. */
    IDS("""
            SELECT 'request ' || id || ' was opened on ' || COUNT(*) || ' nodes'
            FROM request GROUP BY id HAVING COUNT(*) > 1 ORDER BY id
            """),
    /** Grants are what their sequences had. */
    GRANTS("""
            SELECT 'request ' || r.id || ' of node ' || r.node || ' was granted ' || r.granted
                   || ' tokens, its sequences ' || COALESCE(a.total, 0)
            FROM request r
            LEFT JOIN (SELECT node, request, SUM(total) AS total FROM allowance GROUP BY node, request) a
              ON a.node = r.node AND a.request = r.sequence
            WHERE COALESCE(a.total, 0) <> r.granted
            ORDER BY r.node, r.sequence
            """),
    /** A task is opened before it is used, and ends once. */
    TASKS("""
            SELECT 'task ' || id || ' of tenant ' || tenant || ' of node ' || node || ' was '
                   || CASE WHEN openings = 0 THEN 'never opened' ELSE 'ended ' || endings || ' times' END
            FROM task WHERE openings <> 1 OR endings > 1 ORDER BY node, sequence
            """),
    /** A step is one of a task, and its money is what it may be. */
    STEPS("""
            SELECT 'step ' || s.id || ' of node ' || s.node || ' (fact ' || s.sequence || ') '
                   || CASE WHEN t.node IS NULL THEN 'has no task'
                           WHEN s.settlements > 1 THEN 'was settled ' || s.settlements || ' times'
                           ELSE 'owes ' || s.list_money || ', ' || s.overdraft || ' of it beyond the '
                                || s.reserved_money || ' reserved, and is ' || s.state END
            FROM step s LEFT JOIN task t ON t.node = s.node AND t.sequence = s.task AND t.tenant = s.tenant
            WHERE t.node IS NULL OR s.settlements > 1 OR s.list_money < 0 OR s.overdraft < 0 OR s.reserved_money < 0
               OR s.state = 'POSTED' AND s.overdraft
                  <> CASE WHEN s.list_money > s.reserved_money THEN s.list_money - s.reserved_money ELSE 0 END
               OR s.state <> 'POSTED' AND (s.list_money <> 0 OR s.overdraft <> 0 OR s.hour <> 0)
               OR s.state = 'RESERVED' AND s.settlements <> 0
            ORDER BY s.node, s.sequence
            """),
    /** Nothing is booked that progress does not know. */
    PROGRESS("""
            SELECT 'node ' || b.node || ' is projected to fact ' || COALESCE(n.last_sequence, 0) || ', but fact '
                   || b.newest || ' is booked'
            FROM (SELECT node, MAX(sequence) AS newest
                  FROM (SELECT node, sequence FROM request
                        UNION ALL SELECT node, sequence FROM device_window
                        UNION ALL SELECT node, sequence FROM line
                        UNION ALL SELECT node, sequence FROM posting
                        UNION ALL SELECT node, sequence FROM task
                        UNION ALL SELECT node, sequence FROM step) booked
                  GROUP BY node) b
            LEFT JOIN node n ON n.node = b.node
            WHERE n.last_sequence IS NULL OR n.last_sequence < b.newest
            ORDER BY b.node
            """),
    /** Usage by the hour is the sum of its rows; rows go in with one sign, the sums with the other. */
    USAGE("""
            SELECT 'usage of ' || tenant || ', model ' || model || ', hour ' || hour || ' differs from its rows: '
                   || SUM(requests) || ' requests, ' || SUM(tokens) || ' tokens, ' || SUM(list_money) || ' list, '
                   || SUM(egress_money) || ' egress, ' || SUM(step_money) || ' steps, ' || SUM(metered) || ' metered, ' || SUM(house_money) || ' house, '
                   || SUM(payable) || ' ns payable, ' || SUM(house) || ' ns house too many'
            FROM (SELECT hour, tenant, project, key_id, model, labels, price_book, corrects, zone_from, zone_to,
                         work, step, steps, step_money, requests, completed, cancelled, failed,
                         input_tokens + cached_tokens + output_tokens AS tokens, egress_bytes,
                         payable, house, cancelled_nanos + 3 * recompute_nanos + 5 * overrun_nanos AS parts,
                         saved_nanos, kv_byte_seconds, microjoules, list_money, egress_money, metered, house_money
                  FROM usage_hour
                  UNION ALL
                  SELECT hour, tenant, project, key_id, model, labels, price_book, corrects, zone_from,
                         zone_to, work, '', 0, 0, -1, CASE WHEN outcome = 'COMPLETED' THEN -1 ELSE 0 END,
                         CASE WHEN outcome = 'CANCELLED' THEN -1 ELSE 0 END,
                         CASE WHEN outcome IN ('COMPLETED', 'CANCELLED') THEN 0 ELSE -1 END,
                         -(input_tokens + cached_tokens + output_tokens), -egress_bytes, 0, 0, 0, 0, 0, 0,
                         -list_money, -egress_money, 0, 0
                  FROM request WHERE closings > 0
                  UNION ALL
                  SELECT hour, tenant, project, key_id, '', '{}', price_book, corrects, '', '', '', LOWER(kind), -1,
                         -list_money, 0, 0, 0, 0, 0, 0, 0, 0, 0, 0, 0, 0, 0, 0, 0, 0
                  FROM step WHERE state = 'POSTED'
                  UNION ALL
                  SELECT w.hour, COALESCE(r.tenant, 'default'), COALESCE(r.project, ''), COALESCE(r.key_id, ''),
                         COALESCE(r.model, ''), COALESCE(r.labels, '{}'), COALESCE(r.price_book, ''), w.corrects,
                         COALESCE(r.zone_from, ''), COALESCE(r.zone_to, ''), COALESCE(r.work, ''), '', 0, 0, 0, 0, 0, 0, 0, 0,
                         -(l.prefill + l.decode + l.cancelled), -(l.recompute + l.overrun),
                         -(l.cancelled + 3 * l.recompute + 5 * l.overrun), -l.saved, -l.kv_byte_seconds,
                         -l.microjoules, 0, 0, 0, 0
                  FROM line l
                  JOIN device_window w ON w.node = l.node AND w.sequence = l.sequence
                  LEFT JOIN request r ON r.node = l.node AND r.sequence = l.request
                  UNION ALL
                  SELECT p.hour, COALESCE(r.tenant, p.party), COALESCE(r.project, ''), COALESCE(r.key_id, ''),
                         COALESCE(r.model, ''), COALESCE(r.labels, '{}'), p.price_book, p.corrects,
                         COALESCE(r.zone_from, ''), COALESCE(r.zone_to, ''), COALESCE(r.work, ''), '', 0, 0, 0, 0, 0, 0, 0, 0,
                         0, 0, 0, 0, 0, 0, 0, 0, CASE WHEN p.account = 'TENANT' THEN -p.amount ELSE 0 END,
                         CASE WHEN p.account = 'HOUSE' THEN -p.amount ELSE 0 END
                  FROM posting p
                  LEFT JOIN request r ON r.node = p.node AND r.sequence = p.request
                  WHERE p.unit = 'MONEY'
                    AND (p.account = 'TENANT' OR p.account = 'HOUSE' AND r.node IS NOT NULL)) rows_and_sums
            GROUP BY hour, tenant, project, key_id, model, labels, price_book, corrects, zone_from, zone_to, work, step
            HAVING SUM(requests) <> 0 OR SUM(steps) <> 0 OR SUM(step_money) <> 0 OR SUM(completed) <> 0 OR SUM(cancelled) <> 0 OR SUM(failed) <> 0
                OR SUM(tokens) <> 0 OR SUM(egress_bytes) <> 0 OR SUM(payable) <> 0 OR SUM(house) <> 0
                OR SUM(parts) <> 0 OR SUM(saved_nanos) <> 0 OR SUM(kv_byte_seconds) <> 0 OR SUM(microjoules) <> 0
                OR SUM(list_money) <> 0 OR SUM(egress_money) <> 0 OR SUM(metered) <> 0 OR SUM(house_money) <> 0
            ORDER BY hour, tenant, model
            """),
    /** A device's hour is the sum of its windows and postings. */
    DEVICES("""
            SELECT 'device ' || device || ' of node ' || node || ', hour ' || hour || ' differs from its rows: '
                   || SUM(windows) || ' windows, ' || SUM(nanos) || ' ns, ' || SUM(microjoules) || ' uJ, '
                   || SUM(device_money) || ' money too many'
            FROM (SELECT hour, node, device, corrects, windows,
                         step_nanos + 3 * copy_nanos + 5 * stalled_nanos + 7 * idle_nanos + 11 * loading_nanos
                         + 13 * draining_nanos + 17 * down_nanos AS nanos, imbalance, microjoules, device_money,
                         tenant_money, idle_money, overhead_money, house_money, rounding_money
                  FROM device_hour
                  UNION ALL
                  SELECT hour, node, device, corrects, -1,
                         -(step_nanos + 3 * copy_nanos + 5 * stalled_nanos + 7 * idle_nanos + 11 * loading_nanos
                           + 13 * draining_nanos + 17 * down_nanos), -imbalance, -microjoules, 0, 0, 0, 0, 0, 0
                  FROM device_window
                  UNION ALL
                  SELECT p.hour, p.node, w.device, p.corrects, 0, 0, 0, 0,
                         CASE WHEN account = 'DEVICE' THEN -amount ELSE 0 END,
                         CASE WHEN account = 'TENANT' THEN -amount ELSE 0 END,
                         CASE WHEN account = 'IDLE' THEN -amount ELSE 0 END,
                         CASE WHEN account = 'OVERHEAD' THEN -amount ELSE 0 END,
                         CASE WHEN account = 'HOUSE' THEN -amount ELSE 0 END,
                         CASE WHEN account = 'ROUNDING' THEN -amount ELSE 0 END
                  FROM posting p JOIN device_window w ON w.node = p.node AND w.sequence = p.sequence
                  WHERE p.unit = 'MONEY') rows_and_sums
            GROUP BY hour, node, device, corrects
            HAVING SUM(windows) <> 0 OR SUM(nanos) <> 0 OR SUM(imbalance) <> 0 OR SUM(microjoules) <> 0
                OR SUM(device_money) <> 0 OR SUM(tenant_money) <> 0 OR SUM(idle_money) <> 0
                OR SUM(overhead_money) <> 0 OR SUM(house_money) <> 0 OR SUM(rounding_money) <> 0
            ORDER BY hour, node, device
            """),
    /** What servers were allotted of a shared budget covers what they charged, and is no more than there was. */
    SHARED_BUDGETS("""
            SELECT 'of the shared budget ' || p.budget || ' of ' || p.subject || ' '
                   || CASE WHEN COALESCE(a.short, 0) > 0
                           THEN a.short || ' servers have charged more than they were allotted'
                           WHEN COALESCE(a.allotted, 0) <> p.allotted
                           THEN (COALESCE(a.allotted, 0) - p.allotted) || ' too many are allotted to servers'
                           ELSE p.allotted || ' are allotted, past the limit of ' || p.highest || ' and the '
                                || p.beyond || ' that were spent beyond it' END
            FROM budget_pool p
            LEFT JOIN (SELECT pool, SUM(allotted) AS allotted,
                              SUM(CASE WHEN charged > allotted THEN 1 ELSE 0 END) AS short
                       FROM budget_allotment GROUP BY pool) a ON a.pool = p.pool
            WHERE COALESCE(a.short, 0) > 0 OR COALESCE(a.allotted, 0) <> p.allotted
               OR p.allotted - p.highest > p.beyond
            ORDER BY p.budget, p.subject, p.window_from
            """);

    private final String text;

    VerificationSql(String text) {
        this.text = text;
    }

    String text() {
        return text;
    }
}
