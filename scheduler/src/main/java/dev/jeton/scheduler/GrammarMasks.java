package dev.jeton.scheduler;

import dev.jeton.models.engine.Capability;
import dev.jeton.models.engine.EngineInfo;
import dev.jeton.models.engine.StepBatch;
import dev.jeton.models.engine.TokenGrammar;
import dev.jeton.models.engine.TokenMasks;
import java.util.Arrays;
import org.jspecify.annotations.Nullable;

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
    private int[] places = new int[0];
    /** What may come where a draft is tried. */
    private final long[] tried;

    GrammarMasks(Sequences sequences, int vocabulary) {
        this.sequences = sequences;
        this.vocabulary = vocabulary;
        words = (vocabulary + 63) / 64;
        tried = new long[words];
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

    /**
     * The masks of a step's rows, valid until the next call; none for those that may sample anything. A sequence whose
     * mask takes too long ends.
     */
    TokenMasks of(StepApplier.Flight flight) {
        if (places.length < flight.masked) {
            places = new int[Math.max(2 * places.length, flight.masked)];
        }
        int position = 0;
        int masks = 0;
        for (int row = 0; row < flight.batch.rows(); row++) {
            if (flight.batch.has(row, StepBatch.MASKED)) {
                Sequence sequence = flight.sequence(row);
                int drafts = flight.batch.drafts[row];
                TokenGrammar.Cursor cursor = sequence.cursor;
                TokenGrammar.Cursor at = cursor == null || drafts == 0 ? cursor : cursor.copy();
                for (int i = 0; i <= drafts; i++) {
                    places[position++] = mask(sequence, at, masks) ? masks++ : TokenMasks.ANY;
                    if (at != null && i < drafts) {
                        at.accept(sequence.tokens[sequence.length + i]);
                    }
                }
            }
        }
        return new TokenMasks(position, words, bits, places, masks);
    }

    /**
     * How many of the drafts behind a sequence's tokens its grammar allows: up to one behind which the text must end or
     * where it cannot be found out what may come.
     */
    int allowed(Sequence sequence, int drafts) {
        if (sequence.cursor == null) {
            return drafts;
        }
        TokenGrammar.Cursor at = sequence.cursor.copy();
        int good = 0;
        boolean known = knows(at);
        while (known && good < drafts) {
            int draft = sequence.tokens[sequence.length + good];
            boolean may = at.free() || (tried[draft >>> 6] >>> draft & 1) != 0;
            if (!may || !at.accept(draft) || at.mustEnd()) {
                return good;
            }
            good++;
            known = knows(at);
        }
        return known ? good : Math.max(0, good - 1);
    }

    private boolean knows(TokenGrammar.Cursor at) {
        return at.free() || at.mask(tried, 0);
    }

    /** Writes the mask of what comes where a sequence's text stands, or will, if it needs one. */
    private boolean mask(Sequence sequence, TokenGrammar.@Nullable Cursor cursor, int place) {
        // what comes of one that has ended is thrown away
        if (cursor == null || sequence.phase != Sequence.Phase.RUNNING || cursor.free()) {
            return false;
        }
        int from = words * place;
        if (bits.length < from + words) {
            bits = Arrays.copyOf(bits, Math.max(2 * bits.length, from + words));
        }
        if (!cursor.mask(bits, from)) {
            sequences.end(
                    sequence,
                    FinishReason.ERROR,
                    -1,
                    "what the answer must be is too ambiguous to be followed; simplify the schema or expression");
            return false;
        }
        stops(sequence, cursor, from);
        return true;
    }

    /**
     * Tokens that end a text may come where it may end, and there alone; but where nothing else is left, a text that is
     * cut is better than none.
     */
    private void stops(Sequence sequence, TokenGrammar.Cursor cursor, int from) {
        boolean mayEnd = cursor.mayEnd();
        boolean cleared = false;
        for (int stop : sequence.generation.request().stopTokens()) {
            if (stop >= 0 && stop < vocabulary) {
                int word = from + (stop >>> 6);
                boolean allowed = (bits[word] >>> stop & 1) != 0;
                cleared |= allowed && !mayEnd;
                bits[word] = mayEnd ? bits[word] | 1L << stop : bits[word] & ~(1L << stop);
            }
        }
        if (cleared && nothing(from)) {
            cursor.mask(bits, from);
        }
    }

    private boolean nothing(int from) {
        for (int word = from; word < from + words; word++) {
            if (bits[word] != 0) {
                return false;
            }
        }
        return true;
    }
}
