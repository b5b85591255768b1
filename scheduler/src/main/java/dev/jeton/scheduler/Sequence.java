package dev.jeton.scheduler;

import dev.jeton.kvcache.KvSequence;
import dev.jeton.models.engine.TokenGrammar;
import java.util.Arrays;
import java.util.Comparator;
import java.util.List;
import java.util.Objects;
import org.jspecify.annotations.Nullable;

/**
 * One sampled continuation of a request, as the scheduler sees it. Owned by the loop's thread.
 *
 * <p>Three positions describe its progress: {@code kv.computed() <= planned <= promised}. Tokens before
 * {@code kv.computed()} have their K and V; those before {@code planned} have been launched; {@code promised} counts
 * the tokens known plus those that steps in flight will sample.
 */
final class Sequence {

    static final int NO_SLOT = -1;
    /** Who is served first: smaller priority values, then earlier arrivals, then lower indices. No two are equal. */
    static final Comparator<Sequence> ORDER = Comparator.comparingInt(Sequence::priority)
            .thenComparingLong(sequence -> sequence.arrival)
            .thenComparingInt(sequence -> sequence.index);

    /** Where it is in its life. */
    enum Phase {
        /** In the waiting queue, without blocks: new or preempted. */
        WAITING,
        /** Has blocks, but its request's first sequence has not reached the fork yet. */
        FORKING,
        /** Has blocks and a slot. */
        RUNNING,
        /** Its end was told; a row of it is still in flight. */
        ENDING,
        /** Gone. */
        ENDED
    }

    final GenerationState generation;
    final int index;
    final long arrival;
    final KvSequence kv;
    final List<Sequence> forks;
    /** Where its text stands in its grammar; null where it has none. */
    final TokenGrammar.@Nullable Cursor cursor;

    int[] tokens;
    int length;
    int planned;
    int rowsInFlight;
    int samplesInFlight;
    int slot = NO_SLOT;
    int everComputed;
    /** Tokens from the first on that its request's usage counts as cached, but for those that it computed after all. */
    int cached;

    /** Made where it is first asked for, since most engines or servers draft nothing. */
    private @Nullable SequenceDrafts drafts;

    boolean admittedBefore;
    Phase phase = Phase.WAITING;
    /** Why it ended, once it has. */
    FinishReason reason = FinishReason.LENGTH;

    Sequence(GenerationState generation, int index, long arrival, KvSequence kv, List<Sequence> forks) {
        this.generation = generation;
        this.index = index;
        this.arrival = arrival;
        this.kv = kv;
        this.forks = forks;
        cursor = generation.request().grammar().map(TokenGrammar::begin).orElse(null);
        int[] prompt = generation.request().prompt();
        length = prompt.length;
        tokens =
                Arrays.copyOf(prompt, length + Math.min(64, generation.request().maxTokens()));
    }

    /** Whether it ended because nobody reads it any more. */
    boolean abandoned() {
        return reason == FinishReason.CANCELLED || reason == FinishReason.STALLED;
    }

    int promptLength() {
        return generation.request().prompt().length;
    }

    int generated() {
        return length - promptLength();
    }

    int priority() {
        return generation.request().priority();
    }

    List<KvSequence> forkKvs() {
        return forks.isEmpty() ? List.of() : forks.stream().map(fork -> fork.kv).toList();
    }

    boolean usesPrefix() {
        return !generation.request().promptLogProbabilities();
    }

    /** What it knows for its drafts, one sequence among others. */
    SequenceDrafts drafts(DraftOdds oddsOfAll) {
        SequenceDrafts known = drafts;
        if (known == null) {
            GenerationRequest request = generation.request();
            known = new SequenceDrafts(new TextLookup(promptLength(), request.prediction()), oddsOfAll);
            drafts = known;
        }
        return known;
    }

    /** The drafts in flight have landed: so many of them were right, and so many of those are the sequence's tokens. */
    void draftsLanded(int right, int wanted) {
        Objects.requireNonNull(drafts).landed(right, wanted, generation.totals);
    }

    /** What the drafts that have landed last are to the request's reader. */
    byte draftKind() {
        return Objects.requireNonNull(drafts).predicted() ? GenerationState.PREDICTED : GenerationState.DRAFTED;
    }

    /** A token was sampled behind those that are known, with no drafts. */
    void sampledPlainly(int token) {
        if (drafts != null) {
            drafts.sampled(length, token);
        }
    }

    /** Drafts of a row in flight: how long its text is once that has landed is not known. */
    int draftsInFlight() {
        return drafts == null ? 0 : drafts.inFlight;
    }

    /** Tokens known or about to be sampled by steps in flight, but for drafts. */
    int promised() {
        return length + samplesInFlight;
    }

    /** Whether it has known tokens that no step has been given yet, other than the newest of a running decode. */
    boolean prefilling() {
        return planned < length - 1 || planned < promptLength();
    }

    /** Where its prefill ends for now: before the last prompt token while forks wait for it. */
    int prefillEnd() {
        return forks.isEmpty() ? length : length - 1;
    }

    void append(int token) {
        reserve(1);
        tokens[length++] = token;
    }

    /** Makes room for so many tokens behind those that are known. */
    void reserve(int count) {
        if (length + count > tokens.length) {
            tokens = Arrays.copyOf(tokens, Math.max(2 * tokens.length, length + count));
        }
    }

    boolean before(Sequence other) {
        return ORDER.compare(this, other) < 0;
    }
}
