package dev.jeton.accounting;

import java.math.BigDecimal;
import java.util.ArrayList;
import java.util.Comparator;
import java.util.HashMap;
import java.util.List;
import java.util.Map;
import java.util.NavigableMap;
import java.util.Optional;
import java.util.TreeMap;
import java.util.stream.Collectors;

/** Compares an invoice with hours of the books, device by device. Made for one invoice and thrown away. */
final class Reconciler {

    private final Invoice invoice;
    private final Reconciliation.Question question;
    private final List<DeviceCosts.Device> devices;
    private final Map<DeviceCosts.Device, List<Invoice.Charge>> billed = new HashMap<>();
    private final Map<String, Reconciliation.Unknown> unknown = new TreeMap<>();
    private int outside;

    /**
     * Finds out which device each line bills.
     *
     * @param devices all that the books have
     * @throws AccountingException where a line lies in the time asked for in part, or a name is that of several devices
     *     or, though it was given by the question, of none
     */
    Reconciler(Invoice invoice, Reconciliation.Question question, List<DeviceCosts.Device> devices) {
        this.invoice = invoice;
        this.question = question;
        this.devices = devices;
        Map<String, Optional<DeviceCosts.Device>> found = new HashMap<>();
        for (Invoice.Charge line : invoice.lines()) {
            Optional<Period> asked = question.time();
            if (asked.isPresent() && !line.period().overlaps(asked.get())) {
                outside++;
                continue;
            }
            asked.ifPresent(time -> requireWithin(line, time));
            found.computeIfAbsent(line.resource(), this::device)
                    .ifPresentOrElse(
                            device -> billed.computeIfAbsent(device, added -> new ArrayList<>())
                                    .add(line),
                            () -> unknown(line));
        }
    }

    /** The time to compare: what was asked for, or from the first moment for which a device is billed to the last. */
    Period time() {
        return question.time().orElseGet(() -> {
            List<Invoice.Charge> lines =
                    billed.values().stream().flatMap(List::stream).toList();
            return hull(lines.isEmpty() ? invoice.lines() : lines);
        });
    }

    private static Period hull(List<Invoice.Charge> lines) {
        long from = Long.MAX_VALUE;
        long until = Long.MIN_VALUE;
        for (Invoice.Charge line : lines) {
            from = Math.min(from, line.period().from());
            until = Math.max(until, line.period().until());
        }
        return new Period(from, until);
    }

    /**
     * Compares.
     *
     * @param costs what devices cost in the hours of {@link #time}
     */
    Reconciliation compare(List<DeviceCost> costs) {
        Map<DeviceCosts.Device, NavigableMap<Long, DeviceCost>> hours = new HashMap<>();
        for (DeviceCost cost : costs) {
            hours.computeIfAbsent(new DeviceCosts.Device(cost.node(), cost.device()), added -> new TreeMap<>())
                    .put(cost.hour(), cost);
        }
        List<Reconciliation.Compared> compared = new ArrayList<>();
        Period time = time();
        for (DeviceCosts.Device device : devices) {
            compare(device, hours.getOrDefault(device, new TreeMap<>()), time, compared);
        }
        return new Reconciliation(invoice.currency(), compared, List.copyOf(unknown.values()), outside);
    }

    private static void requireWithin(Invoice.Charge line, Period time) {
        if (line.period().from() < time.from() || line.period().until() > time.until()) {
            throw new AccountingException(("line %d is from %s to %s, and only a part of that is in the time asked for"
                            + " (%s to %s): ask for a time that holds the whole line")
                    .formatted(
                            line.number(),
                            Period.text(line.period().from()),
                            Period.text(line.period().until()),
                            Period.text(time.from()),
                            Period.text(time.until())));
        }
    }

    private Optional<DeviceCosts.Device> device(String resource) {
        String name = question.devices().getOrDefault(resource, resource);
        List<DeviceCosts.Device> found =
                devices.stream().filter(device -> device.text().equals(name)).toList();
        if (found.isEmpty()) {
            found = devices.stream()
                    .filter(device -> device.name().equals(name))
                    .toList();
        }
        if (found.size() > 1) {
            throw new AccountingException("device '%s' is on several nodes; say which the invoice's '%s' is: %s"
                    .formatted(name, resource, names(found)));
        }
        if (found.isEmpty() && question.devices().containsKey(resource)) {
            throw new AccountingException(
                    "the books have no device '%s', which the invoice's '%s' is said to be; they have: %s"
                            .formatted(name, resource, names(devices)));
        }
        return found.stream().findFirst();
    }

    private static String names(List<DeviceCosts.Device> some) {
        return some.stream().map(DeviceCosts.Device::text).collect(Collectors.joining(", "));
    }

    private void unknown(Invoice.Charge line) {
        unknown.merge(
                line.resource(),
                new Reconciliation.Unknown(line.resource(), 1, line.amount()),
                (a, b) -> new Reconciliation.Unknown(
                        a.resource(), a.lines() + b.lines(), a.invoiced().add(b.invoiced())));
    }

    /** Adds what there is to say of one device: joins periods that one line spans, and takes the others one by one. */
    private void compare(
            DeviceCosts.Device device,
            NavigableMap<Long, DeviceCost> hours,
            Period time,
            List<Reconciliation.Compared> into) {
        List<Invoice.Charge> lines = new ArrayList<>(billed.getOrDefault(device, List.of()));
        lines.sort(
                Comparator.comparingLong((Invoice.Charge line) -> line.period().from())
                        .thenComparingLong(Invoice.Charge::number));
        int next = 0;
        for (long at = time.from(); at < time.until(); ) {
            long until = end(at, time);
            List<Invoice.Charge> here = new ArrayList<>();
            while (next < lines.size() && lines.get(next).period().from() < until) {
                here.add(lines.get(next));
                until = Math.max(until, end(lines.get(next).period().until() - 1, time));
                next++;
            }
            Period period = new Period(at, until);
            NavigableMap<Long, DeviceCost> used = hours.subMap(Periods.hour(at), true, until, false);
            if (!here.isEmpty() || used.values().stream().anyMatch(hour -> hour.money() != 0)) {
                into.add(compare(device, period, here, used));
            }
            at = until;
        }
    }

    private long end(long at, Period time) {
        long end = switch (question.span()) {
            case DAY -> Period.named(Period.day(at)).until();
            case MONTH -> Period.named(Period.month(at)).until();
            case ALL -> time.until();
        };
        return Math.min(end, time.until());
    }

    private static Reconciliation.Compared compare(
            DeviceCosts.Device device,
            Period period,
            List<Invoice.Charge> lines,
            NavigableMap<Long, DeviceCost> hours) {
        NavigableMap<Long, Long> covered = covered(lines);
        long booked = 0;
        long missing = 0;
        int missingHours = 0;
        long nanos = 0;
        for (DeviceCost hour : hours.values()) {
            Map.Entry<Long, Long> before = covered.floorEntry(hour.hour() + Periods.HOUR - 1);
            if (before != null && before.getValue() > hour.hour()) {
                booked = Money.add(booked, hour.money());
                nanos = Money.add(nanos, hour.nanos());
            } else if (hour.money() != 0) {
                missing = Money.add(missing, hour.money());
                missingHours++;
            }
        }
        List<Reconciliation.Overlap> overlaps = overlaps(lines);
        return new Reconciliation.Compared(
                device.node(),
                device.name(),
                period,
                lines.size(),
                lines.stream().map(Invoice.Charge::amount).reduce(BigDecimal.ZERO, BigDecimal::add),
                Money.decimal(booked),
                covered.entrySet().stream()
                        .mapToLong(span -> span.getValue() - span.getKey())
                        .sum(),
                nanos,
                missingHours,
                Money.decimal(missing),
                overlaps.subList(0, Math.min(overlaps.size(), Reconciliation.MAX_OVERLAPS)),
                overlaps.size());
    }

    /** The time that lines bill, without overlaps: beginnings and ends. A credit bills no time. */
    private static NavigableMap<Long, Long> covered(List<Invoice.Charge> sorted) {
        NavigableMap<Long, Long> covered = new TreeMap<>();
        for (Invoice.Charge line : sorted) {
            if (line.amount().signum() >= 0) {
                Map.Entry<Long, Long> last = covered.lastEntry();
                if (last != null && last.getValue() >= line.period().from()) {
                    covered.put(
                            last.getKey(),
                            Math.max(last.getValue(), line.period().until()));
                } else {
                    covered.put(line.period().from(), line.period().until());
                }
            }
        }
        return covered;
    }

    private record Bill(String resource, String charge) {}

    /** Lines that begin before another of the same charge has ended; that is where a time is billed twice. */
    private static List<Reconciliation.Overlap> overlaps(List<Invoice.Charge> sorted) {
        List<Reconciliation.Overlap> overlaps = new ArrayList<>();
        Map<Bill, Invoice.Charge> last = new HashMap<>();
        for (Invoice.Charge line : sorted) {
            if (line.amount().signum() <= 0) {
                continue; // a credit takes back what another line bills
            }
            Bill bill = new Bill(line.resource(), line.charge());
            Invoice.Charge before = last.get(bill);
            if (before != null && before.period().overlaps(line.period())) {
                overlaps.add(new Reconciliation.Overlap(before.number(), line.number()));
            }
            if (before == null || before.period().until() < line.period().until()) {
                last.put(bill, line);
            }
        }
        return overlaps;
    }
}
