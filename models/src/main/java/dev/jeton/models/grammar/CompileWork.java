package dev.jeton.models.grammar;

import java.util.function.Supplier;

/**
 * How much a grammar may take to be compiled. Schemas and expressions come from clients, and short ones can take hours
 * and all memory; so what takes time or memory counts steps, and compiling ends where there were too many. Outside of
 * {@link #within} nothing is counted.
 */
final class CompileWork {

    /** About two seconds on one core, and half a gigabyte that is given back. */
    static final long MOST = 60_000_000;

    private static final ScopedValue<CompileWork> CURRENT = ScopedValue.newInstance();

    private long left = MOST;

    private CompileWork() {}

    /** Compiles, counting. */
    static <T> T within(Supplier<T> compiling) {
        return ScopedValue.where(CURRENT, new CompileWork()).call(compiling::get);
    }

    /**
     * Counts steps.
     *
     * @throws GrammarException where there were too many
     */
    static void spend(long steps) {
        if (CURRENT.isBound()) {
            CompileWork work = CURRENT.get();
            work.left -= steps;
            if (work.left < 0) {
                throw new GrammarException(
                        "it takes too long to be compiled; simplify the schema or expression, or lower its bounds");
            }
        }
    }
}
