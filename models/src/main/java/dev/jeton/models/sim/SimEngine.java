package dev.jeton.models.sim;

import dev.jeton.models.engine.Capability;
import dev.jeton.models.engine.Engine;
import dev.jeton.models.engine.EngineChecks;
import dev.jeton.models.engine.EngineException;
import dev.jeton.models.engine.EngineInfo;
import dev.jeton.models.engine.LayerGroup;
import dev.jeton.models.engine.SequenceSpec;
import dev.jeton.models.engine.StepBatch;
import dev.jeton.models.engine.StepResult;
import dev.jeton.models.engine.StepTicket;
import dev.jeton.models.engine.StepTimeModel;
import dev.jeton.models.engine.TokenMasks;
import java.util.Arrays;
import java.util.EnumSet;
import java.util.List;
import java.util.OptionalLong;
import java.util.Set;
import org.jspecify.annotations.Nullable;

/**
 * An engine whose "K and V" at a position are a hash of all tokens up to it, kept in its blocks as a real engine keeps
 * K and V, and read back through the block tables. The next token is a function of that hash and the seed. So a
 * scheduler that mixes up blocks, positions, forks or tickets generates other tokens than the same sequence alone, and
 * a read of something never written, or overwritten by another sequence, is an error at once.
 *
 * <p>One {@linkplain #withStates with states} keeps such a hash in each slot, too, as recurrent layers keep their state
 * there: the next token is a function of both, so a state that was not copied, or from the wrong slot, shows as well.
 *
 * <p>Time passes on the injected clock only: a step takes what its {@link StepTimeModel.Coefficients} say, a block
 * between the tiers what its bytes take, beside the steps. Single-threaded, as every engine.
 */
public final class SimEngine implements Engine {

    /** The hash of no tokens. */
    private static final long NO_TOKENS = 1;

    /** What a bus of 50 GB/s takes for a byte. */
    private static final double NANOS_PER_BYTE = 1 / 50.0;

    /** Adapters that it has: the same tokens mean something else through each. */
    public static final int ADAPTERS = 2;

    private final EngineInfo info;
    private final boolean hasStates;
    private final StepTimeModel time;
    private final SimClock clock;
    private final SimBlocks blocks;
    private final EngineChecks checks;
    private final SimHostTier hostTier;
    private final Slot[] slots;
    private final SimFlight[] flights = {new SimFlight(), new SimFlight()};
    private long launched;
    private long awaited;
    private long deviceFreeAt;

    private static final class Slot {
        long seed;
        /** Hash of all tokens that its rows have brought; without states of no use. */
        long state;

        int lastToken;
        int generated;
        boolean logProbabilities;
    }

    /**
     * An engine of the given shape, without states.
     *
     * @param vocabulary token ids
     * @param contextLength most tokens of a sequence
     * @param groups layer groups
     * @param maxSlots sequences and rows
     * @param maxTokens tokens of a step
     * @param maxTickets 1 or 2
     */
    public SimEngine(
            int vocabulary,
            int contextLength,
            List<LayerGroup> groups,
            int maxSlots,
            int maxTokens,
            int maxTickets,
            StepTimeModel.Coefficients coefficients,
            SimClock clock) {
        this(vocabulary, contextLength, groups, maxSlots, maxTokens, maxTickets, coefficients, NANOS_PER_BYTE, clock);
    }

    /** The same, where copies between the tiers take so long for a byte. */
    public SimEngine(
            int vocabulary,
            int contextLength,
            List<LayerGroup> groups,
            int maxSlots,
            int maxTokens,
            int maxTickets,
            StepTimeModel.Coefficients coefficients,
            double nanosPerByte,
            SimClock clock) {
        this(
                info(vocabulary, contextLength, groups, maxSlots, maxTokens, maxTickets, false),
                coefficients,
                nanosPerByte,
                clock);
    }

    /** The same with a state in each slot, and so without drafts; no layer group may have blocks on the host. */
    public static SimEngine withStates(
            int vocabulary,
            int contextLength,
            List<LayerGroup> groups,
            int maxSlots,
            int maxTokens,
            int maxTickets,
            StepTimeModel.Coefficients coefficients,
            SimClock clock) {
        EngineInfo info = info(vocabulary, contextLength, groups, maxSlots, maxTokens, maxTickets, true);
        return new SimEngine(info, coefficients, NANOS_PER_BYTE, clock);
    }

    private static EngineInfo info(
            int vocabulary,
            int contextLength,
            List<LayerGroup> groups,
            int maxSlots,
            int maxTokens,
            int maxTickets,
            boolean states) {
        Set<Capability> able = EnumSet.of(
                Capability.LOG_PROBABILITIES,
                Capability.PROMPT_LOG_PROBABILITIES,
                Capability.MASKS,
                Capability.ADAPTERS,
                states ? Capability.STATE : Capability.DRAFTS);
        if (groups.stream().anyMatch(group -> group.hostBlocks() > 0)) {
            able.add(Capability.HOST_TIER);
        }
        return new EngineInfo(
                "sim",
                vocabulary,
                contextLength,
                List.of("simulated"),
                groups,
                maxSlots,
                maxSlots,
                maxTokens,
                maxTickets,
                able,
                ADAPTERS);
    }

    private SimEngine(EngineInfo info, StepTimeModel.Coefficients coefficients, double nanosPerByte, SimClock clock) {
        this.info = info;
        hasStates = info.supports(Capability.STATE);
        checks = new EngineChecks(info);
        time = new StepTimeModel(coefficients);
        this.clock = clock;
        blocks = new SimBlocks(info.groups());
        hostTier = new SimHostTier(info.groups(), blocks.content(), nanosPerByte, clock);
        slots = new Slot[info.maxSlots()];
        Arrays.setAll(slots, i -> new Slot());
    }

    @Override
    public EngineInfo info() {
        return info;
    }

    @Override
    public void open(int slot, SequenceSpec spec) {
        checks.open(slot, spec);
        Slot s = slots[slot];
        s.state = NO_TOKENS;
        s.seed = spec.sampling().temperature() == 0 ? 0 : spec.sampling().seed();
        s.lastToken = spec.tokens()[spec.length() - 1];
        s.generated = spec.generated();
        s.logProbabilities = spec.sampling().logProbabilities() >= 0;
    }

    @Override
    public void close(int slot) {
        if (!checks.close(slot)) {
            throw new EngineException("slot " + slot + " is not open");
        }
    }

    @Override
    public StepTicket launch(StepBatch batch) {
        if (launched - awaited >= info.maxTickets()) {
            throw new EngineException("more than " + info.maxTickets() + " tickets in flight");
        }
        if (launched > awaited && flight(launched - 1).waitsForMasks) {
            throw new EngineException(
                    "the step in flight waits for grammar masks; hand them in before the next launch");
        }
        checks.check(batch);
        SimFlight flight = flight(launched);
        flight.positions = 0;
        flight.maskedPositions = 0;
        StepResult result = flight.result;
        result.reset(batch.rows());
        if (result.promptLogProbabilities.length < batch.tokenCount()) {
            result.promptLogProbabilities = new float[batch.tokenCount()];
        }
        long kvTokens = 0;
        for (int row = 0; row < batch.rows(); row++) {
            kvTokens += batch.position[row] + batch.inputs(row);
            run(batch, row, flight);
        }
        if (!flight.waitsForMasks) {
            sample(flight, batch.rows(), null);
        }
        result.startNanos = Math.max(clock.getAsLong(), deviceFreeAt);
        result.endNanos = result.startNanos + Math.max(1, (long) time.predict(batch.tokenCount(), kvTokens));
        deviceFreeAt = result.endNanos;
        return new StepTicket(launched++);
    }

    private SimFlight flight(long ticket) {
        return flights[(int) (ticket & 1)];
    }

    private void run(StepBatch batch, int row, SimFlight flight) {
        StepResult result = flight.result;
        Slot slot = slots[batch.slot[row]];
        int start = batch.inputStart[row];
        if (batch.has(row, StepBatch.LAST_TOKEN)) {
            batch.tokens[start] = slot.lastToken;
        }
        int firstSampled = batch.inputs(row) - 1 - batch.drafts[row];
        for (int i = 0; i < batch.inputs(row); i++) {
            int position = batch.position[row] + i;
            long through = (long) batch.adapter[row] << 32;
            long hash = 0;
            for (int g = batch.groups() - 1; g >= 0; g--) {
                long before = position == 0 ? NO_TOKENS : blocks.read(batch, row, g, position - 1);
                hash = mix(before + through, batch.tokens[start + i]);
                blocks.write(batch, row, g, position, hash);
            }
            if (hasStates) {
                slot.state = mix(slot.state + through, batch.tokens[start + i]);
                hash ^= Long.rotateLeft(slot.state, 32);
            }
            result.promptLogProbabilities[start + i] = -1f / (1 + (hash >>> 60));
            if (batch.has(row, StepBatch.SAMPLE) && i >= firstSampled) {
                int next = i + 1 < batch.inputs(row) ? batch.tokens[start + i + 1] : -1;
                flight.add(row, batch.slot[row], mix(hash, (int) slot.seed), next, batch.has(row, StepBatch.MASKED));
            }
        }
        blocks.verifyWindow(batch, row);
    }

    /** Samples a step's positions in order; a row's go on as long as its drafts are what was sampled. */
    private void sample(SimFlight flight, int rows, @Nullable TokenMasks masks) {
        StepResult result = flight.result;
        int at = 0;
        int maskedAt = 0;
        for (int row = 0; row < rows; row++) {
            result.beginRow(row);
            boolean goesOn = true;
            for (; at < flight.positions && flight.row[at] == row; at++) {
                int mask = flight.masked[at] ? maskedAt++ : -1;
                if (!goesOn) {
                    continue;
                }
                int token = mask >= 0 && masks != null
                        ? allowed(masks, mask, flight.hash[at])
                        : (int) Long.remainderUnsigned(flight.hash[at], info.vocabulary());
                if (token < 0) {
                    result.fail(row, "the grammar allows no token");
                    goesOn = false;
                } else {
                    Slot slot = slots[flight.slot[at]];
                    slot.lastToken = token;
                    slot.generated++;
                    result.addToken(token, slot.logProbabilities ? -1f / (1 + token) : Float.NaN);
                    result.accepted[row]++;
                    goesOn = token == flight.draft[at];
                }
            }
        }
    }

    private static long mix(long state, int token) {
        long z = state * 0x9e3779b97f4a7c15L + token + 0x632be59bd9b4e019L;
        z = (z ^ z >>> 30) * 0xbf58476d1ce4e5b9L;
        z = (z ^ z >>> 27) * 0x94d049bb133111ebL;
        z ^= z >>> 31;
        return z == SimBlocks.UNWRITTEN ? 1 : z;
    }

    @Override
    public void masks(StepTicket ticket, TokenMasks masks) {
        SimFlight flight = flight(Math.max(0, launched - 1));
        if (launched == awaited || ticket.number() != launched - 1 || !flight.waitsForMasks) {
            throw new EngineException("ticket " + ticket.number() + " does not wait for masks");
        }
        if (!masks.fits(flight.maskedPositions, (info.vocabulary() + 63) / 64)) {
            throw new EngineException("masks of %d positions of %d words; the step has %d positions"
                    .formatted(masks.positions(), masks.wordsPerMask(), flight.maskedPositions));
        }
        flight.waitsForMasks = false;
        sample(flight, flight.result.rows(), masks);
    }

    /** One of the tokens that a mask allows, or -1 where there is none. */
    private int allowed(TokenMasks masks, int position, long drawn) {
        int count = 0;
        for (int token = 0; token < info.vocabulary(); token++) {
            count += masks.allows(position, token) ? 1 : 0;
        }
        long left = count == 0 ? -1 : Long.remainderUnsigned(drawn, count);
        for (int token = 0; token < info.vocabulary() && count > 0; token++) {
            if (masks.allows(position, token) && left-- == 0) {
                return token;
            }
        }
        return -1;
    }

    @Override
    public StepResult await(StepTicket ticket) {
        if (ticket.number() != awaited || awaited == launched) {
            throw new EngineException("ticket " + ticket.number() + " is not the oldest in flight");
        }
        SimFlight flight = flight(awaited);
        if (flight.waitsForMasks) {
            throw new EngineException("the step has masked rows; hand in masks before awaiting it");
        }
        StepResult result = flight.result;
        awaited++;
        clock.advanceTo(result.endNanos);
        return result;
    }

    @Override
    public void offload(int group, int[] blocks, int[] hostBlocks, int count) {
        checks.move(group, blocks, hostBlocks, count);
        hostTier.offload(group, blocks, hostBlocks, count);
    }

    @Override
    public void onload(int group, int[] blocks, int[] hostBlocks, int count) {
        checks.move(group, blocks, hostBlocks, count);
        hostTier.onload(group, blocks, hostBlocks, count);
    }

    @Override
    public long offloaded() {
        return hostTier.offloaded();
    }

    @Override
    public long onloaded() {
        return hostTier.onloaded();
    }

    /** When the next copy between the tiers is complete, if one is under way. */
    public OptionalLong nextCopy() {
        return hostTier.next();
    }

    @Override
    public void transfer(int group, int[] from, int[] to, int count) {
        checks.transfer(group, from, to, count);
        blocks.copy(group, from, to, count);
    }

    @Override
    public void copyState(int from, int to) {
        checks.state(from, to);
        slots[to].state = slots[from].state;
    }

    @Override
    public void close() {
        Arrays.fill(slots, null);
    }
}
