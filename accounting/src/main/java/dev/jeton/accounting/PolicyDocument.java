package dev.jeton.accounting;

import java.util.Collection;
import java.util.Locale;
import java.util.stream.Collectors;

/**
 * The policy in force, as the journal and the ledger keep it: every request names the version under which it was
 * opened.
 *
 * @param content one setting a line, then one budget a line
 */
record PolicyDocument(String content) {

    /** Beyond so many characters budgets are named by their digest only: the audit log has them. */
    private static final int MOST = FactCodec.MAX_DOCUMENT / 2;

    /** What is billed of requests that a crash cut off, and what may be spent. */
    static PolicyDocument of(AbortedPolicy aborted, Collection<Budget> budgets) {
        String first = "aborted: " + aborted.name().toLowerCase(Locale.ROOT) + "\n";
        if (budgets.isEmpty()) {
            return new PolicyDocument(first);
        }
        String lines = budgets.stream().map(PolicyDocument::line).sorted().collect(Collectors.joining());
        return new PolicyDocument(first
                + "budgets:\n"
                + (lines.length() <= MOST
                        ? lines
                        : "  %d of digest %s%n".formatted(budgets.size(), PriceBook.version(lines))));
    }

    private static String line(Budget b) {
        return "  - {id: %s, level: %s, of: %s/%s/%s, unit: %s, window: %s %s, limit: %d, mode: %s, killed: %b, grace: %d}%n"
                .formatted(
                        b.id(),
                        b.level().text(),
                        b.tenant(),
                        b.project(),
                        b.key(),
                        b.unit().text(),
                        b.window().kind().text(),
                        b.window().zone(),
                        b.limit(),
                        b.mode().text(),
                        b.killed(),
                        b.grace().amount());
    }

    /** The first 16 hexadecimal digits of the SHA-256 of the content. */
    String version() {
        return PriceBook.version(content);
    }
}
