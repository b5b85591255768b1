package dev.jeton.models.sampler;

import dev.jeton.models.engine.SamplingParameters;
import dev.jeton.models.engine.SequenceSpec;
import java.util.Arrays;

/**
 * What sampling must remember of one sequence: its parameters, how many tokens it generated, its last token, and, where
 * penalties are on, which tokens it has seen. Reused from sequence to sequence of a slot; not thread-safe.
 *
 * <p>Tokens seen are kept in a dense list behind an open-addressing index that doubles as it fills, so accepting a
 * token allocates nothing but at doublings.
 */
public final class SequenceState {

    private SamplingParameters sampling = SamplingParameters.GREEDY;
    private int generated;
    private int lastToken;

    private int distinct;
    private int[] token = new int[0];
    private int[] count = new int[0];
    private int[] index = new int[0];

    /** Begins a sequence, or resumes one with the tokens that it has generated. */
    public void open(SequenceSpec spec) {
        sampling = spec.sampling();
        generated = spec.generated();
        lastToken = spec.tokens()[spec.length() - 1];
        distinct = 0;
        Arrays.fill(index, 0);
        if (sampling.penalised()) {
            for (int i = 0; i < spec.length(); i++) {
                see(spec.tokens()[i], i < spec.promptLength() ? 0 : 1);
            }
        }
    }

    /** Takes a sampled token into account. */
    public void accept(int sampled) {
        lastToken = sampled;
        generated++;
        if (sampling.penalised()) {
            see(sampled, 1);
        }
    }

    /** How tokens are chosen. */
    public SamplingParameters sampling() {
        return sampling;
    }

    /** Tokens generated so far, which is also the number of the next draw. */
    public int generated() {
        return generated;
    }

    /** The token sampled or given last. */
    public int lastToken() {
        return lastToken;
    }

    /** How many different tokens prompt and output hold; 0 where no penalty is on. */
    int distinct() {
        return distinct;
    }

    /** The {@code i}-th different token. */
    int token(int i) {
        return token[i];
    }

    /** How often the {@code i}-th different token was generated; 0 where it is only in the prompt. */
    int count(int i) {
        return count[i];
    }

    private void see(int seen, int occurrences) {
        if (2 * (distinct + 1) > index.length) {
            grow();
        }
        int at = place(seen);
        if (index[at] == 0) {
            token[distinct] = seen;
            count[distinct] = 0;
            index[at] = ++distinct;
        }
        count[index[at] - 1] += occurrences;
    }

    /** The entry of {@code index} that holds the token, or the empty one where it belongs. */
    private int place(int seen) {
        int mask = index.length - 1;
        int at = (seen * 0x9E3779B9) >>> 7 & mask;
        while (index[at] != 0 && token[index[at] - 1] != seen) {
            at = at + 1 & mask;
        }
        return at;
    }

    private void grow() {
        int capacity = Math.max(256, 2 * index.length);
        index = new int[capacity];
        token = Arrays.copyOf(token, capacity / 2 + 1);
        count = Arrays.copyOf(count, capacity / 2 + 1);
        for (int i = 0; i < distinct; i++) {
            index[place(token[i])] = i + 1;
        }
    }
}
