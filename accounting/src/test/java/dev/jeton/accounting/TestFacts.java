package dev.jeton.accounting;

import java.time.Instant;
import java.time.temporal.ChronoUnit;
import java.util.ArrayList;
import java.util.List;
import java.util.Map;
import java.util.SplittableRandom;
import java.util.function.Function;

/** Facts as a node would journal them: windows of one device follow one another, requests open and close. */
final class TestFacts {

    static final long START = micros("2026-11-20T10:00:00Z");
    static final long SECOND = 1_000_000;
    static final String DEVICE = "gpu0";

    /** Three nano-units of money and half a microjoule a nanosecond; a money unit is always left over. */
    static final WindowCosting COSTING = TestFacts::postings;

    private static final List<String> ZONES = List.of("", "near", "far");

    static final Costings COSTINGS = (priceBook, policy) -> COSTING;

    private final List<Fact> facts = new ArrayList<>();
    private long at;
    private long nanos;
    private int requests;
    private Zones zones = Zones.UNKNOWN;
    private Work work = Work.UNKNOWN;
    private Tags tags = Tags.NONE;
    private long prompt;

    TestFacts(long at) {
        this.at = at;
    }

    static TestFacts begin() {
        return new TestFacts(START)
                .add(new Fact.Started(START, "test", List.of(DEVICE)))
                .add(new Fact.Adopted(START, Fact.DocumentKind.PRICE_BOOK, "book1", "prices: 1"))
                .add(new Fact.Adopted(START, Fact.DocumentKind.POLICY, "policy1", "policy: 1"));
    }

    static long micros(String instant) {
        return ChronoUnit.MICROS.between(Instant.EPOCH, Instant.parse(instant));
    }

    static List<FactSource.Entry> entries(List<Fact> facts, int from, int to) {
        List<FactSource.Entry> entries = new ArrayList<>();
        for (int i = from; i < to; i++) {
            entries.add(new FactSource.Entry(i + 1, facts.get(i)));
        }
        return entries;
    }

    List<Fact> facts() {
        return List.copyOf(facts);
    }

    long at() {
        return at;
    }

    TestFacts add(Fact fact) {
        facts.add(fact);
        return this;
    }

    TestFacts passing(long micros) {
        at += micros;
        return this;
    }

    /** The process dies and comes back after a while: its monotonic clock begins anew. */
    TestFacts restarted() {
        at += SECOND;
        nanos = 17;
        return add(new Fact.Started(at, "test", List.of(DEVICE)));
    }

    /** Which way answers of requests go that are opened from now on. */
    TestFacts zones(String from, String to) {
        zones = new Zones(from, to);
        return this;
    }

    /** What kind of work requests are that are opened from now on. */
    TestFacts work(Work kind) {
        work = kind;
        return this;
    }

    /** What requests are for that are opened from now on, beside their labels, and how long their prompts are. */
    TestFacts tags(String task, String promptVersion, String route, boolean fallback, long tokens) {
        tags = new Tags(Map.of(), task, promptVersion, route, fallback);
        prompt = tokens;
        return this;
    }

    TestFacts taskOpened(String tenant, String task) {
        return add(new Fact.TaskOpened(at, payer(tenant), task, TaskSpec.NONE, false));
    }

    TestFacts stepped(String tenant, String task, TaskStep step, TaskStep.State state, long overdraft) {
        return add(new Fact.TaskStepped(at, payer(tenant), task, step, state, overdraft, "book1"));
    }

    TestFacts taskEnded(String tenant, String task, TaskOutcome outcome) {
        return add(new Fact.TaskEnded(at, tenant, task, outcome, "because"));
    }

    private static Payer payer(String tenant) {
        return new Payer(tenant, "project-" + tenant, "key-" + tenant);
    }

    static TaskStep step(String id, TaskStep.Kind kind, long list) {
        return new TaskStep(id, kind, list, Rate.ZERO, "", 0, TaskStep.Hit.UNKNOWN, "");
    }

    TestFacts opened(String id, String tenant, Map<String, String> labels) {
        return add(new Fact.Opened(
                at,
                id,
                payer(tenant),
                "model",
                new Tags(labels, tags.task(), tags.promptVersion(), tags.route(), tags.fallback()),
                "book1",
                "policy1",
                1,
                zones,
                work,
                1,
                prompt));
    }

    TestFacts granted(String id, long total) {
        return add(new Fact.Granted(at, id, 0, total, 0));
    }

    TestFacts closed(String id, Fact.Outcome outcome, long list, long totalNanos) {
        return add(new Fact.Closed(at, id, outcome, new Tokens(10, 20, 30), 400, list, list / 7, 5, 6, totalNanos, 0));
    }

    /** A window of one second in which each request got some prefill, decode and waste. */
    TestFacts window(String... users) {
        List<Line> lines = new ArrayList<>();
        long used = 0;
        for (int i = 0; i < users.length; i++) {
            Line line = new Line(users[i], 1_000 + i, 2_000, 300, 40, 5, 700, 80, 90);
            used += line.nanos();
            lines.add(line);
        }
        return window(lines, used);
    }

    private TestFacts window(List<Line> lines, long used) {
        long length = SECOND * 1_000;
        List<Long> states = List.of(used, 100L, 200L, length - used - 600, 100L, 100L, 100L);
        add(new Fact.Window(DEVICE, at, at + SECOND, nanos, nanos + length, states, 5_000, true, List.copyOf(lines)));
        at += SECOND;
        nanos += length;
        return this;
    }

    /** What happens in the life of a server, at random; tenants, labels and outcomes vary, everything balances. */
    static List<Fact> random(SplittableRandom random, String node, int count) {
        TestFacts facts = begin();
        RandomTasks tasks = new RandomTasks(random, facts, node);
        List<String> open = new ArrayList<>();
        while (facts.facts.size() < count) {
            int what = random.nextInt(100);
            if (what < 20) {
                String id = node + "-" + facts.requests++;
                facts.zones(random.nextInt(3) == 0 ? "" : "here", ZONES.get(random.nextInt(ZONES.size())));
                facts.work(Work.values()[facts.requests % Work.values().length]);
                String tenant = "tenant" + random.nextInt(3);
                tasks.tag(tenant);
                facts.opened(id, tenant, Map.of("task", "t" + random.nextInt(4)));
                open.add(id);
            } else if (what < 40 && !open.isEmpty()) {
                facts.granted(open.get(random.nextInt(open.size())), 1 + random.nextInt(500));
            } else if (what < 58 && !open.isEmpty()) {
                String id = open.remove(random.nextInt(open.size()));
                Fact.Outcome[] outcomes = Fact.Outcome.values();
                facts.closed(
                        id, outcomes[random.nextInt(outcomes.length)], random.nextInt(1000), random.nextInt(1, 9999));
            } else if (what < 96) {
                List<String> users = new ArrayList<>(open);
                while (users.size() > 5) {
                    users.remove(random.nextInt(users.size()));
                }
                facts.window(users.toArray(String[]::new));
                facts.passingWindows(random.nextInt(4) == 0 ? random.nextInt(1, 3000) : 0);
                tasks.happen();
            } else if (what < 98) {
                facts.restarted();
            } else {
                int version = random.nextInt(1, 4);
                facts.add(new Fact.Adopted(
                        facts.at, Fact.DocumentKind.PRICE_BOOK, "book" + version, "prices: " + version));
            }
        }
        return facts.facts();
    }

    /** An idle window that is long. */
    private void passingWindows(int seconds) {
        if (seconds > 0) {
            long length = seconds * SECOND * 1_000;
            add(new Fact.Window(
                    DEVICE,
                    at,
                    at + seconds * SECOND,
                    nanos,
                    nanos + length,
                    List.of(0L, 0L, 0L, length),
                    5_000,
                    false,
                    List.of()));
            at += seconds * SECOND;
            nanos += length;
        }
    }

    private static List<Posting> postings(Fact.Window window, Function<String, Payer> payers) {
        List<Posting> postings = new ArrayList<>();
        long whole = window.toNanos() - window.fromNanos();
        both(postings, Posting.Account.DEVICE, window.device(), "", Posting.Kind.WHOLE, -whole);
        long left = whole;
        for (Line line : window.lines()) {
            String tenant = payers.apply(line.request()).tenant();
            both(postings, Posting.Account.TENANT, tenant, line.request(), Posting.Kind.PREFILL, line.prefill());
            both(postings, Posting.Account.TENANT, tenant, line.request(), Posting.Kind.DECODE, line.decode());
            both(postings, Posting.Account.TENANT, tenant, line.request(), Posting.Kind.CANCELLED, line.cancelled());
            both(postings, Posting.Account.HOUSE, "", line.request(), Posting.Kind.RECOMPUTE, line.recompute());
            both(postings, Posting.Account.HOUSE, "", line.request(), Posting.Kind.OVERRUN, line.overrun());
            left -= line.nanos();
        }
        long idle = window.states().get(3);
        both(postings, Posting.Account.IDLE, "", "", Posting.Kind.STATE, idle);
        both(postings, Posting.Account.OVERHEAD, "", "", Posting.Kind.STATE, left - idle);
        money(postings, Posting.Account.DEVICE, window.device(), Posting.Kind.WHOLE, -1);
        money(postings, Posting.Account.ROUNDING, "", Posting.Kind.REMAINDER, 1);
        return postings;
    }

    private static void both(
            List<Posting> postings,
            Posting.Account account,
            String party,
            String request,
            Posting.Kind kind,
            long nanos) {
        postings.add(new Posting(account, party, request, kind, Posting.Unit.NANOS, nanos));
        postings.add(new Posting(account, party, request, kind, Posting.Unit.MONEY, 3 * nanos));
    }

    private static void money(
            List<Posting> postings, Posting.Account account, String party, Posting.Kind kind, long amount) {
        postings.add(new Posting(account, party, "", kind, Posting.Unit.MONEY, amount));
    }
}
