package dev.jeton.accounting;

import java.util.ArrayList;
import java.util.List;
import java.util.Map;
import java.util.Random;
import java.util.TreeMap;

/** Facts for tests, drawn from a seeded random. */
final class Facts {

    private Facts() {}

    /** Small seeds that are near one another give first numbers that are, too; these do not. */
    static Random random(long seed) {
        return new Random(seed * 0x9e3779b97f4a7c15L);
    }

    /** Any fact. */
    static Fact any(Random random) {
        return switch (random.nextInt(12)) {
            case 0 -> new Fact.Started(number(random), text(random, 256), texts(random));
            case 1 -> new Fact.Stopped(number(random));
            case 2 ->
                new Fact.Adopted(
                        number(random),
                        pick(random, Fact.DocumentKind.values()),
                        text(random, 256),
                        text(random, 5000));
            case 3 -> opened(random, text(random, 256));
            case 4 ->
                new Fact.Granted(
                        number(random), text(random, 256), (int) number(random), number(random), number(random));
            case 5 -> closed(random, text(random, 256));
            case 6 -> window(random);
            case 7 -> new Fact.PeriodClosed(number(random), text(random, 256), taken(random));
            case 8 ->
                new Fact.TaskOpened(
                        number(random), payer(random), text(random, 256), spec(random), random.nextBoolean());
            case 9 ->
                new Fact.TaskStepped(
                        number(random),
                        payer(random),
                        text(random, 256),
                        step(random),
                        pick(random, TaskStep.State.values()),
                        number(random) >>> 1,
                        text(random, 256));
            case 10 ->
                new Fact.TaskEnded(
                        number(random),
                        text(random, 256),
                        text(random, 256),
                        pick(random, TaskOutcome.values()),
                        text(random, Fact.MAX_TEXT));
            default -> new Fact.Recosted(number(random), text(random, 256), text(random, 256), text(random, 5000));
        };
    }

    private static Payer payer(Random random) {
        return new Payer(text(random, 256), text(random, 256), text(random, 256));
    }

    private static TaskSpec spec(Random random) {
        List<TaskLimit> limits = new ArrayList<>();
        for (BudgetUnit unit : BudgetUnit.values()) {
            if (random.nextBoolean()) {
                limits.add(new TaskLimit(unit, number(random)));
            }
        }
        return new TaskSpec(text(random, 256), text(random, Fact.MAX_TEXT), number(random), limits);
    }

    private static TaskStep step(Random random) {
        return new TaskStep(
                text(random, 256),
                pick(random, TaskStep.Kind.values()),
                number(random) >>> 1,
                new Rate(random.nextLong(1_000_000_000_000_000_000L), random.nextInt(19)),
                text(random, 256),
                number(random) >>> 1,
                pick(random, TaskStep.Hit.values()),
                text(random, 256));
    }

    static Fact.Opened opened(Random random, String request) {
        Map<String, String> labels = new TreeMap<>();
        int count = random.nextInt(Fact.MAX_LABELS + 1);
        for (int i = 0; i < count; i++) {
            labels.put(text(random, 256), text(random, Fact.MAX_LABEL));
        }
        return new Fact.Opened(
                number(random),
                request,
                new Payer(text(random, 256), text(random, 256), text(random, 256)),
                text(random, 256),
                new Tags(labels, text(random, 256), text(random, 256), text(random, 256), random.nextBoolean()),
                text(random, 256),
                text(random, 256),
                1 + random.nextInt(128),
                new Zones(text(random, 256), text(random, 256)),
                pick(random, Work.values()),
                1 + random.nextInt(128),
                number(random));
    }

    /** A plain one of one sequence. */
    static Fact.Opened opened(String request) {
        return new Fact.Opened(
                1, request, Payer.UNKNOWN, "model", Map.of(), "book", "policy", 1, Zones.UNKNOWN, Work.GENERATION);
    }

    static Fact.Closed closed(Random random, String request) {
        Tokens tokens = new Tokens(number(random) >>> 1, number(random) >>> 1, number(random) >>> 1);
        return new Fact.Closed(
                number(random),
                request,
                pick(random, Fact.Outcome.values()),
                tokens,
                number(random),
                number(random),
                number(random),
                number(random),
                number(random),
                number(random),
                (int) number(random));
    }

    /** A plain one. */
    static Fact.Closed closed(String request, long output) {
        return new Fact.Closed(2, request, Fact.Outcome.COMPLETED, new Tokens(1, 0, output), 0, 0, 0, 0, 0, 0, 0);
    }

    private static Map<String, Long> taken(Random random) {
        Map<String, Long> taken = new TreeMap<>();
        for (int i = random.nextInt(5); i > 0; i--) {
            taken.put(text(random, 64), number(random));
        }
        return taken;
    }

    private static Fact.Window window(Random random) {
        List<Line> lines = new ArrayList<>();
        int count = random.nextInt(20);
        for (int i = 0; i < count; i++) {
            lines.add(new Line(
                    text(random, 256),
                    number(random),
                    number(random),
                    number(random),
                    number(random),
                    number(random),
                    number(random),
                    number(random),
                    number(random)));
        }
        List<Long> states = new ArrayList<>();
        for (int i = random.nextInt(10); i > 0; i--) {
            states.add(number(random));
        }
        return new Fact.Window(
                text(random, 256),
                number(random),
                number(random),
                number(random),
                number(random),
                states,
                number(random),
                random.nextBoolean(),
                lines);
    }

    private static <T> T pick(Random random, T[] values) {
        return values[random.nextInt(values.length)];
    }

    /** Of any magnitude and sign. */
    private static long number(Random random) {
        return random.nextLong() >> random.nextInt(64);
    }

    private static List<String> texts(Random random) {
        List<String> texts = new ArrayList<>();
        for (int i = random.nextInt(5); i > 0; i--) {
            texts.add(text(random, 256));
        }
        return texts;
    }

    /** Of characters of one to four bytes in UTF-8. */
    private static String text(Random random, int most) {
        StringBuilder text = new StringBuilder();
        int length = random.nextInt(4) == 0 ? most : random.nextInt(Math.min(most, 40));
        while (text.length() < length) {
            int point = switch (random.nextInt(4)) {
                case 0 -> 0x80 + random.nextInt(0x700);
                case 1 -> 0x4e00 + random.nextInt(0x1000);
                case 2 -> length - text.length() > 1 ? 0x1f300 + random.nextInt(0x100) : 'x';
                default -> random.nextInt(0x80);
            };
            text.appendCodePoint(point);
        }
        return text.toString();
    }
}
