package dev.jeton.server.testing;

import dev.jeton.models.ModelException;
import dev.jeton.models.engine.AdapterMemoryException;
import dev.jeton.models.engine.Capability;
import dev.jeton.models.engine.Engine;
import dev.jeton.models.engine.EngineException;
import dev.jeton.models.engine.EngineInfo;
import dev.jeton.models.engine.LayerGroup;
import dev.jeton.models.engine.PreparedAdapter;
import dev.jeton.models.engine.SequenceSpec;
import dev.jeton.models.engine.StepBatch;
import dev.jeton.models.engine.StepResult;
import dev.jeton.models.engine.StepTicket;
import dev.jeton.models.engine.TokenMasks;
import java.io.IOException;
import java.io.UncheckedIOException;
import java.nio.file.Files;
import java.nio.file.Path;
import java.util.Arrays;
import java.util.HashMap;
import java.util.List;
import java.util.Map;
import java.util.Set;
import java.util.concurrent.CompletableFuture;
import java.util.concurrent.Semaphore;
import java.util.concurrent.atomic.AtomicLong;
import java.util.function.Function;
import java.util.stream.IntStream;

/**
 * An engine that answers a prompt with the tokens a function gives for it, then with {@link ByteTokenizer#EOS}. A test
 * can hold it before a step and count its steps. Through its first adapter letters are large, through its second small;
 * those that come later do what their adapter_config.json says: {@code shout} or {@code whisper}, in memory of a
 * thousand bytes each; {@code hoard} takes more than there is, and {@code swell} more than it may.
 */
public final class ReplyEngine implements Engine {

    private static final long BYTES = 1_000;

    private final EngineInfo info;
    private final Function<int[], int[]> replies;
    private final Slot[] slots;
    private final StepResult[] results = {new StepResult(), new StepResult()};
    private final Semaphore steps = new Semaphore(0);
    private final AtomicLong stepsRun = new AtomicLong();
    private volatile boolean held;
    private volatile boolean readByVirtualThread;
    private boolean steady;
    private volatile boolean closed;
    private final CompletableFuture<ReplyEngine> whenClosed = new CompletableFuture<>();
    private long launched;
    /** By row: positions that wait for masks. */
    private int[] maskedPositions = {};

    private final Map<Integer, Voice> voices = new HashMap<>();

    /** An adapter. */
    private static final class Voice implements PreparedAdapter {
        private final boolean loud;
        private volatile boolean given;

        Voice(boolean loud) {
            this.loud = loud;
        }

        @Override
        public long bytes() {
            return given ? 0 : BYTES;
        }

        @Override
        public void close() {
            given = true;
        }

        int say(int letter) {
            return loud ? Character.toUpperCase(letter) : Character.toLowerCase(letter);
        }
    }

    private static final class Slot {
        int[] reply = {};
        int generated;
        int logProbabilities;
        int minTokens;
    }

    public ReplyEngine(int contextLength, int blocks, int maxSlots, int maxTokens, Function<int[], int[]> replies) {
        this.replies = replies;
        info = new EngineInfo(
                "reply",
                ByteTokenizer.SIZE,
                contextLength,
                List.of("test"),
                List.of(new LayerGroup(16, blocks, 1_024, 0)),
                maxSlots,
                maxSlots,
                maxTokens,
                1,
                Set.of(
                        Capability.LOG_PROBABILITIES,
                        Capability.PROMPT_LOG_PROBABILITIES,
                        Capability.MASKS,
                        Capability.DRAFTS,
                        Capability.ADAPTERS,
                        Capability.ADAPTER_LOADING),
                2);
        voices.put(1, new Voice(true));
        voices.put(2, new Voice(false));
        slots = new Slot[maxSlots];
        Arrays.setAll(slots, i -> new Slot());
    }

    /** From now on a step runs only when {@link #allow} allows it. */
    public void hold() {
        held = true;
    }

    /** Allows so many steps. */
    public void allow(int count) {
        steps.release(count);
    }

    /** Steps run freely again. */
    public void release() {
        held = false;
        steps.release(1);
    }

    /** Each step takes a microsecond, whatever the clock says: so that what is drafted does not depend on it. */
    public void steady() {
        steady = true;
    }

    /** Whether a virtual thread has read an adapter. */
    public boolean readByVirtualThread() {
        return readByVirtualThread;
    }

    /** Steps run so far. */
    public long stepsRun() {
        return stepsRun.get();
    }

    @Override
    public EngineInfo info() {
        return info;
    }

    @Override
    public void open(int slot, SequenceSpec spec) {
        Slot s = slots[slot];
        s.reply = replies.apply(Arrays.copyOf(spec.tokens(), spec.promptLength()));
        s.generated = spec.generated();
        s.logProbabilities = spec.sampling().logProbabilities();
        s.minTokens = spec.sampling().minTokens();
    }

    @Override
    public void close(int slot) {}

    @Override
    public StepTicket launch(StepBatch batch) {
        StepResult result = results[(int) (launched & 1)];
        result.reset(batch.rows());
        if (result.promptLogProbabilities.length < batch.tokenCount()) {
            result.promptLogProbabilities = new float[batch.tokenCount()];
        }
        Arrays.fill(result.promptLogProbabilities, -0.5f);
        maskedPositions = new int[batch.rows()];
        for (int row = 0; row < batch.rows(); row++) {
            result.beginRow(row);
            boolean masked = batch.has(row, StepBatch.MASKED);
            maskedPositions[row] = masked ? 1 + batch.drafts[row] : 0;
            if (batch.has(row, StepBatch.SAMPLE)) {
                sample(batch, row, result, masked ? 0 : batch.drafts[row]);
            }
        }
        result.startNanos = System.nanoTime();
        return new StepTicket(launched++);
    }

    /** Says what comes next, and what comes after the drafts that were right. */
    private void sample(StepBatch batch, int row, StepResult result, int drafts) {
        int draft = batch.inputStart[row + 1] - drafts;
        boolean right = true;
        for (int i = 0; i <= drafts && right; i++) {
            int token = sample(slots[batch.slot[row]], result, batch.adapter[row]);
            result.accepted[row]++;
            right = i < drafts && batch.tokens[draft + i] == token;
        }
    }

    private int sample(Slot slot, StepResult result, int adapter) {
        boolean more = slot.generated < slot.reply.length;
        int said = more ? slot.reply[slot.generated] : slot.generated < slot.minTokens ? '.' : ByteTokenizer.EOS;
        Voice voice = voices.get(adapter);
        if (adapter != 0 && (voice == null || voice.bytes() == 0)) {
            throw new EngineException("a row of adapter %d, which there is not".formatted(adapter));
        }
        int token = voice == null ? said : voice.say(said);
        slot.generated++;
        int index = result.addToken(token, slot.logProbabilities >= 0 ? -0.25f : Float.NaN);
        if (slot.logProbabilities > 0) {
            result.reserveTop(index);
            result.topCount[index] = slot.logProbabilities;
            int from = index * 20;
            for (int i = 0; i < slot.logProbabilities; i++) {
                result.topTokens[from + i] = i == 0 ? token : 'a' + i;
                result.topLogProbabilities[from + i] = -0.25f - i;
            }
        }
        return token;
    }

    /** Where a mask does not allow what it would say, it says what ends things soonest. */
    @Override
    public void masks(StepTicket ticket, TokenMasks masks) {
        StepResult result = results[(int) (ticket.number() & 1)];
        int position = 0;
        for (int row = 0; row < maskedPositions.length; row++) {
            if (maskedPositions[row] > 0) {
                int index = result.tokenStart[row];
                result.tokens[index] = allowed(masks, position, result.tokens[index]);
                position += maskedPositions[row];
            }
        }
        if (position != masks.positions()) {
            throw new EngineException("%d positions are masked, not %d".formatted(position, masks.positions()));
        }
    }

    private static int allowed(TokenMasks masks, int position, int wanted) {
        IntStream preferred = IntStream.concat(IntStream.of(wanted, ByteTokenizer.EOS), "\"}],:".chars());
        return IntStream.concat(preferred, IntStream.range(0, ByteTokenizer.SIZE))
                .filter(token -> masks.allows(position, token))
                .findFirst()
                .orElseThrow(() -> new EngineException("the mask allows nothing"));
    }

    @Override
    public StepResult await(StepTicket ticket) {
        if (held && !closed) {
            steps.acquireUninterruptibly();
        }
        StepResult result = results[(int) (ticket.number() & 1)];
        result.endNanos = steady ? result.startNanos + 1_000 : Math.max(System.nanoTime(), result.startNanos + 1);
        stepsRun.incrementAndGet();
        return result;
    }

    @Override
    public PreparedAdapter prepareAdapter(Path folder, long mostBytes) {
        readByVirtualThread = readByVirtualThread || Thread.currentThread().isVirtual();
        try {
            String says =
                    Files.readString(folder.resolve("adapter_config.json")).strip();
            if (says.equals("hoard")) {
                throw new OutOfMemoryError("made to fail");
            }
            if (says.equals("swell") || mostBytes < BYTES) {
                throw new AdapterMemoryException(mostBytes);
            }
            if (!says.equals("shout") && !says.equals("whisper")) {
                throw new ModelException("an adapter shouts or whispers, and does not " + says);
            }
            return new Voice(says.equals("shout"));
        } catch (IOException e) {
            throw new UncheckedIOException(e);
        }
    }

    @Override
    public void addAdapter(int number, PreparedAdapter adapter) {
        if (voices.put(number, (Voice) adapter) != null) {
            throw new EngineException("adapter %d was there before".formatted(number));
        }
    }

    @Override
    public void removeAdapter(int number) {
        voices.remove(number).close();
    }

    @Override
    public void transfer(int group, int[] from, int[] to, int count) {}

    @Override
    public void close() {
        closed = true;
        whenClosed.complete(this);
    }

    /** Completes with this engine once it is closed. */
    public CompletableFuture<ReplyEngine> whenClosed() {
        return whenClosed;
    }
}
