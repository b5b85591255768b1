package dev.jeton.scheduler;

import dev.jeton.models.engine.Capability;
import dev.jeton.models.engine.EngineInfo;
import dev.jeton.models.engine.StepBatch;
import dev.jeton.models.engine.TokenGrammar;
import dev.jeton.models.engine.TokenMasks;
import java.util.Arrays;

/**
 * Says which tokens the masked rows of a step may sample, from where their sequences' texts stand. That is known once
 * the step before has landed, so these masks are made while the device computes the step they are for.
 *
 * <p>Owned by the loop's thread. One buffer is enough: engines take masks only for their newest step, and have sampled
 * the one before by then.
 */
final class GrammarMasks {

    private final Sequences sequences;
    private final int vocabulary;
    private final int words;
    private long[] bits = new long[0];

    GrammarMasks(Sequences sequences, int vocabulary) {
        this.sequences = sequences;
        this.vocabulary = vocabulary;
        words = (vocabulary + 63) / 64;
    }

    /**
     * Checks that an engine can follow a request's grammar, if it has one.
     *
     * @throws RejectedException if not
     */
    static void check(GenerationRequest request, EngineInfo engine) {
        if (request.grammar().isEmpty()) {
            return;
        }
        if (!engine.supports(Capability.MASKS)) {
            throw new RejectedException(
                    RejectedException.Reason.UNSUPPORTED,
                    "the engine '%s' follows no grammars".formatted(engine.name()));
        }
        int vocabulary = request.grammar().get().vocabulary();
        if (vocabulary != engine.vocabulary()) {
            throw new IllegalArgumentException(
                    "a grammar over %d tokens for an engine with %d".formatted(vocabulary, engine.vocabulary()));
        }
    }

    /** The masks of a step's rows, valid until the next call. A sequence whose mask takes too long ends. */
    TokenMasks of(StepApplier.Flight flight) {
        if (bits.length < flight.masked * words) {
            bits = new long[Math.max(2 * bits.length, flight.masked * words)];
        }
        int position = 0;
        for (int row = 0; row < flight.batch.rows(); row++) {
            if (flight.batch.has(row, StepBatch.MASKED)) {
                mask(flight.sequence(row), words * position++);
            }
        }
        return new TokenMasks(position, words, bits);
    }

    private void mask(Sequence sequence, int from) {
        TokenGrammar.Cursor cursor = sequence.cursor;
        if (cursor != null && sequence.phase == Sequence.Phase.RUNNING && !cursor.mask(bits, from)) {
            sequences.end(
                    sequence,
                    FinishReason.ERROR,
                    -1,
                    "what the answer must be is too ambiguous to be followed; simplify the schema or expression");
        }
        if (cursor == null || sequence.phase != Sequence.Phase.RUNNING) {
            // what comes of it is thrown away, but something must
            Arrays.fill(bits, from, from + words, -1);
            bits[from + words - 1] = -1L >>> -vocabulary;
            return;
        }
        if (cursor.mayEnd()) {
            for (int stop : sequence.generation.request().stopTokens()) {
                if (stop >= 0 && stop < vocabulary) {
                    bits[from + (stop >>> 6)] |= 1L << stop;
                }
            }
        }
    }
}
