package dev.jeton.accounting;

/** One file of the journal. Changed by the writer only; any thread reads. */
final class Segment {

    private final JournalFormat.Name name;
    private final long previous;
    private volatile long last;
    private volatile long end;

    Segment(JournalFormat.Name name, long previous, long last, long end) {
        this.name = name;
        this.previous = previous;
        this.last = last;
        this.end = end;
    }

    /** Its file. */
    String name() {
        return name.text();
    }

    /** How many files of the same first number were given up before it. */
    int attempt() {
        return name.attempt();
    }

    /** Its first sequence number. */
    long first() {
        return name.first();
    }

    /** The last sequence number in segments before it. */
    long previous() {
        return previous;
    }

    /** Its last durable sequence number; below {@link #first} while there is none. */
    long last() {
        return last;
    }

    /** Where its durable records end. */
    long end() {
        return end;
    }

    void advance(long newLast, long newEnd) {
        end = newEnd;
        last = newLast;
    }

    boolean empty() {
        return last < name.first();
    }
}
