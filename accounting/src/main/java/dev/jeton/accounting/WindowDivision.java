package dev.jeton.accounting;

import dev.jeton.accounting.Posting.Account;
import dev.jeton.accounting.Posting.Kind;
import dev.jeton.accounting.Posting.Unit;
import dev.jeton.scheduler.DeviceState;
import java.util.ArrayList;
import java.util.LinkedHashMap;
import java.util.List;
import java.util.Map;
import java.util.function.Function;

/** The division of one window, as {@link Costing} says; made for it and thrown away. */
final class WindowDivision {

    /** A line's number for a part that is no line's. */
    private static final int NO_LINE = -1;

    private final PriceBook book;
    private final Fact.Window window;
    private final DevicePrice price;
    private final List<String> tenants = new ArrayList<>();
    private final List<Part> parts = new ArrayList<>();

    /** A piece of the window's time, and whose it is. */
    private record Part(int line, Account account, String party, String request, Kind kind, long nanos) {}

    WindowDivision(PriceBook book, Fact.Window window, Function<String, String> tenantOf) {
        this.book = book;
        this.window = window;
        this.price = book.device(window.device());
        check();
        for (Line line : window.lines()) {
            tenants.add(line.request().isEmpty() ? "" : tenantOf.apply(line.request()));
        }
        addLines();
        addIdle();
        for (DeviceState state : DeviceState.values()) {
            if (state != DeviceState.STEP && state != DeviceState.IDLE) {
                add(NO_LINE, Account.OVERHEAD, window.device(), "", Kind.STATE, state(state));
            }
        }
    }

    private void check() {
        require(window.states().size() <= DeviceState.values().length, "it has more states than there are");
        require(window.states().stream().allMatch(nanos -> nanos >= 0), "the time in a state is negative");
        require(window.joules() >= 0, "its energy is negative");
        require(window.at() >= window.from() && window.toNanos() >= window.fromNanos(), "it ends before it begins");
        long nanos = 0;
        long joules = 0;
        for (Line line : window.lines()) {
            boolean negative = (line.prefill()
                            | line.decode()
                            | line.recompute()
                            | line.overrun()
                            | line.cancelled()
                            | line.kvByteSeconds()
                            | line.joules())
                    < 0;
            require(!negative, "the line of request '%s' has a negative amount".formatted(line.request()));
            nanos = Money.add(nanos, Money.add(Money.add(line.prefill(), line.decode()), line.cancelled()));
            nanos = Money.add(nanos, Money.add(line.recompute(), line.overrun()));
            joules = Money.add(joules, line.joules());
        }
        long step = state(DeviceState.STEP);
        require(nanos == step, "its lines sum to %d ns, its steps to %d ns".formatted(nanos, step));
        require(
                joules <= window.joules(),
                "its lines have %d microjoules, it has %d".formatted(joules, window.joules()));
    }

    private void require(boolean sound, String otherwise) {
        if (!sound) {
            throw new AccountingException(
                    "the window of %s that began at %s cannot be divided: %s. The meter or the journal is at fault."
                            .formatted(window.device(), Period.text(window.from()), otherwise));
        }
    }

    /** Nanoseconds in a state; journals of older versions may know fewer states. */
    private long state(DeviceState state) {
        return state.ordinal() < window.states().size() ? window.states().get(state.ordinal()) : 0;
    }

    private void add(int line, Account account, String party, String request, Kind kind, long nanos) {
        if (nanos > 0) {
            parts.add(new Part(line, account, party, request, kind, nanos));
        }
    }

    private void addLines() {
        for (int i = 0; i < window.lines().size(); i++) {
            Line line = window.lines().get(i);
            addPayable(i, Kind.PREFILL, line.prefill());
            addPayable(i, Kind.DECODE, line.decode());
            addPayable(i, Kind.CANCELLED, line.cancelled());
            add(i, Account.HOUSE, "", line.request(), Kind.RECOMPUTE, line.recompute());
            add(i, Account.HOUSE, "", line.request(), Kind.OVERRUN, line.overrun());
        }
    }

    private void addPayable(int i, Kind kind, long nanos) {
        add(i, payer(i), tenants.get(i), window.lines().get(i).request(), kind, nanos);
    }

    /** Who pays for what is not the server's fault: nobody but the house where there is no request. */
    private Account payer(int i) {
        return window.lines().get(i).request().isEmpty() ? Account.HOUSE : Account.TENANT;
    }

    /** Idle time, of which what is reserved and unused is its tenants'. */
    private void addIdle() {
        long idle = state(DeviceState.IDLE);
        Map<String, Long> unused = unused();
        long[] shares = unused.values().stream().mapToLong(Long::longValue).toArray();
        if (exceeds(shares, idle)) {
            // Others worked in the reserved time, and pay for it: only the idle rest is shared.
            shares = Money.split(idle, shares);
        }
        long left = idle;
        int next = 0;
        for (String tenant : unused.keySet()) {
            add(NO_LINE, Account.TENANT, tenant, "", Kind.RESERVED, shares[next]);
            left -= shares[next++];
        }
        add(NO_LINE, Account.IDLE, window.device(), "", Kind.STATE, left);
    }

    private static boolean exceeds(long[] shares, long most) {
        long left = most;
        for (long share : shares) {
            if (share > left) {
                return true;
            }
            left -= share;
        }
        return false;
    }

    /** Nanoseconds that tenants reserved and did not use. */
    private Map<String, Long> unused() {
        long time = 0;
        for (long state : window.states()) {
            time = Money.add(time, state);
        }
        Map<String, Long> result = new LinkedHashMap<>();
        for (Reservation reservation : book.reservations()) {
            if (reservation.holds(window.device(), window.from())) {
                result.merge(
                        reservation.tenant(),
                        Money.priced(time, reservation.share(), Money.NANOS_PER_UNIT),
                        Money::add);
            }
        }
        if (result.isEmpty()) {
            return result;
        }
        for (int i = 0; i < window.lines().size(); i++) {
            long payable = window.lines().get(i).payable();
            result.computeIfPresent(tenants.get(i), (tenant, share) -> Math.max(0, share - payable));
        }
        result.values().removeIf(share -> share == 0);
        return result;
    }

    List<Posting> postings() {
        List<Posting> result = new ArrayList<>(3 * parts.size() + window.lines().size() + 6);
        long imbalance = Costing.imbalance(window);
        long[] nanos = new long[parts.size() + 1];
        for (int i = 0; i < parts.size(); i++) {
            nanos[i] = parts.get(i).nanos();
        }
        nanos[parts.size()] = imbalance;
        post(Unit.NANOS, Money.add(window.toNanos(), -window.fromNanos()), nanos, result);

        long[] joules = energy(nanos);
        post(Unit.MICROJOULES, window.joules(), joules, result);

        long time = price.cost(window.from(), window.at());
        long power = price.energyCost(window.joules(), book.electricity());
        long[] held = window.lines().stream().mapToLong(Line::kvByteSeconds).toArray();
        boolean any = false;
        for (long bytes : held) {
            any |= bytes > 0;
        }
        long timeCarved = any ? carved(time) : 0;
        long powerCarved = any ? carved(power) : 0;
        // Time booked twice is not time that anyone can be charged for.
        nanos[parts.size()] = Math.max(0, imbalance);
        long[] money = divide(time - timeCarved, nanos);
        long[] powers = divide(power - powerCarved, joules);
        for (int i = 0; i < money.length; i++) {
            money[i] = Money.add(money[i], powers[i]);
        }
        post(Unit.MONEY, Money.add(time, power), money, result);
        long carved = Money.add(timeCarved, powerCarved);
        if (carved > 0) {
            residency(Money.split(carved, held), result);
        }
        return result;
    }

    private long carved(long cost) {
        return Money.priced(cost, price.residency(), Money.NANOS_PER_UNIT);
    }

    private void residency(long[] amounts, List<Posting> into) {
        for (int i = 0; i < amounts.length; i++) {
            if (amounts[i] > 0) {
                String request = window.lines().get(i).request();
                into.add(new Posting(payer(i), tenants.get(i), request, Kind.RESIDENCY, Unit.MONEY, amounts[i]));
            }
        }
    }

    /** Microjoules of each part; what nobody can be given comes last. */
    private long[] energy(long[] nanos) {
        long given = window.lines().stream().mapToLong(Line::joules).sum();
        long[] result = new long[nanos.length];
        if (given == 0) {
            long[] spans = new long[parts.size()];
            boolean[] busy = new boolean[parts.size()];
            for (int i = 0; i < spans.length; i++) {
                spans[i] = nanos[i];
                busy[i] = parts.get(i).line() != NO_LINE;
            }
            System.arraycopy(new EnergyModel(price).divide(window.joules(), spans, busy), 0, result, 0, spans.length);
        } else {
            ofLines(result);
            ofStates(result, window.joules() - sum(result));
        }
        result[parts.size()] = window.joules() - sum(result);
        return result;
    }

    /** Parts of one line follow one another: its energy is divided over them by time. */
    private void ofLines(long[] result) {
        int i = 0;
        while (i < parts.size() && parts.get(i).line() != NO_LINE) {
            int line = parts.get(i).line();
            int end = i;
            while (end < parts.size() && parts.get(end).line() == line) {
                end++;
            }
            long[] weights = new long[end - i];
            for (int k = i; k < end; k++) {
                weights[k - i] = parts.get(k).nanos();
            }
            System.arraycopy(Money.split(window.lines().get(line).joules(), weights), 0, result, i, weights.length);
            i = end;
        }
    }

    private void ofStates(long[] result, long left) {
        long[] weights = new long[result.length];
        for (int i = 0; i < parts.size(); i++) {
            weights[i] = parts.get(i).line() == NO_LINE ? parts.get(i).nanos() : 0;
        }
        long[] divided = divide(left, weights);
        for (int i = 0; i < parts.size(); i++) {
            result[i] += divided[i];
        }
    }

    /** As {@link Money#split}; all goes to the last, which is rounding, where no weight has anything. */
    private static long[] divide(long total, long[] weights) {
        for (long weight : weights) {
            if (weight > 0) {
                return Money.split(total, weights);
            }
        }
        long[] result = new long[weights.length];
        result[weights.length - 1] = total;
        return result;
    }

    private static long sum(long[] values) {
        long sum = 0;
        for (long value : values) {
            sum = Money.add(sum, value);
        }
        return sum;
    }

    /** The whole from the device, each part to its owner, and the last amount to rounding. */
    private void post(Unit unit, long whole, long[] amounts, List<Posting> into) {
        if (whole != 0) {
            into.add(new Posting(Account.DEVICE, window.device(), "", Kind.WHOLE, unit, -whole));
        }
        for (int i = 0; i < parts.size(); i++) {
            if (amounts[i] != 0) {
                Part part = parts.get(i);
                into.add(new Posting(part.account(), part.party(), part.request(), part.kind(), unit, amounts[i]));
            }
        }
        if (amounts[parts.size()] != 0) {
            into.add(new Posting(Account.ROUNDING, window.device(), "", Kind.REMAINDER, unit, amounts[parts.size()]));
        }
    }
}
