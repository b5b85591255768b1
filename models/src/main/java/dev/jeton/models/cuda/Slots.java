package dev.jeton.models.cuda;

import static java.lang.foreign.ValueLayout.JAVA_DOUBLE;
import static java.lang.foreign.ValueLayout.JAVA_FLOAT;
import static java.lang.foreign.ValueLayout.JAVA_INT;
import static java.lang.foreign.ValueLayout.JAVA_LONG;

import dev.jeton.models.engine.EngineException;
import dev.jeton.models.engine.SamplingParameters;
import dev.jeton.models.engine.SequenceSpec;
import dev.jeton.natives.DeviceMemory;
import dev.jeton.natives.PinnedMemory;
import java.lang.foreign.MemorySegment;
import java.util.ArrayList;
import java.util.List;

/**
 * The sampling state of every slot, on the device: parameters, how many tokens were generated, the last one, and, where
 * it asks for penalties, which tokens it has seen.
 *
 * <p>A slot is opened by copies that are ordered on the stream like a step: one that is closed while a step of it is in
 * flight may be opened again at once, since what the step still writes to it is overwritten after it. A step that waits
 * for grammar masks is not wholly on the stream: until it is, its slots cannot be opened.
 */
final class Slots {

    /** {@code sizeof(SlotSampling)}, which the kernels confirm when they are loaded. */
    static final int RECORD = 72;

    /** Most tokens with a bias in one slot. */
    static final int MAX_BIAS = 1024;

    /** Most stop tokens that are suppressed until {@code minTokens} in one slot. */
    static final int MAX_STOP = 1024;

    /** Openings whose copies may be under way at least; the next waits for the oldest. */
    private static final int RING = 16;

    /** Openings with penalties, which also send their tokens. */
    private static final int HISTORIES = 4;

    private static final int GENERATED = RECORD;
    private static final int LAST_TOKEN = GENERATED + 4;
    private static final int BIAS_TOKENS = LAST_TOKEN + 4;
    private static final int BIAS_VALUES = BIAS_TOKENS + 4 * MAX_BIAS;
    private static final int STOP_TOKENS = BIAS_VALUES + 4 * MAX_BIAS;
    private static final int STAGED = STOP_TOKENS + 4 * MAX_STOP;

    private final Device device;
    private final int vocabulary;
    private final DeviceMemory records;
    private final DeviceMemory generated;
    private final DeviceMemory lastToken;
    private final DeviceMemory biasTokens;
    private final DeviceMemory biasValues;
    private final DeviceMemory stopTokens;
    private final PinnedMemory staging;
    private final List<Mark> sent = new ArrayList<>();
    private final Kernel clear;
    private final Kernel count;
    private final int ring;
    private final int context;
    private final PinnedMemory history;
    private final DeviceMemory historyOnDevice;
    private final List<Mark> historySent = new ArrayList<>();
    private int nextHistory;
    private final int[] wanted;
    private int next;
    /** Counts of tokens seen: four bytes per slot and entry of the vocabulary. */
    private final DeviceMemory seen;

    /** @param context most tokens of a sequence */
    Slots(Device device, Kernel clear, Kernel count, int slots, int vocabulary, int context) {
        this.device = device;
        this.clear = clear;
        this.count = count;
        this.vocabulary = vocabulary;
        records = device.memory((long) slots * RECORD);
        generated = device.memory(4L * slots);
        lastToken = device.memory(4L * slots);
        biasTokens = device.memory(4L * slots * MAX_BIAS);
        biasValues = device.memory(4L * slots * MAX_BIAS);
        stopTokens = device.memory(4L * slots * MAX_STOP);
        this.context = context;
        ring = Math.max(RING, slots);
        staging = device.pinned((long) ring * STAGED);
        history = device.pinned(4L * context * HISTORIES);
        historyOnDevice = device.memory(4L * context);
        seen = device.memory(4L * slots * vocabulary);
        for (int i = 0; i < HISTORIES; i++) {
            historySent.add(device.mark());
        }
        for (int i = 0; i < ring; i++) {
            sent.add(device.mark());
        }
        wanted = new int[slots];
    }

    /**
     * Sends a sequence's state to its slot.
     *
     * @throws EngineException where it has more biases or stop tokens than there is room for; nothing was sent then
     */
    void open(int slot, SequenceSpec spec) {
        SamplingParameters sampling = spec.sampling();
        int biases = sampling.bias().tokens().length;
        int stops = sampling.minTokens() > 0 ? sampling.stopTokens().length : 0;
        if (biases > MAX_BIAS || stops > MAX_STOP) {
            throw new EngineException("the cuda engine takes %d biases and %d stop tokens a sequence, not %d and %d"
                    .formatted(MAX_BIAS, MAX_STOP, biases, stops));
        }
        Mark mark = sent.get(next);
        mark.await();
        long at = (long) next * STAGED;
        next = (next + 1) % ring;
        write(staging.segment().asSlice(at, STAGED), spec, biases, stops);
        device.upload(records, (long) slot * RECORD, staging, at, RECORD);
        device.upload(generated, 4L * slot, staging, at + GENERATED, 4);
        device.upload(lastToken, 4L * slot, staging, at + LAST_TOKEN, 4);
        if (biases > 0) {
            device.upload(biasTokens, 4L * slot * MAX_BIAS, staging, at + BIAS_TOKENS, 4L * biases);
            device.upload(biasValues, 4L * slot * MAX_BIAS, staging, at + BIAS_VALUES, 4L * biases);
        }
        if (stops > 0) {
            device.upload(stopTokens, 4L * slot * MAX_STOP, staging, at + STOP_TOKENS, 4L * stops);
        }
        mark.record();
        if (sampling.penalised()) {
            countTokens(slot, spec);
        }
        wanted[slot] = sampling.logProbabilities();
    }

    private static void write(MemorySegment to, SequenceSpec spec, int biases, int stops) {
        SamplingParameters sampling = spec.sampling();
        to.set(JAVA_LONG, 0, sampling.seed());
        to.set(JAVA_DOUBLE, 8, sampling.topP());
        to.set(JAVA_DOUBLE, 16, sampling.presencePenalty());
        to.set(JAVA_DOUBLE, 24, sampling.frequencyPenalty());
        to.set(JAVA_FLOAT, 32, sampling.temperature() == 0 ? 0 : (float) (1 / sampling.temperature()));
        to.set(JAVA_FLOAT, 36, (float) sampling.minP());
        to.set(JAVA_FLOAT, 40, (float) sampling.repetitionPenalty());
        to.set(JAVA_INT, 44, sampling.topK());
        to.set(JAVA_INT, 48, sampling.minTokens());
        to.set(JAVA_INT, 52, sampling.logProbabilities());
        to.set(JAVA_INT, 56, biases);
        to.set(JAVA_INT, 60, stops);
        to.set(JAVA_INT, 64, sampling.penalised() ? 1 : 0);
        to.set(JAVA_INT, 68, 0);
        to.set(JAVA_INT, GENERATED, spec.generated());
        to.set(JAVA_INT, LAST_TOKEN, spec.tokens()[spec.length() - 1]);
        MemorySegment.copy(sampling.bias().tokens(), 0, to, JAVA_INT, BIAS_TOKENS, biases);
        MemorySegment.copy(sampling.bias().values(), 0, to, JAVA_FLOAT, BIAS_VALUES, biases);
        MemorySegment.copy(sampling.stopTokens(), 0, to, JAVA_INT, STOP_TOKENS, stops);
    }

    private void countTokens(int slot, SequenceSpec spec) {
        Mark mark = historySent.get(nextHistory);
        long place = 4L * context * nextHistory;
        nextHistory = (nextHistory + 1) % HISTORIES;
        mark.await();
        MemorySegment.copy(spec.tokens(), 0, history.segment(), JAVA_INT, place, spec.length());
        device.upload(historyOnDevice, 0, history, place, 4L * spec.length());
        mark.record();
        long counts = seen.address() + 4L * slot * vocabulary;
        clear.begin().pointer(counts).integer(vocabulary).launch(Kernel.blocks(vocabulary, 256), 1, 256, 0);
        count.begin()
                .pointer(counts)
                .pointer(historyOnDevice.address())
                .integer(spec.promptLength())
                .integer(spec.length())
                .launch(Kernel.blocks(spec.length(), 256), 1, 256, 0);
    }

    /** By slot: log-probabilities asked for, -1 for none. */
    int[] wanted() {
        return wanted;
    }

    long records() {
        return records.address();
    }

    long generated() {
        return generated.address();
    }

    long lastToken() {
        return lastToken.address();
    }

    long biasTokens() {
        return biasTokens.address();
    }

    long biasValues() {
        return biasValues.address();
    }

    long stopTokens() {
        return stopTokens.address();
    }

    /** Where tokens seen are counted. */
    long seen() {
        return seen.address();
    }
}
