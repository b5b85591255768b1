package dev.jeton.server.admin;

import java.util.ArrayList;
import java.util.List;

/** Where some lines of the audit log begin, one in {@link #EVERY}, so that a page is read without what is before it. */
final class AuditIndex {

    /** Lines between two that are remembered. */
    static final int EVERY = 64;

    /**
     * A line that is remembered.
     *
     * @param sequence its number
     * @param position its first byte
     * @param previous SHA-256 of the line before it
     */
    record Mark(long sequence, long position, String previous) {}

    private final List<Mark> marks = new ArrayList<>();

    /** Says where a line begins; called for each in turn. */
    void add(long sequence, long position, String previous) {
        if ((sequence - 1) % EVERY == 0) {
            marks.add(new Mark(sequence, position, previous));
        }
    }

    /** The last line that is remembered and not after a number; there must be one line at least. */
    Mark before(long sequence) {
        return marks.get((int) Math.min(marks.size() - 1L, (sequence - 1) / EVERY));
    }
}
