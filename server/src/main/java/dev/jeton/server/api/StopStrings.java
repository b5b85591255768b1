package dev.jeton.server.api;

import java.util.Arrays;
import java.util.List;

/**
 * Finds stop strings in one sequence's text as it comes in pieces: releases text that cannot be part of one, holds back
 * text that could begin one. What is released is the same however the text was cut into pieces. Not thread-safe.
 */
final class StopStrings {

    /**
     * A stop string, prepared for the search of Knuth, Morris and Pratt: each character of a text costs a bounded time
     * on average, whatever texts and stop strings clients think of. Immutable.
     */
    static final class Stop {

        private final String text;
        /** By length of a beginning, less one: its longest beginning that is also its end, but not the whole. */
        private final int[] borders;

        /** @param text not empty */
        Stop(String text) {
            this.text = text;
            borders = new int[text.length()];
            for (int i = 1; i < borders.length; i++) {
                borders[i] = next(borders[i - 1], text.charAt(i));
            }
        }

        int length() {
            return text.length();
        }

        /** How much of the stop string a text ends with, where it ended with {@code matched} of it before. */
        private int next(int matched, char next) {
            int length = matched;
            while (length > 0 && text.charAt(length) != next) {
                length = borders[length - 1];
            }
            return text.charAt(length) == next ? length + 1 : length;
        }
    }

    private final List<Stop> stops;
    private final int[] matched;
    private final StringBuilder held = new StringBuilder();
    private boolean found;
    /** Length of the stop string that was found: that which is complete first, among several the longest. */
    private int complete;

    StopStrings(List<Stop> stops) {
        this.stops = stops;
        matched = new int[stops.size()];
    }

    /** Whether a stop string was found: nothing is released any more. */
    boolean found() {
        return found;
    }

    /** The stop string that was found; empty where none was. */
    String foundText() {
        return found ? held.toString() : "";
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
        for (int i = 0; i < piece.length() && !found; i++) {
            take(piece.charAt(i));
        }
        int uncertain = found ? complete : Arrays.stream(matched).max().orElse(0);
        int certain = held.length() - uncertain;
        released.append(held, 0, certain);
        held.delete(0, certain);
    }

    /** The text has ended without a stop string: appends what was held back. */
    void finish(StringBuilder released) {
        if (!found) {
            released.append(held);
            held.setLength(0);
        }
    }

    private void take(char next) {
        held.append(next);
        for (int i = 0; i < matched.length; i++) {
            Stop stop = stops.get(i);
            matched[i] = stop.next(matched[i], next);
            if (matched[i] == stop.length()) {
                found = true;
                complete = Math.max(complete, stop.length());
            }
        }
    }
}
