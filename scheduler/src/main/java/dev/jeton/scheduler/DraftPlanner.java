package dev.jeton.scheduler;

import dev.jeton.models.engine.StepTimeModel;
import dev.jeton.models.engine.TokenGrammar;

/**
 * Decides what is drafted: tokens that may come next are computed together with the newest one, and those that the
 * engine would have sampled count (speculative decoding, Leviathan et al., 2023). Drafts are looked up in what the
 * client predicts and in the text itself ({@link TextLookup}), or are what a grammar leaves hardly a choice about
 * ({@link TokenGrammar.Cursor#likely}); an engine takes a draft where it samples the same token, so that answers are
 * what they are without drafts, sampled ones too.
 *
 * <p><b>How many.</b> A step that waits for memory computes some tokens more in the same time; one that waits for
 * arithmetic does not. So a draft is taken where it makes more tokens per second of the whole step, as the step-time
 * model has it: while its chance of being right, over the time that it adds, is above what the step makes without it
 * (goodput, after Liu et al., 2024). Prompts that wait count as tokens that are made, and drafts have the room of a
 * step that they leave. A draft that hardly ever is right is not taken even where it seems to cost nothing.
 *
 * <p><b>With two steps in flight</b> a sequence's newest token is known only when it would be late for the next step,
 * and without it nothing can be drafted. Where drafts are worth it on the whole, all who decode leave out that step,
 * and one step is in flight; else only a sequence does whose own are worth a step.
 *
 * <p>Owned by the loop's thread. Nothing is allocated per token but where a grammar binds the drafts.
 */
final class DraftPlanner {

    private static final double LEAST_CHANCE = 0.2;
    /** What a draft costs of what a token of a prompt does, which has no logits: the model tells them not apart. */
    private static final double COST = 1.3;
    /** Drafts that a sequence must expect to be right to leave out a step for them. */
    private static final double WORTH_A_STEP = 1.5;
    /** The same, where all leave it out: then the device waits for the host and no more. */
    private static final double WORTH_A_WAIT = 0.3;

    private final StepTimeModel timeModel;
    private final GrammarMasks masks;
    private final Bounds bounds;
    private final int vocabulary;
    private final int most;
    private final boolean pipelined;
    private final DraftOdds oddsOfAll = DraftOdds.ofAll();

    /** Tokens of the step that is planned, those that it is expected to make, KV that it reads, and room left in it. */
    private long tokens;

    private double useful;
    private long kvTokens;
    private int room;
    private double expected;
    /** Drafts that those count on who leave out this step, and how many of them will be right. */
    private int claimed;

    private double claimedUseful;
    private boolean allWait;

    /**
     * @param vocabulary the engine's: a client's prediction may have other tokens
     * @param most drafts of a row; 0 for none at all
     * @param pipelined whether two steps are in flight
     */
    DraftPlanner(
            StepTimeModel timeModel, GrammarMasks masks, Bounds bounds, int vocabulary, int most, boolean pipelined) {
        this.vocabulary = vocabulary;
        this.pipelined = pipelined;
        this.timeModel = timeModel;
        this.masks = masks;
        this.bounds = bounds;
        this.most = most;
    }

    /** A step is planned for those who run. */
    void begin(SequenceQueue running) {
        if (most == 0) {
            return;
        }
        long prompts = 0;
        int decoding = 0;
        kvTokens = 0;
        for (int i = 0; i < running.size(); i++) {
            Sequence sequence = running.get(i);
            if (sequence.prefilling()) {
                prompts += sequence.prefillEnd() - sequence.planned;
            } else {
                decoding++;
                kvTokens += sequence.length;
            }
        }
        tokens = Math.min(bounds.maxTokens(), decoding + prompts);
        useful = tokens;
        // a prompt's token is certain to count, so no draft takes its place
        room = bounds.maxTokens() - (int) tokens;
        allWait = pipelined && expected(running) >= WORTH_A_WAIT * decoding;
        claimed = 0;
        claimedUseful = 0;
    }

    /** How many drafts would be right of all who decode. */
    private double expected(SequenceQueue running) {
        claimed = 0;
        claimedUseful = 0;
        double inFlight = 0;
        for (int i = 0; i < running.size(); i++) {
            Sequence sequence = running.get(i);
            if (sequence.draftsInFlight() > 0) {
                inFlight += sequence.drafts(oddsOfAll).expected;
            } else if (!sequence.prefilling()) {
                claim(sequence, 0);
            }
        }
        return inFlight + claimedUseful;
    }

    /** Counts on drafts of a sequence, if at least so many of them are expected to be right. */
    private boolean claim(Sequence sequence, double least) {
        int bound = Math.min(most, room - claimed);
        int count = bound <= 0 ? 0 : worth(sequence, bound, claimed, claimedUseful);
        if (count == 0 || expected < least) {
            return false;
        }
        claimed += count;
        claimedUseful += expected;
        return true;
    }

    /** Whether a sequence better waits for the token that is in flight, and decodes with drafts then. */
    boolean waits(Sequence sequence) {
        if (most == 0 || sequence.samplesInFlight == 0) {
            return false;
        }
        return allWait || claim(sequence, WORTH_A_STEP);
    }

    /**
     * Writes drafts behind a sequence's tokens, of which none is in flight.
     *
     * @return how many; {@link #took} is to be told how many of them are computed
     */
    int draft(Sequence sequence) {
        if (most == 0 || sequence.samplesInFlight > 0) {
            return 0;
        }
        GenerationRequest request = sequence.generation.request();
        // where its reader is slow, there is a place for each sequence's next token
        int bound = Math.min(Math.min(most, room), sequence.generation.room() - request.sequences());
        // the token that is sampled behind the last draft counts, too
        bound = Math.min(bound, request.maxTokens() - sequence.generated() - 1);
        bound = Math.min(bound, bounds.contextLength() - sequence.length - 1);
        int count = bound <= 0 ? 0 : worth(sequence, bound, 0, 0);
        if (count == 0) {
            return 0;
        }
        sequence.reserve(count);
        count = sequence.drafts(oddsOfAll).copy(sequence.tokens, sequence.length, count);
        count = usable(sequence, count);
        return count == 0 ? 0 : masks.allowed(sequence, count);
    }

    /** So many of the sequence's drafts are in the step. */
    void took(Sequence sequence, int count) {
        sequence.drafts(oddsOfAll).launched(count, expected);
        tokens += count;
        useful += expected;
        room -= count;
    }

    /**
     * How many drafts are worth it, beside some that others compute; {@link #expected} is then how many of them will be
     * right.
     */
    private int worth(Sequence sequence, int bound, int others, double othersUseful) {
        SequenceDrafts drafts = sequence.drafts(oddsOfAll);
        int agreeing = drafts.find(sequence.tokens, sequence.length, sequence.cursor, most);
        expected = 0;
        if (agreeing == 0) {
            return 0;
        }
        double chance = 1;
        int count = 0;
        int there = drafts.bound(bound);
        while (count < there) {
            chance *= drafts.odds.of(agreeing + count);
            double before = timeModel.predict(tokens + others + count, kvTokens);
            double added = timeModel.predict(tokens + others + count + 1, kvTokens) - before;
            if (chance < LEAST_CHANCE || chance * before < (useful + othersUseful + expected) * added * COST) {
                break;
            }
            expected += chance;
            count++;
        }
        return count;
    }

    /** Up to a token that ends the text, which is sampled behind the drafts as well as taken for one. */
    private int usable(Sequence sequence, int count) {
        for (int i = 0; i < count; i++) {
            int draft = sequence.tokens[sequence.length + i];
            if (draft < 0 || draft >= vocabulary) {
                return i;
            }
            for (int stop : sequence.generation.request().stopTokens()) {
                if (draft == stop) {
                    return i;
                }
            }
        }
        return count;
    }
}
