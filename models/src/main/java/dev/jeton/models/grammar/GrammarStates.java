package dev.jeton.models.grammar;

import java.util.ArrayDeque;
import java.util.ArrayList;
import java.util.Comparator;
import java.util.HashMap;
import java.util.HashSet;
import java.util.LinkedHashSet;
import java.util.List;
import java.util.Map;
import java.util.Objects;
import java.util.Set;
import java.util.TreeMap;
import org.jspecify.annotations.Nullable;

/**
 * The states that texts are in under a network, made as they are reached.
 *
 * <p>A state is a set of places, each a node and what waits for its rule to end, kept as a frame: where it goes on
 * then. A rule that is called at several places of one state is followed once, and its frame goes on at all of them, so
 * a text that can be read in many ways has not as many places (Tomita's graph-structured stack). Equal frames are one
 * object and so are equal states, so a step is an array look-up once it was made: the automaton determinized where it
 * is used, as regular expression engines do it, and with stacks in place of states. Recursion makes no end of states,
 * so {@link #clear} forgets them. A state knows where its bytes led and so holds all others: who holds one from before
 * has it made again ({@link #adopt}), or nothing would be forgotten.
 *
 * <p>Used by one thread at a time.
 */
final class GrammarStates {

    /** Most places of a state; a byte that leads to more is refused, since so ambiguous a text is of no use. */
    static final int MAX_PLACES = 4_096;

    private static final int STATE_BYTES = 160;
    private static final int FRAME_BYTES = 64;
    private static final int PLACE_BYTES = 32;
    private static final int PLACE_STEPS = 8;

    /** In place of a node: nothing more comes. */
    private static final int TEXT_ENDS = -1;

    /** What waits for a rule that is followed to end. */
    private sealed interface Waiting {}

    /** Places at which it goes on. */
    static final class Frame implements Waiting {
        final List<Place> after;
        final int id;

        @Nullable
        State returned;

        private Frame(List<Place> after, int id) {
            this.after = after;
            this.id = id;
        }
    }

    /** A rule that is called while places without a byte are looked for: its frame is known once all callers are. */
    private static final class Call implements Waiting {
        final Set<Item> callers = new LinkedHashSet<>();
        boolean ended;

        @Nullable
        Frame frame;
    }

    /** A place of which the frame may not be known yet. */
    private record Item(int node, Waiting waiting) {}

    /** A node that takes a byte next, and what waits for its rule. */
    record Place(int node, Frame frame) {}

    private record Config(List<Place> places, boolean ends) {}

    /** A set of places. */
    static final class State {
        final List<Place> places;
        /** Whether the text, or the part of it that was begun here, may end. */
        final boolean ends;

        private @Nullable State[] next = new State[0];
        /** Which tokens may come; {@link Grammar}'s. */
        @Nullable
        Object memo;

        private State(List<Place> places, boolean ends) {
            this.places = places;
            this.ends = ends;
        }
    }

    private static final Comparator<Place> ORDER =
            Comparator.comparingInt(Place::node).thenComparingInt(place -> place.frame.id);

    private final Network network;
    private final int[] classOf;
    private final int classes;
    private final Frame bottom = new Frame(List.of(), 0);
    private final State dead = new State(List.of(), false);
    private final Map<Config, State> states = new HashMap<>();
    private final Map<List<Place>, Frame> frames = new HashMap<>();
    private int lastFrame;
    private int cleared;
    private long bytes;
    private long steps;

    GrammarStates(Network network) {
        this.network = network;
        classOf = network.byteClasses();
        classes = classOf[255] + 1;
    }

    /** Where no text goes on. */
    State dead() {
        return dead;
    }

    /** What is below a text's last rule. */
    Frame bottom() {
        return bottom;
    }

    /** At a node, with nothing that waits. */
    State at(int node) {
        return close(List.of(new Place(node, bottom)));
    }

    /** At a node for the bytes that it takes itself: what is reached from it without a byte are other places. */
    State only(int node) {
        return intern(new Config(List.of(new Place(node, bottom)), false));
    }

    /** Where it goes on once the rule that a frame waits for has ended. */
    State returned(Frame frame) {
        State known = frame.returned;
        if (known == null) {
            known = close(frame.after);
            frame.returned = known;
        }
        return known;
    }

    /** Where a byte leads. */
    State next(State state, int octet) {
        if (state.next.length == 0) {
            state.next = new State[classes];
            bytes += 16 + 4L * classes;
        }
        int octets = classOf[octet];
        State known = state.next[octets];
        if (known == null) {
            known = step(state, octet);
            state.next[octets] = known;
        }
        return known;
    }

    /** What making states has cost so far. */
    long steps() {
        return steps;
    }

    /** About the bytes that all states take. */
    long bytes() {
        return bytes;
    }

    /** Forgets all states. */
    void clear() {
        states.clear();
        frames.clear();
        bytes = 0;
        cleared++;
    }

    /** How often all were forgotten. */
    int cleared() {
        return cleared;
    }

    /** The state that is what one was that has been forgotten. */
    State adopt(State forgotten) {
        Map<Frame, Frame> adopted = adopt(forgotten.places);
        return intern(sorted(adopted(forgotten.places, adopted), forgotten.ends));
    }

    /** By forgotten frame, the one that is the same. */
    private Map<Frame, Frame> adopt(List<Place> places) {
        // a frame is made after those that it goes on in, and they may be as deep as the text
        TreeMap<Integer, Frame> forgotten = new TreeMap<>();
        ArrayDeque<Place> work = new ArrayDeque<>(places);
        while (!work.isEmpty()) {
            Frame frame = work.remove().frame;
            if (frame != bottom && forgotten.putIfAbsent(frame.id, frame) == null) {
                work.addAll(frame.after);
            }
        }
        Map<Frame, Frame> adopted = new HashMap<>();
        adopted.put(bottom, bottom);
        forgotten.values().forEach(frame -> adopted.put(frame, frame(adopted(frame.after, adopted))));
        return adopted;
    }

    private static List<Place> adopted(List<Place> places, Map<Frame, Frame> adopted) {
        List<Place> out = new ArrayList<>(places.size());
        for (Place place : places) {
            out.add(new Place(place.node, Objects.requireNonNull(adopted.get(place.frame))));
        }
        return out;
    }

    private State step(State state, int octet) {
        List<Place> reached = new ArrayList<>();
        steps += state.places.size();
        for (Place place : state.places) {
            for (int e = network.firstEdge(place.node); e < network.endEdge(place.node); e++) {
                if (network.takes(e, octet)) {
                    reached.add(new Place(network.to(e), place.frame));
                }
            }
        }
        return reached.isEmpty() ? dead : close(reached);
    }

    /** All places that are reached from these without a byte. */
    private State close(List<Place> from) {
        Set<Item> seen = new HashSet<>();
        ArrayDeque<Item> work = new ArrayDeque<>();
        Map<Integer, Call> calls = new HashMap<>();
        for (Place place : from) {
            add(new Item(place.node, place.frame), seen, work);
        }
        List<Item> taking = new ArrayList<>();
        boolean ends = false;
        while (!work.isEmpty()) {
            CompileWork.spend(4);
            steps += PLACE_STEPS;
            Item item = work.remove();
            int node = item.node;
            if (node == TEXT_ENDS) {
                ends = true;
                continue;
            }
            if (network.ends(node)) {
                ends |= item.waiting == bottom;
                ended(item.waiting, seen, work);
            }
            boolean takes = false;
            for (int e = network.firstEdge(node); e < network.endEdge(node); e++) {
                if (network.epsilon(e)) {
                    add(new Item(network.to(e), item.waiting), seen, work);
                } else if (network.call(e)) {
                    call(network.called(e), new Item(network.to(e), item.waiting), calls, seen, work);
                } else {
                    takes = true;
                }
            }
            if (takes) {
                taking.add(item);
            }
            if (seen.size() > MAX_PLACES) {
                return dead;
            }
        }
        List<Place> places = new ArrayList<>(taking.size());
        for (Item item : taking) {
            places.add(new Place(item.node, frame(item.waiting)));
        }
        return intern(sorted(places, ends));
    }

    private static void ended(Waiting waiting, Set<Item> seen, ArrayDeque<Item> work) {
        switch (waiting) {
            case Frame frame -> {
                for (Place place : frame.after) {
                    add(new Item(place.node, place.frame), seen, work);
                }
            }
            case Call call -> {
                call.ended = true;
                for (Item caller : call.callers) {
                    add(caller, seen, work);
                }
            }
        }
    }

    private static void call(int begin, Item caller, Map<Integer, Call> calls, Set<Item> seen, ArrayDeque<Item> work) {
        Call call = calls.computeIfAbsent(begin, added -> new Call());
        add(new Item(begin, call), seen, work);
        if (call.callers.add(caller) && call.ended) {
            add(caller, seen, work);
        }
    }

    private static Config sorted(List<Place> places, boolean ends) {
        places.sort(ORDER);
        return new Config(places, ends);
    }

    private static void add(Item item, Set<Item> seen, ArrayDeque<Item> work) {
        if (seen.add(item)) {
            work.add(item);
        }
    }

    /** No rule begins with itself, so those that a call waits for are known before it. */
    private Frame frame(Waiting waiting) {
        ArrayDeque<Call> path = new ArrayDeque<>();
        unknown(waiting, path);
        while (!path.isEmpty()) {
            // a chain of rules may be longer than a stack of the thread
            Call call = path.peek();
            int before = path.size();
            for (Item caller : call.callers) {
                unknown(caller.waiting, path);
            }
            if (path.size() == before) {
                path.pop();
                if (call.frame == null) {
                    call.frame = frame(after(call));
                }
            }
        }
        return known(waiting);
    }

    private static void unknown(Waiting waiting, ArrayDeque<Call> path) {
        if (waiting instanceof Call call && call.frame == null) {
            path.push(call);
        }
    }

    private static Frame known(Waiting waiting) {
        return switch (waiting) {
            case Frame frame -> frame;
            case Call call -> Objects.requireNonNull(call.frame);
        };
    }

    /** A call whose caller only ends after it needs no place: recursion at the end of a rule takes no memory. */
    private List<Place> after(Call call) {
        Set<Place> after = new HashSet<>();
        for (Item caller : call.callers) {
            Frame frame = known(caller.waiting);
            if (!network.onlyEnds(caller.node)) {
                after.add(new Place(caller.node, frame));
            } else if (frame == bottom) {
                after.add(new Place(TEXT_ENDS, bottom));
            } else {
                after.addAll(frame.after);
            }
        }
        return new ArrayList<>(after);
    }

    private Frame frame(List<Place> after) {
        if (after.size() == 1 && after.getFirst().node == TEXT_ENDS) {
            return bottom;
        }
        after.sort(ORDER);
        return frames.computeIfAbsent(after, key -> {
            bytes += FRAME_BYTES + (long) PLACE_BYTES * key.size();
            return new Frame(key, ++lastFrame);
        });
    }

    private State intern(Config config) {
        State known = states.get(config);
        if (known == null) {
            known = new State(config.places, config.ends);
            states.put(config, known);
            bytes += STATE_BYTES + (long) PLACE_BYTES * config.places.size();
        }
        return known;
    }
}
