package dev.jeton.accounting;

import dev.jeton.accounting.Fact.DocumentKind;
import dev.jeton.accounting.Fact.Outcome;
import java.nio.ByteBuffer;
import java.util.ArrayList;
import java.util.List;
import java.util.Map;
import java.util.TreeMap;

/**
 * Facts as bytes: version, kind, then the fields in the order in which the records declare them. Numbers are variable
 * in length and signed, texts are UTF-8 with their length. Enum constants go by ordinal, so they may only ever be
 * appended; so may kinds. Another order of fields is another {@link #VERSION}.
 */
final class FactCodec {

    /** What is written; older ones are read. */
    static final int VERSION = 6;
    /** The first that says in a grant what was confirmed. */
    private static final int CONFIRMING = 2;
    /** The first that says which way an answer goes and what its bytes cost. */
    private static final int ZONED = 3;
    /** The first that says what kind of work a request is. */
    private static final int WORKED = 4;
    /** The first that says of a close how far other nodes were. */
    private static final int SHARED = 5;
    /** The first that says of a request which task it is part of, and how long its prompt is. */
    private static final int TAGGED = 6;
    /** Most bytes of an encoded fact. */
    static final int MAX_BYTES = 16 << 20;
    /** Most characters of a document. */
    static final int MAX_DOCUMENT = 1 << 20;
    /** Most device groups of a process. */
    static final int MAX_DEVICES = 1024;
    /** Most states of a device. */
    static final int MAX_STATES = 64;

    private static final int STARTED = 1;
    private static final int STOPPED = 2;
    private static final int ADOPTED = 3;
    private static final int OPENED = 4;
    private static final int GRANTED = 5;
    private static final int CLOSED = 6;
    private static final int WINDOW = 7;
    private static final int PERIOD_CLOSED = 8;
    private static final int RECOSTED = 9;
    private static final int TASK_OPENED = 10;
    private static final int TASK_STEPPED = 11;
    private static final int TASK_ENDED = 12;

    private static final DocumentKind[] DOCUMENT_KINDS = DocumentKind.values();
    private static final Outcome[] OUTCOMES = Outcome.values();
    private static final Work[] WORKS = Work.values();

    private FactCodec() {}

    /**
     * Encodes a fact.
     *
     * @throws AccountingException if it passes a bound of {@link Fact} or of this class
     */
    static byte[] encode(Fact fact) {
        WireWriter out = new WireWriter();
        out.octet(VERSION);
        switch (fact) {
            case Fact.Started f -> started(out, f);
            case Fact.Stopped f -> head(out, STOPPED, f.at());
            case Fact.Adopted f -> adopted(out, f);
            case Fact.Opened f -> opened(out, f);
            case Fact.Granted f -> granted(out, f);
            case Fact.Closed f -> closed(out, f);
            case Fact.Window f -> window(out, f);
            case Fact.PeriodClosed f -> {
                head(out, PERIOD_CLOSED, f.at());
                name(out, "a period", f.period());
                out.count("nodes", f.taken().size(), Fact.MAX_NODES);
                f.taken().forEach((node, sequence) -> {
                    name(out, "a node's id", node);
                    out.number(sequence);
                });
            }
            case Fact.Recosted f -> {
                head(out, RECOSTED, f.at());
                name(out, "a period", f.period());
                name(out, "a price book's version", f.priceBook());
                out.text("a price book", f.content(), MAX_DOCUMENT);
            }
            case Fact.TaskOpened f -> {
                head(out, TASK_OPENED, f.at());
                TaskCodec.opened(out, f);
            }
            case Fact.TaskStepped f -> {
                head(out, TASK_STEPPED, f.at());
                TaskCodec.stepped(out, f);
            }
            case Fact.TaskEnded f -> {
                head(out, TASK_ENDED, f.at());
                TaskCodec.ended(out, f);
            }
        }
        return out.toBytes();
    }

    /**
     * Decodes a fact; all bytes that remain are its own.
     *
     * @throws AccountingException if they are no fact that this version knows
     */
    static Fact decode(ByteBuffer bytes) {
        WireReader in = new WireReader(bytes);
        int version = in.octet();
        if (version < 1 || version > VERSION) {
            throw WireReader.damaged("it has version %d, this program knows 1 to %d".formatted(version, VERSION));
        }
        int kind = in.octet();
        long at = in.number();
        Fact fact = switch (kind) {
            case STARTED -> started(in, at);
            case STOPPED -> new Fact.Stopped(at);
            case ADOPTED -> new Fact.Adopted(at, in.constant(DOCUMENT_KINDS), name(in), in.text(MAX_DOCUMENT));
            case OPENED -> opened(in, at, version);
            case GRANTED ->
                new Fact.Granted(at, name(in), in.small(), in.number(), version < CONFIRMING ? 0 : in.number());
            case CLOSED -> closed(in, at, version);
            case WINDOW -> window(in, at);
            case PERIOD_CLOSED -> closedPeriod(in, at, version);
            case TASK_OPENED -> TaskCodec.opened(in, at);
            case TASK_STEPPED -> TaskCodec.stepped(in, at);
            case TASK_ENDED -> TaskCodec.ended(in, at);
            case RECOSTED -> new Fact.Recosted(at, name(in), name(in), in.text(MAX_DOCUMENT));
            default -> throw WireReader.damaged("it is of kind " + kind + ", which this program does not know");
        };
        in.end();
        return fact;
    }

    private static Fact closedPeriod(WireReader in, long at, int version) {
        String period = name(in);
        if (version < SHARED) {
            return new Fact.PeriodClosed(at, period);
        }
        int count = in.count(Fact.MAX_NODES);
        Map<String, Long> taken = new TreeMap<>();
        for (int i = 0; i < count; i++) {
            taken.put(name(in), in.number());
        }
        return new Fact.PeriodClosed(at, period, taken);
    }

    private static void head(WireWriter out, int kind, long at) {
        out.octet(kind);
        out.number(at);
    }

    private static void name(WireWriter out, String what, String value) {
        out.text(what, value, Fact.MAX_NAME);
    }

    private static String name(WireReader in) {
        return in.text(Fact.MAX_NAME);
    }

    private static void started(WireWriter out, Fact.Started f) {
        head(out, STARTED, f.at());
        name(out, "a version", f.version());
        out.count("devices", f.devices().size(), MAX_DEVICES);
        for (String device : f.devices()) {
            name(out, "a device's name", device);
        }
    }

    private static Fact started(WireReader in, long at) {
        String version = name(in);
        int count = in.count(MAX_DEVICES);
        List<String> devices = new ArrayList<>();
        for (int i = 0; i < count; i++) {
            devices.add(name(in));
        }
        return new Fact.Started(at, version, devices);
    }

    private static void adopted(WireWriter out, Fact.Adopted f) {
        head(out, ADOPTED, f.at());
        out.octet(f.kind().ordinal());
        name(out, "a document's version", f.version());
        out.text("a document", f.content(), MAX_DOCUMENT);
    }

    private static void opened(WireWriter out, Fact.Opened f) {
        head(out, OPENED, f.at());
        name(out, "a request's id", f.request());
        name(out, "a tenant's id", f.payer().tenant());
        name(out, "a project's id", f.payer().project());
        name(out, "a key's id", f.payer().key());
        name(out, "a model's name", f.model());
        out.count("labels", f.labels().size(), Fact.MAX_LABELS);
        for (Map.Entry<String, String> label : f.labels().entrySet()) {
            name(out, "a label's name", label.getKey());
            out.text("a label's value", label.getValue(), Fact.MAX_LABEL);
        }
        name(out, "a price book's version", f.priceBook());
        name(out, "a policy's version", f.policy());
        out.number(f.sequences());
        name(out, "a zone's name", f.zones().from());
        name(out, "a zone's name", f.zones().to());
        out.octet(f.work().ordinal());
        name(out, "a task's id", f.tags().task());
        name(out, "a prompt's version", f.tags().promptVersion());
        name(out, "a route", f.tags().route());
        out.octet(f.tags().fallback() ? 1 : 0);
        out.number(f.prompts());
        out.number(f.prompt());
    }

    private static Fact opened(WireReader in, long at, int version) {
        String request = name(in);
        Payer payer = new Payer(name(in), name(in), name(in));
        String model = name(in);
        int count = in.count(Fact.MAX_LABELS);
        Map<String, String> labels = new TreeMap<>();
        for (int i = 0; i < count; i++) {
            labels.put(name(in), in.text(Fact.MAX_LABEL));
        }
        String priceBook = name(in);
        String policy = name(in);
        int sequences = in.small();
        Zones zones = version < ZONED ? Zones.UNKNOWN : new Zones(name(in), name(in));
        Work work = version < WORKED ? Work.UNKNOWN : in.constant(WORKS);
        boolean tagged = version >= TAGGED;
        Tags tags = tagged ? new Tags(labels, name(in), name(in), name(in), in.flag()) : Tags.labels(labels);
        int prompts = tagged ? in.small() : 1;
        long prompt = tagged ? in.number() : 0;
        return new Fact.Opened(
                at, request, payer, model, tags, priceBook, policy, sequences, zones, work, prompts, prompt);
    }

    private static void granted(WireWriter out, Fact.Granted f) {
        head(out, GRANTED, f.at());
        name(out, "a request's id", f.request());
        out.number(f.sequence());
        out.number(f.total());
        out.number(f.confirmed());
    }

    private static void closed(WireWriter out, Fact.Closed f) {
        head(out, CLOSED, f.at());
        name(out, "a request's id", f.request());
        out.octet(f.outcome().ordinal());
        out.number(f.tokens().input());
        out.number(f.tokens().cached());
        out.number(f.tokens().output());
        out.number(f.egressBytes());
        out.number(f.list());
        out.number(f.egress());
        out.number(f.queueNanos());
        out.number(f.firstTokenNanos());
        out.number(f.totalNanos());
        out.number(f.retries());
    }

    private static Fact closed(WireReader in, long at, int version) {
        String request = name(in);
        Outcome outcome = in.constant(OUTCOMES);
        long input = in.number();
        long cached = in.number();
        long output = in.number();
        if (input < 0 || cached < 0 || output < 0) {
            throw WireReader.damaged("it counts tokens below zero");
        }
        Tokens tokens = new Tokens(input, cached, output);
        return new Fact.Closed(
                at,
                request,
                outcome,
                tokens,
                in.number(),
                in.number(),
                version < ZONED ? 0 : in.number(),
                in.number(),
                in.number(),
                in.number(),
                in.small());
    }

    private static void window(WireWriter out, Fact.Window f) {
        head(out, WINDOW, f.at());
        name(out, "a device's name", f.device());
        out.number(f.from());
        out.number(f.fromNanos());
        out.number(f.toNanos());
        out.count("states", f.states().size(), MAX_STATES);
        for (long state : f.states()) {
            out.number(state);
        }
        out.number(f.joules());
        out.octet(f.measured() ? 1 : 0);
        out.count("lines", f.lines().size(), Fact.MAX_LINES);
        for (Line line : f.lines()) {
            name(out, "a request's id", line.request());
            out.number(line.prefill());
            out.number(line.decode());
            out.number(line.recompute());
            out.number(line.overrun());
            out.number(line.cancelled());
            out.number(line.saved());
            out.number(line.kvByteSeconds());
            out.number(line.joules());
        }
    }

    private static Fact window(WireReader in, long at) {
        String device = name(in);
        long from = in.number();
        long fromNanos = in.number();
        long toNanos = in.number();
        int stateCount = in.count(MAX_STATES);
        List<Long> states = new ArrayList<>();
        for (int i = 0; i < stateCount; i++) {
            states.add(in.number());
        }
        long joules = in.number();
        boolean measured = in.flag();
        int lineCount = in.count(Fact.MAX_LINES);
        List<Line> lines = new ArrayList<>();
        for (int i = 0; i < lineCount; i++) {
            lines.add(new Line(
                    name(in),
                    in.number(),
                    in.number(),
                    in.number(),
                    in.number(),
                    in.number(),
                    in.number(),
                    in.number(),
                    in.number()));
        }
        return new Fact.Window(device, from, at, fromNanos, toNanos, states, joules, measured, lines);
    }
}
