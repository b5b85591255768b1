package dev.jeton.accounting;

import dev.jeton.scheduler.DeviceState;
import dev.jeton.scheduler.DeviceTimeline;
import dev.jeton.scheduler.StepListener;
import dev.jeton.scheduler.StepRecord;
import java.util.ArrayList;
import java.util.List;
import java.util.OptionalLong;
import java.util.function.Consumer;

/**
 * Cuts one device group's time into windows and says whose it was. Shared by all engines on the group: each has a
 * listener of its own, called by its step loop.
 *
 * <p><b>One state at any instant.</b> While at least one engine has a step in flight the group is in {@code STEP};
 * otherwise in the state of the engine that is busiest ({@link #PRECEDENCE}). Every change of any engine books the time
 * since the last change, so nothing is booked twice however steps overlap.
 *
 * <p><b>Whose step time.</b> While k engines have steps in flight, each gets a k-th of the time. What an engine has got
 * when a step lands is divided over the step's rows in proportion to the scheduler's attribution. With one engine that
 * is the attribution itself, scaled from the engine's own stamps to the time from launch to landing.
 *
 * <p><b>Windows.</b> A window ends at a given instant even in the middle of a step. Time before the instant stays with
 * the old window: it is divided when the step lands, into a second bank of the requests' meters, and only then is the
 * window handed on. So the lines of a window sum to its time in {@code STEP}, to the nanosecond.
 *
 * <p>Guarded by its monitor, which a step takes three times, each for well below a microsecond; nothing is allocated
 * per row. The group's loops contend for it only where several models share a device.
 */
public final class Meter {

    /** What the group does where several engines do different things. */
    private static final List<DeviceState> PRECEDENCE = List.of(
            DeviceState.STEP,
            DeviceState.COPY,
            DeviceState.STALLED,
            DeviceState.LOADING,
            DeviceState.IDLE,
            DeviceState.DRAINING,
            DeviceState.DOWN);

    /** Time of steps whose owners are not known to the books: the house pays. */
    static final String UNOWNED = "";

    /** One engine on the group. */
    private static final class Lane {
        DeviceState state = DeviceState.DOWN;
        /** Step time since the last landing, in the window under way. */
        long share;
        /** The same before the window's beginning. */
        long before;
    }

    /** Far from what a fact may have, since a window cannot end while another waits for its steps. */
    private static final int MOST_LISTED = Fact.MAX_LINES / 4;

    private final String device;
    private final BookClock clock;
    private final EnergyModel energy;
    private final EnergyCounter counter;
    private final Consumer<Fact.Window> sink;
    private final List<Lane> lanes = new ArrayList<>();
    private final RequestMeter unowned = new RequestMeter(UNOWNED);
    private final List<List<RequestMeter>> listed = List.of(new ArrayList<>(), new ArrayList<>());
    private DeviceTimeline timeline;
    private int bank;
    private long last;
    private Closing closing = Closing.NONE;
    /** The counter at the beginning of the window under way; the ticking thread's. */
    private OptionalLong counted;

    /** A window that has ended and waits for the steps that were in flight; its energy where that was measured. */
    private record Closing(int bank, DeviceTimeline timeline, long from, long to, OptionalLong microjoules) {
        static final Closing NONE = new Closing(-1, new DeviceTimeline(0), 0, 0, OptionalLong.empty());
    }

    /**
     * Begins the first window.
     *
     * @param device name of the group
     * @param energy models a window's energy where the counter does not measure it, and divides it
     * @param counter of the group's energy
     * @param sink takes windows in order; called by {@link #tick} only
     */
    public Meter(
            String device, BookClock clock, EnergyModel energy, EnergyCounter counter, Consumer<Fact.Window> sink) {
        this.device = device;
        this.clock = clock;
        this.energy = energy;
        this.counter = counter;
        counted = counter.microjoules();
        this.sink = sink;
        last = clock.nanos();
        timeline = new DeviceTimeline(last);
    }

    /** A listener for one more engine; it is down until it says otherwise. */
    public synchronized StepListener engine() {
        Lane lane = new Lane();
        lanes.add(lane);
        return new StepListener() {
            @Override
            public void onState(DeviceState state, long now) {
                enter(lane, state, now);
            }

            @Override
            public void onStep(StepRecord step) {
                land(lane, step);
            }
        };
    }

    private synchronized void enter(Lane lane, DeviceState state, long now) {
        advance(now);
        if (lane.state == DeviceState.STEP && lane.share + lane.before > 0) {
            give(unowned, lane);
        }
        lane.state = state;
    }

    /** Step time that no landing claims: the step was lost. */
    private void give(RequestMeter owner, Lane lane) {
        add(1 - bank, owner, StepRecord.FAILED, lane.before);
        add(bank, owner, StepRecord.FAILED, lane.share);
        lane.before = 0;
        lane.share = 0;
    }

    private synchronized void land(Lane lane, StepRecord step) {
        advance(step.endNanos);
        long attributed = step.endNanos - step.startNanos;
        if (step.rows() == 0) {
            give(unowned, lane);
            return;
        }
        if (lane.before > 0) {
            divide(1 - bank, step, lane.before, attributed);
        }
        divide(bank, step, lane.share, attributed);
        lane.before = 0;
        lane.share = 0;
    }

    /** Divides {@code share} over the rows as their attributed nanoseconds are; cumulative, so the parts sum to it. */
    private void divide(int to, StepRecord step, long share, long attributed) {
        long until = 0;
        long given = 0;
        int rows = step.rows();
        for (int row = 0; row < rows; row++) {
            until += step.nanos[row];
            long mark = row == rows - 1 ? share : portion(share, until, attributed, row + 1, rows);
            add(to, owner(step, row), step.kind[row], mark - given);
            given = mark;
        }
    }

    /** {@code share * until / attributed} without overflow; equal parts where nothing was attributed. */
    private static long portion(long share, long until, long attributed, int row, int rows) {
        if (attributed == 0) {
            return share / rows * row;
        }
        if (share == attributed) {
            return until;
        }
        return Math.min(share, (long) ((double) share * ((double) until / attributed)));
    }

    private RequestMeter owner(StepRecord step, int row) {
        return step.request[row] != null && step.request[row].allowance() instanceof Metered metered
                ? metered.meter()
                : unowned;
    }

    private void add(int to, RequestMeter owner, byte kind, long nanos) {
        if (nanos > 0 && owner.add(to, kind, nanos)) {
            listed.get(to).add(owner);
        }
    }

    /**
     * Makes decoding the house's that turns out to have made nothing that anybody wanted, as far as it is in a window
     * that has not ended: what ended before stays whose it was.
     */
    public synchronized void discard(RequestMeter meter, long nanos) {
        meter.discard(bank, nanos);
    }

    /** What is known about a request at its end only: see {@link Line}. */
    public synchronized void memo(RequestMeter meter, long savedNanos, long kvByteSeconds) {
        if (savedNanos + kvByteSeconds > 0 && meter.addMemo(bank, savedNanos, kvByteSeconds)) {
            listed.get(bank).add(meter);
        }
    }

    /** Books the time until {@code now}; stamps of different threads may be a little behind one another. */
    private void advance(long now) {
        if (now <= last) {
            return;
        }
        DeviceState state = lanes.isEmpty() ? DeviceState.LOADING : busiest();
        timeline.record(state, last, now);
        if (state == DeviceState.STEP) {
            share(now - last);
        }
        last = now;
    }

    private DeviceState busiest() {
        int best = PRECEDENCE.size() - 1;
        for (int i = 0; i < lanes.size(); i++) {
            best = Math.min(best, PRECEDENCE.indexOf(lanes.get(i).state));
        }
        return PRECEDENCE.get(best);
    }

    private void share(long nanos) {
        int stepping = 0;
        for (int i = 0; i < lanes.size(); i++) {
            stepping += lanes.get(i).state == DeviceState.STEP ? 1 : 0;
        }
        long left = nanos;
        for (int i = 0; i < lanes.size(); i++) {
            Lane lane = lanes.get(i);
            if (lane.state == DeviceState.STEP) {
                long part = left / stepping--;
                lane.share += part;
                left -= part;
            }
        }
    }

    /**
     * Ends the window under way where it is due and hands on those that are complete. Called by one thread, about once
     * a second.
     *
     * @param due whether the window under way ends now even if nothing was used in it
     */
    public void tick(boolean due) {
        emit();
        synchronized (this) {
            if (closing != Closing.NONE || (!due && listed.get(bank).isEmpty())) {
                return;
            }
        }
        // Read outside of the monitor: it is a file, or a call into a driver.
        OptionalLong now = counter.microjoules();
        synchronized (this) {
            cut(clock.nanos(), now);
        }
        emit();
    }

    /**
     * Hands on the window that has ended, if its steps have landed. Called by the thread that ticks.
     *
     * @return whether none waits any more
     */
    boolean handOn() {
        emit();
        synchronized (this) {
            return closing == Closing.NONE;
        }
    }

    private void cut(long now, OptionalLong count) {
        advance(now);
        long at = last;
        if (at == timeline.start()) {
            return;
        }
        closing = new Closing(bank, timeline, timeline.start(), at, drawn(count));
        counted = count;
        for (Lane lane : lanes) {
            assert lane.before == 0 : "a step of the window before has not landed";
            lane.before = lane.share;
            lane.share = 0;
        }
        bank = 1 - bank;
        timeline = new DeviceTimeline(at);
    }

    /** Energy since the window began, where both ends of it could be read. */
    private OptionalLong drawn(OptionalLong now) {
        return now.isPresent() && counted.isPresent()
                ? OptionalLong.of(Math.max(0, now.getAsLong() - counted.getAsLong()))
                : OptionalLong.empty();
    }

    private void emit() {
        Fact.Window window;
        synchronized (this) {
            if (closing == Closing.NONE || lanes.stream().anyMatch(lane -> lane.before > 0)) {
                return;
            }
            window = window(closing);
            closing = Closing.NONE;
        }
        sink.accept(window);
    }

    private Fact.Window window(Closing ended) {
        long[] states = new long[DeviceState.values().length];
        ended.timeline().copyTo(states);
        List<Long> boxed = new ArrayList<>(states.length);
        for (long nanos : states) {
            boxed.add(nanos);
        }
        OptionalLong measured = ended.microjoules();
        long microjoules = measured.isPresent() ? measured.getAsLong() : energy.microjoules(boxed);
        List<Line> lines = lines(ended, microjoules);
        return new Fact.Window(
                device,
                clock.micros(ended.from()),
                clock.micros(ended.to()),
                ended.from(),
                ended.to(),
                boxed,
                microjoules,
                measured.isPresent(),
                lines);
    }

    /** What each request used; energy by time and power, with the time outside of steps, which is nobody's. */
    private List<Line> lines(Closing ended, long microjoules) {
        List<RequestMeter> meters = listed.get(ended.bank());
        int count = meters.size();
        long[] spans = new long[count + 1];
        boolean[] busy = new boolean[count + 1];
        spans[count] = ended.to() - ended.from();
        for (int i = 0; i < count; i++) {
            spans[i] = meters.get(i).nanos(ended.bank());
            busy[i] = true;
            spans[count] -= spans[i];
        }
        long[] parts = energy.divide(microjoules, spans, busy);
        List<Line> lines = new ArrayList<>(count);
        for (int i = 0; i < count; i++) {
            lines.add(meters.get(i).take(ended.bank(), parts[i]));
        }
        meters.clear();
        return lines;
    }

    /** Whether so many requests are in the window under way that it should end before it is due. */
    synchronized boolean crowded() {
        return listed.get(bank).size() > MOST_LISTED;
    }

    /** Nanoseconds missing (positive) or booked twice in the window under way, as of the last change: always 0. */
    public synchronized long imbalance() {
        return timeline.imbalance(last);
    }
}
