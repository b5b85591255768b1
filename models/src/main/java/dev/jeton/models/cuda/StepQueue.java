package dev.jeton.models.cuda;

import static java.lang.foreign.ValueLayout.JAVA_LONG;

import dev.jeton.models.engine.EngineException;
import dev.jeton.models.engine.StepBatch;
import dev.jeton.models.engine.StepResult;
import dev.jeton.models.engine.StepTicket;
import dev.jeton.models.engine.TokenMasks;
import dev.jeton.natives.DeviceMemory;
import dev.jeton.natives.PinnedMemory;
import java.lang.foreign.MemorySegment;
import java.util.HashMap;
import java.util.Map;
import org.jspecify.annotations.Nullable;

/**
 * The steps in flight, at most two. A step is four things on the stream: its input comes, it runs, its result goes, a mark
 * is set. Plain decode steps run as graphs, one for each bucket of rows, captured when a bucket is used for the second
 * time (the first time chooses algorithms, which cannot be captured).
 *
 * <p>The device's time of a step is what its two marks say apart. When it ended on the host's clock is seen where the host
 * had to wait; otherwise it is reckoned from the end before, so that a host that comes late does not book its own delay on
 * the device.
 */
final class StepQueue {

    /** Tickets in flight. */
    private static final int MOST = 2;
    /** Marks outlive their step by one, to reckon the next step's end from. */
    private static final int MARKS = 4;

    /** A step in flight. */
    private static final class Flight {
        final StepInputs inputs;
        final PinnedMemory input;
        final PinnedMemory output;
        StepOutputs.Layout layout = new StepOutputs.Layout(0, 0);
        StepLayout inputLayout = new StepLayout(0, 0, 0, 0);
        long ticket = -1;
        boolean waitsForMasks;
        boolean tops;

        Flight(StepInputs inputs, PinnedMemory input, PinnedMemory output) {
            this.inputs = inputs;
            this.input = input;
            this.output = output;
        }
    }

    private final Device device;
    private final Slots slots;
    private final int groups;
    private final int maxRows;
    private final int maxTokens;
    private final DeviceMemory input;
    private final DeviceMemory outputs;
    private final Flight[] flights = new Flight[MOST];
    private final StepResult[] results = {new StepResult(), new StepResult()};
    private final Device.Mark[] starts = new Device.Mark[MARKS];
    private final Device.Mark[] ends = new Device.Mark[MARKS];
    private final Map<StepLayout, Device.Graph> graphs = new HashMap<>();
    private final Map<StepLayout, Boolean> seen = new HashMap<>();
    private long graphsOfSeen;
    private @Nullable DecoderProgram program;
    private int vocabulary;
    private @Nullable PinnedMemory maskStaging;
    private @Nullable DeviceMemory maskMemory;
    private long launched;
    private long awaited;
    private long lastEnd;

    /**
     * @param groups layer groups
     * @param context most tokens of a sequence
     */
    StepQueue(Device device, Slots slots, int groups, int context, int blockSize, int maxRows, int maxTokens) {
        this.device = device;
        this.slots = slots;
        this.groups = groups;
        this.maxRows = maxRows;
        this.maxTokens = maxTokens;
        long blocks = (long) groups * maxRows * Kernel.blocks(context, blockSize);
        int roundedTokens = Buckets.tokens(maxTokens, Integer.MAX_VALUE);
        long ints = StepInputs.mostInts(groups, maxRows, roundedTokens, blocks);
        long outInts = new StepOutputs.Layout(maxRows, roundedTokens).scores();
        input = device.memory(4 * ints);
        outputs = device.memory(4 * outInts);
        for (int i = 0; i < MOST; i++) {
            PinnedMemory pinned = device.pinned(4 * ints);
            flights[i] = new Flight(
                    new StepInputs(pinned.segment(), groups, maxRows, maxTokens), pinned, device.pinned(4 * outInts));
        }
        for (int i = 0; i < MARKS; i++) {
            starts[i] = device.timedMark();
            ends[i] = device.timedMark();
        }
    }

    /** Where results lie on the device. */
    long outputs() {
        return outputs.address();
    }

    /** Says what steps run. */
    void run(DecoderProgram steps, int tokens) {
        program = steps;
        vocabulary = tokens;
    }

    private DecoderProgram program() {
        DecoderProgram steps = program;
        if (steps == null) {
            throw new IllegalStateException("steps have no program");
        }
        return steps;
    }

    /** Starts a step of a batch that was checked. */
    StepTicket launch(StepBatch batch, long[] epochs) {
        if (launched - awaited == MOST) {
            throw new EngineException("two steps are in flight; await the older one first");
        }
        if (launched > awaited && flight(launched - 1).waitsForMasks) {
            throw new EngineException(
                    "the step in flight waits for grammar masks; hand them in before the next launch");
        }
        Flight flight = flight(launched);
        StepInputs step = flight.inputs;
        step.count(batch);
        StepLayout layout = step.plain
                ? Buckets.decode(step.rows, maxRows, groups)
                : Buckets.mixed(step, maxRows, maxTokens, groups);
        step.write(batch, layout);
        flight.inputLayout = layout;
        flight.layout = new StepOutputs.Layout(layout.rows(), layout.logitRows());
        flight.ticket = launched;
        flight.tops = false;
        for (int row = 0; row < step.rows; row++) {
            step.epoch[row] = epochs[step.slot[row]];
            flight.tops |= slots.wanted()[step.slot[row]] > 0;
        }
        starts[mark(launched)].record();
        device.upload(input, 0, flight.input, 0, 4L * step.used);
        flight.waitsForMasks = step.masks > 0;
        if (step.rows > 0) {
            start(step, layout);
        }
        if (!flight.waitsForMasks) {
            finish(flight);
        }
        return new StepTicket(launched++);
    }

    private Flight flight(long ticket) {
        return flights[(int) (ticket % MOST)];
    }

    private static int mark(long ticket) {
        return (int) (ticket % MARKS);
    }

    private void start(StepInputs step, StepLayout layout) {
        if (step.plain) {
            decode(layout);
            return;
        }
        boolean decodes = false;
        boolean prefills = false;
        for (int row = 0; row < step.rows; row++) {
            boolean few = program().few(step.inputStart[row + 1] - step.inputStart[row]);
            decodes |= few;
            prefills |= !few;
        }
        program().forward(input.address(), layout, layout.tokens(), decodes, prefills);
        if (step.masks == 0) {
            program().sample(input.address(), layout, layout.logitRows(), step.scored, 0);
        }
    }

    private void decode(StepLayout layout) {
        if (slots.seen() != graphsOfSeen) {
            // graphs hold the address at which slots count tokens, and none may be running when it goes
            device.await();
            graphs.values().forEach(Device.Graph::close);
            graphs.clear();
            graphsOfSeen = slots.seen();
        }
        Device.Graph graph = graphs.get(layout);
        if (graph == null && seen.putIfAbsent(layout, true) == null) {
            plain(layout);
            return;
        }
        if (graph == null) {
            graph = device.capture(() -> plain(layout));
            graphs.put(layout, graph);
        }
        graph.launch();
    }

    private void plain(StepLayout layout) {
        program().forward(input.address(), layout, layout.tokens(), true, false);
        program().sample(input.address(), layout, layout.logitRows(), false, 0);
    }

    private void finish(Flight flight) {
        StepOutputs.Layout layout = flight.layout;
        int ints = flight.inputs.scored ? layout.scores() : flight.tops ? layout.tops() : layout.plain();
        device.download(flight.output, outputs, 4L * ints);
        ends[mark(flight.ticket)].record();
        flight.waitsForMasks = false;
    }

    /** Hands in the masks for which the newest step waits. */
    void masks(@Nullable StepTicket ticket, TokenMasks masks) {
        Flight flight = flight(Math.max(0, launched - 1));
        if (ticket == null || launched == awaited || ticket.number() != launched - 1 || !flight.waitsForMasks) {
            throw new EngineException("ticket %s does not wait for masks".formatted(ticket));
        }
        int words = (vocabulary + 63) / 64;
        int positions = flight.inputs.masks;
        if (masks.positions() != positions
                || masks.wordsPerMask() != words
                || masks.bits().length < (long) positions * words) {
            throw new EngineException("masks of %d positions of %d words; the step has %d of %d"
                    .formatted(masks.positions(), masks.wordsPerMask(), positions, words));
        }
        long bytes = 8L * positions * words;
        PinnedMemory staging = maskStaging;
        DeviceMemory memory = maskMemory;
        if (staging == null || memory == null || memory.bytes() < bytes) {
            staging = device.pinned(bytes);
            memory = device.memory(bytes);
            maskStaging = staging;
            maskMemory = memory;
        }
        MemorySegment.copy(masks.bits(), 0, staging.segment(), JAVA_LONG, 0, positions * words);
        device.upload(memory, 0, staging, 0, bytes);
        StepInputs step = flight.inputs;
        program()
                .sample(
                        input.address(),
                        flight.inputLayout,
                        flight.inputLayout.logitRows(),
                        step.scored,
                        memory.address());
        finish(flight);
    }

    /** Waits for the oldest step in flight. */
    StepResult await(@Nullable StepTicket ticket, long[] epochs) {
        if (ticket == null || launched == awaited || ticket.number() != awaited) {
            throw new EngineException("ticket %s is not the oldest in flight".formatted(ticket));
        }
        Flight flight = flight(awaited);
        if (flight.waitsForMasks) {
            throw new EngineException("the step has masked rows; hand in masks before awaiting it");
        }
        StepResult result = results[(int) (awaited % 2)];
        result.reset(flight.inputs.rows);
        stamp(result);
        if (flight.inputs.rows > 0) {
            StepOutputs.read(flight.output.segment(), flight.layout, flight.inputs, slots.wanted(), epochs, result);
        }
        awaited++;
        return result;
    }

    private void stamp(StepResult result) {
        Device.Mark start = starts[mark(awaited)];
        Device.Mark end = ends[mark(awaited)];
        boolean late = end.done();
        end.await();
        long now = System.nanoTime();
        long ended = now;
        if (late && awaited > 0) {
            ended = Math.min(now, lastEnd + end.nanosSince(ends[mark(awaited - 1)]));
        }
        result.endNanos = Math.max(ended, lastEnd);
        result.startNanos = Math.max(lastEnd, result.endNanos - end.nanosSince(start));
        lastEnd = result.endNanos;
    }
}
