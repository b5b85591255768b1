package dev.jeton.accounting;

import dev.jeton.scheduler.DeviceState;
import java.util.ArrayList;
import java.util.List;
import java.util.Random;

/** Windows for tests. */
final class Windows {

    static final long START = 1_763_625_600_000_000L;

    private Windows() {}

    /** A window of one device whose clock and states agree. */
    static Fact.Window of(String device, long from, long joules, List<Long> states, List<Line> lines) {
        long nanos = states.stream().mapToLong(Long::longValue).sum();
        return new Fact.Window(device, from, from + nanos / 1_000, 7, 7 + nanos, states, joules, true, lines);
    }

    static List<Long> states(long step, long copy, long stalled, long idle) {
        return List.of(step, copy, stalled, idle, 0L, 0L, 0L);
    }

    /** A line of useful work. */
    static Line line(String request, long prefill, long decode) {
        return new Line(request, prefill, decode, 0, 0, 0, 0, 0, 0);
    }

    /** Whatever can happen in a window, of a few nanoseconds or of years. */
    static Fact.Window random(Random random, String device, long from) {
        int bits = 1 + random.nextInt(50);
        List<Line> lines = new ArrayList<>();
        long step = 0;
        long energy = 0;
        int count = random.nextInt(6);
        for (int i = 0; i < count; i++) {
            long joules = random.nextInt(3) == 0 ? amount(random, 40) : 0;
            Line line = new Line(
                    random.nextInt(10) == 0 ? "" : "r" + random.nextInt(8),
                    amount(random, bits),
                    amount(random, bits),
                    amount(random, bits),
                    amount(random, bits),
                    amount(random, bits),
                    amount(random, bits),
                    amount(random, 60),
                    joules);
            lines.add(line);
            step += line.nanos();
            energy += joules;
        }
        List<Long> states = new ArrayList<>();
        for (DeviceState state : DeviceState.values()) {
            states.add(state == DeviceState.STEP ? step : amount(random, bits));
        }
        return of(device, from, energy + amount(random, 44), states, lines);
    }

    private static long amount(Random random, int bits) {
        return random.nextInt(4) == 0 ? 0 : random.nextLong() >>> 64 - 1 - random.nextInt(bits);
    }

    /** A book of random prices for the device "gpu-0". */
    static PriceBook book(Random random) {
        StringBuilder text = new StringBuilder("currency: EUR\nelectricity: " + number(random, 3) + "\n");
        text.append("residency-share: ")
                .append(random.nextBoolean() ? "0" : "0." + random.nextInt(1000))
                .append('\n');
        text.append("devices:\n  - {name: gpu-*, ");
        if (random.nextBoolean()) {
            text.append("per-hour: ").append(number(random, 4));
        } else {
            text.append("purchase: ")
                    .append(number(random, 6))
                    .append(", lifetime-days: ")
                    .append(1 + random.nextInt(4_000));
            if (random.nextBoolean()) {
                text.append(", purchased: 2025-11-19");
            }
        }
        int idle = random.nextInt(200);
        text.append(", energy: extra, pue: 1.").append(random.nextInt(1_000));
        text.append(", idle-watts: ").append(idle).append(", busy-watts: ").append(idle + random.nextInt(500));
        text.append("}\n");
        if (random.nextBoolean()) {
            text.append("reservations:\n  - {tenant: t0, device: gpu-0, share: 0.3}\n");
            text.append("  - {tenant: t1, device: gpu-*, share: 0.")
                    .append(100 + random.nextInt(599))
                    .append("}\n");
        }
        return PriceBook.parse("random.yaml", text.toString());
    }

    private static String number(Random random, int digits) {
        return random.nextInt((int) Math.pow(10, 1 + random.nextInt(digits))) + "." + random.nextInt(1_000_000);
    }

    static String tenant(String request) {
        return "t" + request.charAt(request.length() - 1) % 4;
    }
}
