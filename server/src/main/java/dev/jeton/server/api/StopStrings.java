package dev.jeton.server.api;

import java.util.List;

/**
 * Finds stop strings in one sequence's text as it comes in pieces: releases text that cannot be part of one, holds back
 * text that could begin one. What is released is the same however the text was cut into pieces. Not thread-safe.
 */
final class StopStrings {

    private final List<String> stops;
    private final StringBuilder held = new StringBuilder();
    private boolean found;

    /** @param stops none empty */
    StopStrings(List<String> stops) {
        this.stops = stops;
    }

    /** Whether a stop string was found: nothing is released any more. */
    boolean found() {
        return found;
    }

    /** Whether text is held back that may begin a stop string. */
    boolean holding() {
        return !held.isEmpty();
    }

    /** Takes the next piece and appends to {@code released} what is certain now. */
    void add(String piece, StringBuilder released) {
        if (found) {
            return;
        }
        if (stops.isEmpty()) {
            released.append(piece);
            return;
        }
        held.append(piece);
        int first = firstStop();
        int certain = first >= 0 ? first : held.length() - longestBeginning();
        released.append(held, 0, certain);
        held.delete(0, certain);
        found = first >= 0;
    }

    /** The text has ended without a stop string: appends what was held back. */
    void finish(StringBuilder released) {
        if (!found) {
            released.append(held);
            held.setLength(0);
        }
    }

    /**
     * Where the stop string begins that is complete first (among several the longest), or -1. Its end decides and not
     * its beginning: a stop string within another one is seen first when the text comes character by character.
     */
    private int firstStop() {
        int start = -1;
        int end = Integer.MAX_VALUE;
        for (String stop : stops) {
            int at = held.indexOf(stop);
            int stopEnd = at + stop.length();
            if (at >= 0 && (stopEnd < end || stopEnd == end && at < start)) {
                start = at;
                end = stopEnd;
            }
        }
        return start;
    }

    /** Length of the longest end of the held text with which a stop string begins. */
    private int longestBeginning() {
        int longest = 0;
        for (String stop : stops) {
            for (int length = Math.min(stop.length() - 1, held.length()); length > longest; length--) {
                if (endsWith(stop, length)) {
                    longest = length;
                }
            }
        }
        return longest;
    }

    private boolean endsWith(String stop, int length) {
        int start = held.length() - length;
        for (int i = 0; i < length; i++) {
            if (held.charAt(start + i) != stop.charAt(i)) {
                return false;
            }
        }
        return true;
    }
}
