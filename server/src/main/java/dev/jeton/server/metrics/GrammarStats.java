package dev.jeton.server.metrics;

/**
 * Grammars that are kept compiled, and those that could not be.
 *
 * @param kept how many
 * @param used how many requests follow now
 * @param bytes about the bytes that they take now
 * @param bytesBound most of them
 * @param compiled how often one was compiled
 * @param refused how often one could not be
 * @param found how often one was there already
 * @param compileNanos how long compiling took, all together
 */
public record GrammarStats(
        int kept, int used, long bytes, long bytesBound, long compiled, long refused, long found, long compileNanos) {}
