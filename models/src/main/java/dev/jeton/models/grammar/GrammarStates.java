package dev.jeton.models.grammar;

import java.util.ArrayDeque;
import java.util.ArrayList;
import java.util.Comparator;
import java.util.HashMap;
import java.util.HashSet;
import java.util.List;
import java.util.Map;
import java.util.Set;
import org.jspecify.annotations.Nullable;

/**
 * The states that texts are in under a network, made as they are reached.
 *
 * <p>A state is a set of places, each a node and the rules that wait for it to end, kept as a chain of frames. Equal
 * frames are one object and so are equal states, so a step is an array look-up once it was made: the automaton
 * determinized where it is used, as regular expression engines do it, and with stacks in place of states. Recursion
 * makes no end of states, so {@link #clear} forgets them. A state knows where its bytes led and so holds all others:
 * who holds one from before has it made again ({@link #adopt}), or nothing would be forgotten.
 *
 * <p>Used by one thread at a time.
 */
final class GrammarStates {

    /** Most places of a state; a byte that leads to more is refused, since so ambiguous a text is of no use. */
    static final int MAX_PLACES = 4_096;

    private static final int STATE_BYTES = 160;
    private static final int PLACE_BYTES = 32;
    private static final int PLACE_STEPS = 8;

    /** What goes on once the rule that is followed has ended. */
    static final class Frame {
        final int node;
        final @Nullable Frame below;
        final int id;

        @Nullable
        State returned;

        private Frame(int node, @Nullable Frame below, int id) {
            this.node = node;
            this.below = below;
            this.id = id;
        }
    }

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

    private final Network network;
    private final int[] classOf;
    private final int classes;
    private final Frame bottom = new Frame(-1, null, 0);
    private final State dead = new State(List.of(), false);
    private final Map<Config, State> states = new HashMap<>();
    private final Map<Long, Frame> frames = new HashMap<>();
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
            known = close(List.of(new Place(frame.node, below(frame))));
            frame.returned = known;
        }
        return known;
    }

    private static Frame below(Frame frame) {
        Frame below = frame.below;
        if (below == null) {
            throw new IllegalStateException("nothing is below the bottom");
        }
        return below;
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
        List<Place> places = new ArrayList<>(forgotten.places.size());
        for (Place place : forgotten.places) {
            places.add(new Place(place.node, adopt(place.frame)));
        }
        return intern(sorted(places, forgotten.ends));
    }

    private Frame adopt(Frame forgotten) {
        ArrayDeque<Frame> chain = new ArrayDeque<>();
        for (Frame frame = forgotten; frame != bottom; frame = below(frame)) {
            chain.push(frame);
        }
        Frame made = bottom;
        while (!chain.isEmpty()) {
            made = frame(chain.pop().node, made);
        }
        return made;
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
        Set<Place> seen = new HashSet<>(from);
        ArrayDeque<Place> work = new ArrayDeque<>(seen);
        List<Place> taking = new ArrayList<>();
        boolean ends = false;
        while (!work.isEmpty()) {
            CompileWork.spend(4);
            steps += PLACE_STEPS;
            Place place = work.remove();
            int node = place.node;
            if (network.ends(node)) {
                if (place.frame == bottom) {
                    ends = true;
                } else {
                    add(new Place(place.frame.node, below(place.frame)), seen, work);
                }
            }
            boolean takes = false;
            for (int e = network.firstEdge(node); e < network.endEdge(node); e++) {
                if (network.epsilon(e)) {
                    add(new Place(network.to(e), place.frame), seen, work);
                } else if (network.call(e)) {
                    add(new Place(network.called(e), frame(network.to(e), place.frame)), seen, work);
                } else {
                    takes = true;
                }
            }
            if (takes) {
                taking.add(place);
            }
            if (seen.size() > MAX_PLACES) {
                return dead;
            }
        }
        return intern(sorted(taking, ends));
    }

    private static Config sorted(List<Place> places, boolean ends) {
        places.sort(Comparator.comparingInt(Place::node).thenComparingInt(place -> place.frame.id));
        return new Config(places, ends);
    }

    private static void add(Place place, Set<Place> seen, ArrayDeque<Place> work) {
        if (seen.add(place)) {
            work.add(place);
        }
    }

    /** A call whose caller only ends after it needs no frame: recursion at the end of a rule takes no memory. */
    private Frame frame(int node, Frame below) {
        if (network.onlyEnds(node)) {
            return below;
        }
        return frames.computeIfAbsent((long) node << 32 | below.id & 0xffffffffL, key -> {
            bytes += PLACE_BYTES;
            return new Frame(node, below, ++lastFrame);
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
