package dev.jeton.server.reports;

import dev.jeton.accounting.Money;
import dev.jeton.accounting.Total;
import java.math.BigInteger;
import java.util.Arrays;
import java.util.List;
import java.util.Locale;
import java.util.function.Function;

/** What a report says of each group, in its order. */
enum ReportColumn {
    REQUESTS(Kind.COUNT, false, total -> String.valueOf(total.requests())),
    FAILED(Kind.COUNT, false, total -> String.valueOf(total.failed() + total.cancelled())),
    INPUT(Kind.COUNT, false, total -> String.valueOf(total.tokens().input())),
    CACHED(Kind.COUNT, false, total -> String.valueOf(total.tokens().cached())),
    OUTPUT(Kind.COUNT, false, total -> String.valueOf(total.tokens().output())),
    EGRESS_BYTES(Kind.COUNT, false, total -> String.valueOf(total.egressBytes())),
    DEVICE_S(Kind.DECIMAL, true, total -> seconds(total.payable())),
    LIST(Kind.MONEY, false, total -> Money.text(total.list())),
    EGRESS(Kind.MONEY, false, total -> Money.text(total.egress())),
    STEPS(Kind.MONEY, false, total -> Money.text(total.stepMoney())),
    METERED(Kind.MONEY, true, total -> Money.text(total.metered())),
    MARGIN(Kind.MONEY, true, total -> Money.text(total.margin())),
    HOUSE(Kind.MONEY, true, total -> Money.text(total.houseMoney())),
    JOULES(Kind.DECIMAL, true, total -> fixed(total.microjoules() / 1e6)),
    P95_MS(Kind.DECIMAL, false, total -> fixed(total.p95Nanos() / 1e6)),
    PER_REQUEST(Kind.PRICE, false, total -> each(Math.addExact(total.list(), total.egress()), total.requests())),
    TASKS(Kind.COUNT, false, total -> String.valueOf(total.tasks().tasks())),
    SUCCEEDED(Kind.COUNT, false, total -> String.valueOf(total.tasks().succeeded())),
    PER_SUCCESS(
            Kind.PRICE,
            false,
            total -> each(total.tasks().money(), total.tasks().succeeded())),
    CALLS_PER_TASK(
            Kind.RATE, false, total -> rate(total.tasks().calls(), total.tasks().tasks())),
    RETRY_RATE(Kind.RATE, false, total -> rate(total.tasks().retried(), total.requests())),
    FALLBACK_RATE(Kind.RATE, false, total -> rate(total.tasks().fallbacks(), total.requests())),
    HIT_RATE(Kind.RATE, false, total -> rate(total.tasks().hits(), total.tasks().retrievals()));

    /** How a cell is written where there are types. */
    enum Kind {
        COUNT,
        DECIMAL,
        /** Exact, so it stays text. */
        MONEY,
        /** One over the other; empty where the other is 0. */
        RATE,
        /** Money over a count, rounded to nano-units; empty where the count is 0. */
        PRICE
    }

    private final Kind kind;
    private final boolean metered;
    private final Function<Total, String> cell;

    ReportColumn(Kind kind, boolean metered, Function<Total, String> cell) {
        this.kind = kind;
        this.metered = metered;
        this.cell = cell;
    }

    /** Those that an audience may see. */
    static List<ReportColumn> of(Audience audience) {
        return Arrays.stream(values())
                .filter(column -> audience.metered() || !column.metered)
                .toList();
    }

    /** As it is headed. */
    String title() {
        return name().toLowerCase(Locale.ROOT);
    }

    /** Whether it says something of tasks, steps, retries or fallbacks. */
    boolean ofTasks() {
        return this == STEPS || compareTo(TASKS) >= 0;
    }

    Kind kind() {
        return kind;
    }

    String cell(Total total) {
        return cell.apply(total);
    }

    /** Nanoseconds as seconds, to the millisecond. */
    static String seconds(long nanos) {
        return fixed(nanos / 1e9);
    }

    private static String rate(long part, long whole) {
        return whole == 0 ? "" : fixed(part / (double) whole);
    }

    private static String each(long money, long count) {
        return count == 0 ? "" : Money.text(Money.round(BigInteger.valueOf(money), BigInteger.valueOf(count)));
    }

    private static String fixed(double value) {
        return String.format(Locale.ROOT, "%.3f", value);
    }
}
