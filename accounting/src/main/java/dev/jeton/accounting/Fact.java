package dev.jeton.accounting;

import java.util.List;
import java.util.Map;

/**
 * What the journal holds: things that happened, in the order in which they became durable. Everything else in the books
 * (postings, rollups, reports) is computed from facts and can be computed again.
 *
 * <p>Times are microseconds since 1970-01-01T00:00:00Z. They come from one monotonic clock anchored once at start, so
 * they never step back within a run. Money is in nano-units of the price book's currency. Durations are nanoseconds.
 */
public sealed interface Fact {

    /** Most characters of a name, an id or a version. */
    int MAX_NAME = 256;
    /** Most labels of a request. */
    int MAX_LABELS = 16;
    /** Most characters of a label's value. */
    int MAX_LABEL = 256;
    /** Most characters of a text that says something of a task. */
    int MAX_TEXT = 1_024;
    /** Most nodes that share a ledger. */
    int MAX_NODES = 4_096;
    /** Most lines of a window; a meter closes its window early rather than pass it. */
    int MAX_LINES = 65_536;

    /** When it happened. */
    long at();

    /** What a document of a certain version says; names are given to it by its content. */
    enum DocumentKind {
        /** Prices. */
        PRICE_BOOK,
        /** Who pays what, and what is billed after a crash. */
        POLICY,
        /** A model's step-time coefficients, by which attribution was done. */
        COEFFICIENTS
    }

    /** How a request ended. */
    enum Outcome {
        /** Delivered whole. */
        COMPLETED,
        /** The client hung up, or did not read. */
        CANCELLED,
        /** The server ended it: drain, deadline. */
        STOPPED,
        /** The engine or the server failed. */
        FAILED,
        /** The process died while it ran; found at the next start. */
        ABORTED
    }

    /**
     * The process began to keep books.
     *
     * @param devices device groups whose windows follow
     */
    record Started(long at, String version, List<String> devices) implements Fact {
        /** With a list of its own. */
        public Started {
            devices = List.copyOf(devices);
        }
    }

    /** The process ended in good order: nothing was in flight. */
    record Stopped(long at) implements Fact {}

    /**
     * A document came into force.
     *
     * @param version the first 16 hexadecimal digits of the SHA-256 of the content
     */
    record Adopted(long at, DocumentKind kind, String version, String content) implements Fact {}

    /**
     * A request was admitted to the books, before any work for it.
     *
     * @param request its id, unique in the ledger
     * @param payer who pays
     * @param model the served model's name
     * @param tags what the caller says that it is for
     * @param priceBook version of the price book in force
     * @param policy version of the policy in force
     * @param sequences continuations asked for
     * @param zones which way its answer goes, by which its bytes are priced
     * @param work what kind of work it is, by which its tokens are priced
     * @param prompts how many prompts it has
     * @param prompt tokens of all its prompts together; 0 in facts of versions that did not say
     */
    record Opened(
            long at,
            String request,
            Payer payer,
            String model,
            Tags tags,
            String priceBook,
            String policy,
            int sequences,
            Zones zones,
            Work work,
            int prompts,
            long prompt)
            implements Fact {
        /** Of a request of one prompt with labels alone, whose length nobody said. */
        public Opened(
                long at,
                String request,
                Payer payer,
                String model,
                Map<String, String> labels,
                String priceBook,
                String policy,
                int sequences,
                Zones zones,
                Work work) {
            this(at, request, payer, model, Tags.labels(labels), priceBook, policy, sequences, zones, work, 1, 0);
        }

        /** The caller's free tags. */
        public Map<String, String> labels() {
            return tags.labels();
        }
    }

    /**
     * Tokens that a sequence may compute and deliver.
     *
     * @param sequence which of the request's sequences; -1 for all of them together
     * @param total all tokens granted to it until now
     * @param confirmed tokens of the whole request that were on their way to the client for certain: the system had
     *     them to send, so that not even the process's death could keep them back
     */
    record Granted(long at, String request, int sequence, long total, long confirmed) implements Fact {}

    /**
     * A request ended and what it used is known.
     *
     * @param tokens what is priced by the list
     * @param egressBytes bytes of the answer's body
     * @param list list money of the tokens in nano-units, by the price book named when it was opened
     * @param egress list money of the bytes in nano-units, by the same book and the zones named then: owed beside
     *     {@code list}
     * @param queueNanos from submit to the first step
     * @param firstTokenNanos from submit to the first token; 0 where there was none
     * @param totalNanos from submit to the end
     * @param retries the attempt's number as SDKs count, 0 for the first
     */
    record Closed(
            long at,
            String request,
            Outcome outcome,
            Tokens tokens,
            long egressBytes,
            long list,
            long egress,
            long queueNanos,
            long firstTokenNanos,
            long totalNanos,
            int retries)
            implements Fact {}

    /**
     * Where one device group's time went, and to whom. Windows of a device follow one another without gap or overlap;
     * the lines' nanoseconds sum to the time in {@code STEP}.
     *
     * @param device the device group
     * @param from when it began; where the window before ended
     * @param at when it ended
     * @param fromNanos when it began on the process's monotonic clock
     * @param toNanos when it ended on that clock
     * @param states nanoseconds by {@code DeviceState.ordinal()}
     * @param joules energy of the device in the window, in microjoules
     * @param measured whether energy was measured rather than modelled
     * @param lines by request
     */
    record Window(
            String device,
            long from,
            long at,
            long fromNanos,
            long toNanos,
            List<Long> states,
            long joules,
            boolean measured,
            List<Line> lines)
            implements Fact {
        /** With lists of its own. */
        public Window {
            states = List.copyOf(states);
            lines = List.copyOf(lines);
        }
    }

    /**
     * A period was frozen: facts about it that come later become corrections in the period in which they come,
     * whichever node of the ledger has them.
     *
     * @param period a month as {@code 2026-11}, a day as {@code 2026-11-20}
     * @param taken how far the ledger was with each node's facts then, by node: should it be projected again, those
     *     count as come before
     */
    record PeriodClosed(long at, String period, Map<String, Long> taken) implements Fact {
        /** With a map of its own, sorted. */
        public PeriodClosed {
            taken = java.util.Collections.unmodifiableMap(new java.util.TreeMap<>(taken));
        }

        /** Of a ledger that could not be asked. */
        public PeriodClosed(long at, String period) {
            this(at, period, Map.of());
        }
    }

    /**
     * A period is costed by another price book: the money of its windows, whichever node's and whenever they come, is
     * divided by that. What was posted before is reversed. Of several such facts about a moment the last holds, by
     * {@code at}.
     *
     * @param period a month as {@code 2026-11}, a day as {@code 2026-11-20}
     * @param priceBook the version, as in {@link Adopted}
     * @param content the book, so that the journal alone is enough to cost by it
     */
    record Recosted(long at, String period, String priceBook, String content) implements Fact {}

    /**
     * A task began: opened by its tenant, or by the first request that named it.
     *
     * @param payer who opened it
     * @param task its id, the tenant's own: the same id of two tenants is two tasks
     * @param implicit whether a request began it, without anything said
     */
    record TaskOpened(long at, Payer payer, String task, TaskSpec spec, boolean implicit) implements Fact {}

    /**
     * A step of a task was reserved, done or given up. Of several such facts about a step the last holds.
     *
     * @param payer who reported it
     * @param task the task's id
     * @param step what it was; of one that was given up, what had been reserved
     * @param state how far it is
     * @param overdraft of a step that was done, by how much its cost passes what was reserved for it, in nano-units
     * @param priceBook version of the book in force, in whose currency its money is
     */
    record TaskStepped(
            long at, Payer payer, String task, TaskStep step, TaskStep.State state, long overdraft, String priceBook)
            implements Fact {}

    /**
     * A task ended: it takes no more requests.
     *
     * @param tenant whose task
     * @param task its id
     * @param why in the tenant's words; empty where nobody says
     */
    record TaskEnded(long at, String tenant, String task, TaskOutcome outcome, String why) implements Fact {}
}
