package dev.jeton.accounting;

/** What the writer of the books says to the database; the same for SQLite and PostgreSQL. */
enum BookSql {
    /** A request; opened again, it only counts the openings. */
    OPEN("""
            INSERT INTO request (node, sequence, id, tenant, project, key_id, model, labels, price_book, policy,
                                 sequences, opened_at, openings, zone_from, zone_to, work, task, prompt_version,
                                 route, context_bucket, fallback, prompts)
            VALUES (?, ?, ?, ?, ?, ?, ?, ?, ?, ?, ?, ?, ?, ?, ?, ?, ?, ?, ?, ?, ?, ?)
            ON CONFLICT (node, id) DO UPDATE SET openings = request.openings + excluded.openings
            RETURNING sequence
            """),
    /** The end of a request that is open. */
    CLOSE("""
            UPDATE request
            SET closings = 1, closed_at = ?, outcome = ?, input_tokens = ?, cached_tokens = ?, output_tokens = ?,
                confirmed = CASE WHEN confirmed > ? THEN confirmed ELSE ? END, egress_bytes = ?, list_money = ?,
                egress_money = ?, queue_nanos = ?, first_token_nanos = ?, total_nanos = ?, retries = ?,
                context_bucket = CASE WHEN context_bucket > 0 THEN context_bucket ELSE ? END, hour = ?, corrects = ?
            WHERE node = ? AND sequence = ? AND closings = 0
            """),
    /** The end of a request that had ended; verification reports it. */
    CLOSE_AGAIN("UPDATE request SET closings = closings + 1 WHERE node = ? AND sequence = ?"),
    /** A document by its version. */
    DOCUMENT("""
            INSERT INTO document (kind, version, content, node, adopted_at) VALUES (?, ?, ?, ?, ?)
            ON CONFLICT (kind, version) DO NOTHING
            """),
    /** A window. */
    WINDOW("""
            INSERT INTO device_window (node, sequence, run, device, from_at, to_at, from_nanos, to_nanos, step_nanos,
                                       copy_nanos, stalled_nanos, idle_nanos, loading_nanos, draining_nanos,
                                       down_nanos, imbalance, microjoules, measured, hour, corrects)
            VALUES (?, ?, ?, ?, ?, ?, ?, ?, ?, ?, ?, ?, ?, ?, ?, ?, ?, ?, ?, ?)
            """),
    /** A window's line. */
    LINE("""
            INSERT INTO line (node, sequence, number, request, prefill, decode, recompute, overrun, cancelled, saved,
                              kv_byte_seconds, microjoules)
            VALUES (?, ?, ?, ?, ?, ?, ?, ?, ?, ?, ?, ?)
            """),
    /** A posting. */
    POSTING("""
            INSERT INTO posting (node, sequence, number, account, party, request, kind, unit, amount, price_book,
                                 policy, hour, corrects, reversal_of)
            VALUES (?, ?, ?, ?, ?, ?, ?, ?, ?, ?, ?, ?, ?, ?)
            """),
    /** What one sequence of a request was granted. */
    ALLOWANCE("""
            INSERT INTO allowance (node, request, sequence, total) VALUES (?, ?, ?, ?)
            ON CONFLICT (node, request, sequence) DO UPDATE
            SET total = CASE WHEN excluded.total > allowance.total THEN excluded.total ELSE allowance.total END
            """),
    /** What all sequences of a request were granted, and got. */
    GRANTED("""
            UPDATE request
            SET granted = (SELECT SUM(a.total) FROM allowance a
                           WHERE a.node = request.node AND a.request = request.sequence),
                confirmed = CASE WHEN confirmed > ? THEN confirmed ELSE ? END
            WHERE node = ? AND sequence = ?
            """),
    /** Adds to usage of an hour. */
    USAGE("""
            INSERT INTO usage_hour (hour, digest, tenant, project, key_id, model, labels, price_book, corrects,
                                    zone_from, zone_to, work, step, requests, completed, cancelled, failed,
                                    input_tokens, cached_tokens, output_tokens, egress_bytes, payable, house,
                                    cancelled_nanos, recompute_nanos, overrun_nanos, saved_nanos,
                                    kv_byte_seconds, microjoules, list_money, metered, house_money,
                                    egress_money, steps, step_money)
            VALUES (?, ?, ?, ?, ?, ?, ?, ?, ?, ?, ?, ?, ?, ?, ?, ?, ?, ?, ?, ?, ?, ?, ?, ?, ?, ?, ?, ?, ?, ?, ?, ?,
                    ?, ?, ?)
            ON CONFLICT (hour, digest) DO UPDATE
            SET requests = usage_hour.requests + excluded.requests,
                completed = usage_hour.completed + excluded.completed,
                cancelled = usage_hour.cancelled + excluded.cancelled,
                failed = usage_hour.failed + excluded.failed,
                input_tokens = usage_hour.input_tokens + excluded.input_tokens,
                cached_tokens = usage_hour.cached_tokens + excluded.cached_tokens,
                output_tokens = usage_hour.output_tokens + excluded.output_tokens,
                egress_bytes = usage_hour.egress_bytes + excluded.egress_bytes,
                payable = usage_hour.payable + excluded.payable,
                house = usage_hour.house + excluded.house,
                cancelled_nanos = usage_hour.cancelled_nanos + excluded.cancelled_nanos,
                recompute_nanos = usage_hour.recompute_nanos + excluded.recompute_nanos,
                overrun_nanos = usage_hour.overrun_nanos + excluded.overrun_nanos,
                saved_nanos = usage_hour.saved_nanos + excluded.saved_nanos,
                kv_byte_seconds = usage_hour.kv_byte_seconds + excluded.kv_byte_seconds,
                microjoules = usage_hour.microjoules + excluded.microjoules,
                list_money = usage_hour.list_money + excluded.list_money,
                metered = usage_hour.metered + excluded.metered,
                house_money = usage_hour.house_money + excluded.house_money,
                egress_money = usage_hour.egress_money + excluded.egress_money,
                steps = usage_hour.steps + excluded.steps,
                step_money = usage_hour.step_money + excluded.step_money
            """),
    /** Adds to a device's hour. */
    DEVICE("""
            INSERT INTO device_hour (hour, node, device, corrects, windows, step_nanos, copy_nanos, stalled_nanos,
                                     idle_nanos, loading_nanos, draining_nanos, down_nanos, imbalance, microjoules,
                                     device_money, tenant_money, idle_money, overhead_money, house_money,
                                     rounding_money)
            VALUES (?, ?, ?, ?, ?, ?, ?, ?, ?, ?, ?, ?, ?, ?, ?, ?, ?, ?, ?, ?)
            ON CONFLICT (hour, node, device, corrects) DO UPDATE
            SET windows = device_hour.windows + excluded.windows,
                step_nanos = device_hour.step_nanos + excluded.step_nanos,
                copy_nanos = device_hour.copy_nanos + excluded.copy_nanos,
                stalled_nanos = device_hour.stalled_nanos + excluded.stalled_nanos,
                idle_nanos = device_hour.idle_nanos + excluded.idle_nanos,
                loading_nanos = device_hour.loading_nanos + excluded.loading_nanos,
                draining_nanos = device_hour.draining_nanos + excluded.draining_nanos,
                down_nanos = device_hour.down_nanos + excluded.down_nanos,
                imbalance = device_hour.imbalance + excluded.imbalance,
                microjoules = device_hour.microjoules + excluded.microjoules,
                device_money = device_hour.device_money + excluded.device_money,
                tenant_money = device_hour.tenant_money + excluded.tenant_money,
                idle_money = device_hour.idle_money + excluded.idle_money,
                overhead_money = device_hour.overhead_money + excluded.overhead_money,
                house_money = device_hour.house_money + excluded.house_money,
                rounding_money = device_hour.rounding_money + excluded.rounding_money
            """),
    /** Makes a node's row where it is missing, and locks it: projections of one node take turns. */
    LOCK("""
            INSERT INTO node (node, first_sequence, last_sequence, last_at, run, price_book, policy)
            VALUES (?, 0, 0, 0, 0, '', '')
            ON CONFLICT (node) DO UPDATE SET node = excluded.node
            """),
    /** How far a node is. */
    PROGRESS("""
            UPDATE node
            SET first_sequence = ?, last_sequence = ?, last_at = ?, run = ?, price_book = ?, policy = ?
            WHERE node = ?
            """);

    private final String text;

    BookSql(String text) {
        this.text = text;
    }

    String text() {
        return text;
    }
}
