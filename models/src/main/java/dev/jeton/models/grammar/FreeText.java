package dev.jeton.models.grammar;

import java.nio.charset.StandardCharsets;
import java.util.ArrayDeque;
import java.util.ArrayList;
import java.util.HashMap;
import java.util.List;
import java.util.Map;
import java.util.TreeSet;

/**
 * Text that may be anything until it comes to a trigger: an automaton over bytes that knows at each place how much of
 * which triggers the text ends with (Aho and Corasick, 1975). It is deterministic, so that a trigger can never be
 * passed over as text; and since it takes every byte, also the one before a special token's text, triggers are found
 * however they are written, across tokens, in one or as a special one.
 *
 * <p>A trigger is literals between which there may be white space, which is why states are sets of places in triggers
 * and not the nodes of a trie.
 */
final class FreeText {

    private static final String SPACE = " \t\n\r";

    /** A literal's bytes one after the other, and before which of them there may be white space. */
    private record Trigger(byte[] bytes, boolean[] spaced, int target) {}

    private final NetworkBuilder network;
    private final int end;
    private final List<Trigger> triggers = new ArrayList<>();
    private final Map<List<Long>, Integer> states = new HashMap<>();
    private final ArrayDeque<List<Long>> work = new ArrayDeque<>();
    private final int root;

    /** @param end where the text ends that is free */
    FreeText(NetworkBuilder network, int end) {
        this.network = network;
        this.end = end;
        root = state(List.of());
    }

    /** Where the text begins, and goes on behind what its triggers have led to. */
    int root() {
        return root;
    }

    /** Adds a trigger, whose last byte leads to a node. */
    void add(List<String> parts, int target) {
        int size = parts.stream()
                .mapToInt(part -> part.getBytes(StandardCharsets.UTF_8).length)
                .sum();
        Trigger trigger = new Trigger(new byte[size], new boolean[size], target);
        int at = 0;
        for (String part : parts) {
            byte[] bytes = part.getBytes(StandardCharsets.UTF_8);
            trigger.spaced[at] = at > 0;
            System.arraycopy(bytes, 0, trigger.bytes, at, bytes.length);
            at += bytes.length;
        }
        triggers.add(trigger);
    }

    /** Writes it, once all triggers are there. */
    void write() {
        while (!work.isEmpty()) {
            List<Long> places = work.remove();
            write(places, state(places));
        }
    }

    private int state(List<Long> places) {
        Integer known = states.get(places);
        if (known != null) {
            return known;
        }
        int node = network.node();
        network.epsilon(node, end);
        network.free(node, states.getOrDefault(List.of(), node));
        states.put(places, node);
        work.add(places);
        return node;
    }

    /** Bytes that go on with none of the triggers lead to the root; all others are looked at one by one. */
    private void write(List<Long> places, int node) {
        boolean[] matters = new boolean[256];
        for (Trigger trigger : triggers) {
            matters[trigger.bytes[0] & 0xff] = true;
        }
        for (long place : places) {
            Trigger trigger = triggers.get((int) (place >>> 32));
            int at = (int) place;
            matters[trigger.bytes[at] & 0xff] = true;
            for (int i = 0; i < SPACE.length() && trigger.spaced[at]; i++) {
                matters[SPACE.charAt(i)] = true;
            }
        }
        int from = 0;
        for (int octet = 0; octet <= 256; octet++) {
            if (octet == 256 || matters[octet]) {
                if (from < octet) {
                    network.bytes(node, from, octet - 1, root);
                }
                from = octet + 1;
                if (octet < 256) {
                    step(places, octet, node);
                }
            }
        }
    }

    private void step(List<Long> places, int octet, int node) {
        TreeSet<Long> next = new TreeSet<>();
        List<Integer> targets = new ArrayList<>();
        CompileWork.spend(8L * (places.size() + triggers.size()));
        for (int t = 0; t < triggers.size(); t++) {
            step(t, 0, octet, next, targets);
        }
        for (long place : places) {
            step((int) (place >>> 32), (int) place, octet, next, targets);
        }
        if (targets.isEmpty()) {
            network.bytes(node, octet, octet, state(List.copyOf(next)));
        }
        targets.stream().distinct().forEach(target -> network.bytes(node, octet, octet, target));
    }

    private void step(int t, int at, int octet, TreeSet<Long> next, List<Integer> targets) {
        Trigger trigger = triggers.get(t);
        if ((trigger.bytes[at] & 0xff) == octet) {
            if (at + 1 == trigger.bytes.length) {
                targets.add(trigger.target);
            } else {
                next.add((long) t << 32 | at + 1);
            }
        }
        if (trigger.spaced[at] && SPACE.indexOf(octet) >= 0) {
            next.add((long) t << 32 | at);
        }
    }
}
