package dev.jeton.models.cuda;

import dev.jeton.models.engine.EngineException;
import dev.jeton.models.engine.StepBatch;
import dev.jeton.models.engine.StepResult;
import dev.jeton.models.engine.StepTicket;
import dev.jeton.models.engine.TokenMasks;
import dev.jeton.natives.CudaException;
import dev.jeton.natives.DeviceMemory;
import dev.jeton.natives.PinnedMemory;
import java.lang.foreign.MemorySegment;
import java.time.Duration;
import java.util.HashMap;
import java.util.List;
import java.util.Map;
import java.util.Optional;
import org.jspecify.annotations.Nullable;
import org.slf4j.Logger;
import org.slf4j.LoggerFactory;

/**
 * The steps in flight, at most two. A step is four things on the stream: its input comes, it runs, its result goes, a
 * mark is set. Steps of decodes run as graphs, some for each bucket of rows, captured by {@link #warmUp}.
 *
 * <p>The device's time of a step is what its two marks say apart. When it ended on the host's clock is seen where the
 * host had to wait; where the host came late, the end is reckoned on the device's clock from the end before, if that
 * step was still running at the launch, or else from the launch. So a host that comes late does not book its own delay
 * on the device, and clocks that drift are never compared over more than two steps.
 */
final class StepQueue {

    private static final Logger LOG = LoggerFactory.getLogger(StepQueue.class);

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
        /** The host's clock at the launch, and whether the step before was still running then. */
        long launchedAt;

        boolean behindAnother;

        Flight(StepInputs inputs, PinnedMemory input, PinnedMemory output) {
            this.inputs = inputs;
            this.input = input;
            this.output = output;
        }
    }

    private final Device device;
    private final Slots slots;
    private final DecoderProgram program;
    private final boolean told;
    private final Optional<StepVectors> vectors;
    private final boolean adapters;
    private final int groups;
    private final int maxRows;
    private final int maxTokens;
    private final int maskWords;
    private final DeviceMemory input;
    private final DeviceMemory outputs;
    private final Flight[] flights = new Flight[MOST];
    private final StepResult[] results = {new StepResult(), new StepResult()};
    private final Mark[] starts = new Mark[MARKS];
    private final Mark[] ends = new Mark[MARKS];
    private final Map<StepLayout, Graph> graphs = new HashMap<>();
    /** The same for steps of which rows go through adapters. */
    private final Map<StepLayout, Graph> adaptedGraphs = new HashMap<>();
    /** Both without sampling, where that waits for masks. */
    private final Map<StepLayout, Forward> forwards = new HashMap<>();

    private final Map<StepLayout, Forward> adaptedForwards = new HashMap<>();

    /** A recorded step up to its sampling, and what that then needs to know. */
    private record Forward(Graph graph, Left left) {}

    private final MaskMemory maskMemory;
    private long launched;
    private long awaited;
    private long lastEnd;

    /**
     * @param told whether results are brought to the host; else only their end is awaited
     * @param vectors what states become; empty where tokens are sampled
     * @param adapters whether rows may go through adapters
     * @param groups layer groups
     * @param mostBlocks most block ids of a step, of all groups
     * @param outputs where the program leaves results
     */
    StepQueue(
            Device device,
            Slots slots,
            DecoderProgram program,
            boolean told,
            Optional<StepVectors> vectors,
            boolean adapters,
            int groups,
            int maxRows,
            int maxTokens,
            int vocabulary,
            long mostBlocks,
            DeviceMemory outputs) {
        this.device = device;
        this.slots = slots;
        this.program = program;
        this.told = told;
        this.vectors = vectors;
        this.adapters = adapters;
        this.groups = groups;
        this.maxRows = maxRows;
        this.maxTokens = maxTokens;
        this.outputs = outputs;
        maskWords = (vocabulary + 63) / 64;
        maskMemory = new MaskMemory(device, MOST, 8L * maxRows * maskWords);
        long ints = StepInputs.mostInts(groups, maxRows, maxTokens, mostBlocks);
        input = device.memory(4 * ints);
        for (int i = 0; i < MOST; i++) {
            PinnedMemory pinned = device.pinned(4 * ints);
            StepInputs inputs = new StepInputs(pinned.segment(), groups, maxRows, maxTokens, mostBlocks);
            flights[i] = new Flight(inputs, pinned, device.pinned(outputs.bytes()));
        }
        for (int i = 0; i < MARKS; i++) {
            starts[i] = device.timedMark();
            ends[i] = device.timedMark();
        }
    }

    /**
     * Runs steps of no rows, so that what is loaded or chosen at its first use is there before the first request: once
     * before pages are allocated, to see what memory it takes.
     *
     * @param search how long algorithms of products may be timed
     */
    void warmUp(Duration search) {
        StepBatch nothing = new StepBatch(groups);
        StepInputs step = flights[0].inputs;
        step.count(nothing);
        for (int rows = 1; rows <= maxRows; rows = Buckets.rows(rows) + 1) {
            StepLayout layout = Buckets.decode(rows, maxRows, groups);
            send(step, nothing, layout);
            plain(layout, false);
            if (adapters) {
                plain(layout, true);
            }
        }
        device.launches().begin(device, () -> plain(Buckets.decode(1, maxRows, groups), false));
        List<Integer> sizes = Buckets.products(maxRows, maxTokens);
        program.search().choose(sizes);
        StepLayout most = new StepLayout(maxRows, maxTokens, Math.min(maxTokens, StepLayout.CHUNK), groups);
        send(step, nothing, most);
        program.forward(input.address(), most, maxTokens, true, true, adapters);
        program.sample(input.address(), most, most.logitRows(), true, 0);
        device.await();
        program.search().search(sizes, search);
    }

    /** Captures the graphs of all buckets; after {@link #warmUp}, once pages are there. */
    void capture() {
        device.launches().record(device, this::captureAll);
        device.await();
    }

    /** What a graph takes of the device's memory is the driver's affair: where there is no more, steps do without. */
    private void captureAll() {
        for (int rows = 1; rows <= maxRows; rows = Buckets.rows(rows) + 1) {
            StepLayout layout = Buckets.decode(rows, maxRows, groups);
            try {
                capture(layout);
            } catch (CudaException e) {
                if (!e.outOfMemory() || device.joined()) {
                    throw e;
                }
                LOG.warn(
                        "{} has no memory left for graphs of steps of {} rows and more, which are launched kernel by"
                                + " kernel; lower --kv-memory or --max-num-seqs",
                        device.name(),
                        layout.rows());
                return;
            }
        }
    }

    private void capture(StepLayout layout) {
        graphs.put(layout, device.capture(() -> plain(layout, false)));
        forwards.put(layout, forward(layout, false));
        if (adapters) {
            adaptedGraphs.put(layout, device.capture(() -> plain(layout, true)));
            adaptedForwards.put(layout, forward(layout, true));
        }
    }

    private Forward forward(StepLayout layout, boolean adapted) {
        Graph graph = device.capture(() -> decode(layout, adapted));
        return new Forward(graph, program.left());
    }

    /** Lets go of the graphs, which must be gone before ranks whose exchanges are in them. */
    void close() {
        for (Map<StepLayout, Graph> each : List.of(graphs, adaptedGraphs)) {
            each.values().forEach(Graph::close);
            each.clear();
        }
        for (Map<StepLayout, Forward> each : List.of(forwards, adaptedForwards)) {
            each.values().forEach(forward -> forward.graph.close());
            each.clear();
        }
    }

    private void send(StepInputs step, StepBatch batch, StepLayout layout) {
        device.await();
        step.write(batch, layout);
        device.upload(input, 0, flights[0].input, 0, 4L * step.used);
    }

    /**
     * Makes room for the grammar masks of the step that is launched next.
     *
     * @throws EngineException where no step can be launched, or there is no room; nothing was launched then
     */
    void reserve(StepBatch batch) {
        if (launched - awaited == MOST) {
            throw new EngineException("two steps are in flight; await the older one first");
        }
        if (launched > awaited && flight(launched - 1).waitsForMasks) {
            throw new EngineException(
                    "the step in flight waits for grammar masks; hand them in before the next launch");
        }
        StepInputs step = flight(launched).inputs;
        step.count(batch);
        if (step.masks > 0) {
            maskMemory.reserve(index(launched), 8L * step.masks * maskWords);
        }
    }

    /** Starts a step of a batch that was checked. */
    StepTicket launch(StepBatch batch, long[] epochs) {
        reserve(batch);
        Flight flight = flight(launched);
        StepInputs step = flight.inputs;
        StepLayout layout = step.decodes
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
        flight.behindAnother = launched > awaited && !ends[mark(launched - 1)].done();
        flight.launchedAt = System.nanoTime();
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

    /** Whether a step in flight has a row of the slot and has not been sampled. */
    boolean waitsForMasks(int slot) {
        if (launched == awaited) {
            return false;
        }
        Flight flight = flight(launched - 1);
        if (!flight.waitsForMasks) {
            return false;
        }
        for (int row = 0; row < flight.inputs.rows; row++) {
            if (flight.inputs.slot[row] == slot) {
                return true;
            }
        }
        return false;
    }

    private Flight flight(long ticket) {
        return flights[index(ticket)];
    }

    private static int index(long ticket) {
        return (int) (ticket % MOST);
    }

    private static int mark(long ticket) {
        return (int) (ticket % MARKS);
    }

    private void start(StepInputs step, StepLayout layout) {
        if (step.decodes && replay(step, layout)) {
            return;
        }
        boolean decodes = false;
        boolean prefills = false;
        for (int row = 0; row < step.rows; row++) {
            boolean few = program.attention().few(step.inputStart[row + 1] - step.inputStart[row]);
            decodes |= few;
            prefills |= !few;
        }
        program.forward(input.address(), layout, layout.tokens(), decodes, prefills, step.adapted);
        if (step.masks == 0) {
            program.sample(input.address(), layout, layout.logitRows(), step.scored, 0);
        }
    }

    /** Whether there was a graph of a step of decodes; up to its sampling, where that waits for masks. */
    private boolean replay(StepInputs step, StepLayout layout) {
        if (step.masks == 0) {
            Graph graph = (step.adapted ? adaptedGraphs : graphs).get(layout);
            if (graph != null) {
                graph.launch();
            }
            return graph != null;
        }
        Forward forward = (step.adapted ? adaptedForwards : forwards).get(layout);
        if (forward != null) {
            forward.graph.launch();
            // other steps were called since it was recorded, and may have left something else
            program.leave(forward.left);
        }
        return forward != null;
    }

    private void decode(StepLayout layout, boolean adapted) {
        program.forward(input.address(), layout, layout.tokens(), true, false, adapted);
    }

    private void plain(StepLayout layout, boolean adapted) {
        decode(layout, adapted);
        program.sample(input.address(), layout, layout.logitRows(), false, 0);
    }

    private void finish(Flight flight) {
        if (told) {
            device.download(flight.output, outputs, resultBytes(flight));
        }
        ends[mark(flight.ticket)].record();
        flight.waitsForMasks = false;
    }

    private long resultBytes(Flight flight) {
        if (vectors.isPresent()) {
            return vectors.get().bytes(flight.inputs.logitRows);
        }
        StepOutputs.Layout layout = flight.layout;
        return 4L * (flight.inputs.scored ? layout.scores() : flight.tops ? layout.tops() : layout.plain());
    }

    /** Hands in the masks for which the newest step waits. */
    void masks(@Nullable StepTicket ticket, TokenMasks masks) {
        Flight flight = flight(Math.max(0, launched - 1));
        if (ticket == null || launched == awaited || ticket.number() != launched - 1 || !flight.waitsForMasks) {
            throw new EngineException("ticket %s does not wait for masks".formatted(ticket));
        }
        int positions = flight.inputs.masks;
        if (!masks.fits(positions, maskWords) || masks.masks() > positions) {
            throw new EngineException("masks of %d positions of %d words; the step has %d of %d"
                    .formatted(masks.positions(), masks.wordsPerMask(), positions, maskWords));
        }
        long memory = maskMemory.send(index(ticket.number()), masks);
        StepLayout layout = flight.inputLayout;
        if (flight.inputs.place(masks, layout)) {
            long from = 4L * layout.logitMask();
            device.upload(input, from, flight.input, from, 4L * flight.inputs.logitRows);
        }
        program.sample(input.address(), layout, layout.logitRows(), flight.inputs.scored, memory);
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
        stamp(flight, result);
        if (told && flight.inputs.rows > 0) {
            MemorySegment output = flight.output.segment();
            if (vectors.isPresent()) {
                vectors.get().read(output, flight.inputs, epochs, result);
            } else {
                StepOutputs.read(output, flight.layout, flight.inputs, slots.wanted(), epochs, result);
            }
        }
        awaited++;
        return result;
    }

    private void stamp(Flight flight, StepResult result) {
        Mark start = starts[mark(awaited)];
        Mark end = ends[mark(awaited)];
        boolean late = end.done();
        end.await();
        long now = System.nanoTime();
        long ended = now;
        if (late) {
            long reckoned = flight.behindAnother
                    ? lastEnd + end.nanosSince(ends[mark(awaited - 1)])
                    : flight.launchedAt + end.nanosSince(start);
            ended = Math.min(now, reckoned);
        }
        long earliest = Math.max(lastEnd, flight.launchedAt);
        result.endNanos = Math.max(ended, earliest);
        result.startNanos = Math.max(earliest, result.endNanos - end.nanosSince(start));
        lastEnd = result.endNanos;
    }
}
