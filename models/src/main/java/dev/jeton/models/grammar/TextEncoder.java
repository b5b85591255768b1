package dev.jeton.models.grammar;

import java.util.BitSet;
import java.util.HashMap;
import java.util.Map;

/**
 * Writes a {@link TextAutomaton} into a network as the UTF-8 of its texts, as they stand or as the inside of a JSON
 * string. There, what must be escaped is, in the shortest way, and nothing else. Code points that are surrogates have
 * no UTF-8 and are left out.
 */
final class TextEncoder {

    private static final int LAST_CONTINUATION = 0xbf;
    private static final int CONTINUATION = 0x80;

    private final NetworkBuilder network;
    private final boolean json;
    /** By place of a character's end and how many bytes of it are missing, whatever they are: a node. */
    private final Map<Long, Integer> tails = new HashMap<>();

    private TextEncoder(NetworkBuilder network, boolean json) {
        this.network = network;
        this.json = json;
    }

    /** Writes it between two nodes. */
    static void write(NetworkBuilder network, TextAutomaton texts, int from, int to, boolean json) {
        new TextEncoder(network, json).write(texts, from, to, (state, role, node) -> {});
    }

    /**
     * Writes the insides of JSON strings of so many code points between two nodes, and that they are alike: a
     * vocabulary is then looked at for some of them, not for each.
     *
     * @param most negative for no bound
     */
    static void writeCounted(NetworkBuilder network, int least, int most, int from, int to) {
        TextAutomaton texts = most < 0 ? TextAutomaton.atLeast(least) : TextAutomaton.lengths(least, most);
        int group = network.nodes();
        new TextEncoder(network, true)
                .write(
                        texts,
                        from,
                        to,
                        (state, role, node) -> network.counted(new Network.Counted(
                                node,
                                group,
                                role,
                                most < 0 ? Integer.MAX_VALUE : most - state,
                                Math.max(0, least - state))));
    }

    /** Hears of the nodes that are written for a state. */
    private interface Written {
        void node(int state, int role, int node);
    }

    private void write(TextAutomaton texts, int from, int to, Written written) {
        BitSet useful = texts.useful();
        int[] nodes = new int[texts.states()];
        for (int state = useful.nextSetBit(0); state >= 0; state = useful.nextSetBit(state + 1)) {
            nodes[state] = network.node();
        }
        if (!useful.get(0)) {
            return;
        }
        network.epsilon(from, nodes[0]);
        for (int state = useful.nextSetBit(0); state >= 0; state = useful.nextSetBit(state + 1)) {
            if (texts.accepting().get(state)) {
                network.epsilon(nodes[state], to);
            }
            int[] cuts = texts.cuts().get(state);
            int[] targets = texts.targets().get(state);
            int before = network.nodes();
            Escapes escapes = new Escapes(nodes[state]);
            for (int i = 0; i < cuts.length; i++) {
                if (targets[i] != TextAutomaton.DEAD && useful.get(targets[i])) {
                    int highest = i + 1 < cuts.length ? cuts[i + 1] - 1 : Character.MAX_CODE_POINT;
                    characters(nodes[state], cuts[i], highest, nodes[targets[i]], escapes);
                }
            }
            written.node(state, -1, nodes[state]);
            for (int node = before; node < network.nodes(); node++) {
                written.node(state, node - before, node);
            }
        }
    }

    private void characters(int from, int lowest, int highest, int to, Escapes escapes) {
        if (!json) {
            range(from, lowest, highest, to);
            return;
        }
        for (int c = lowest; c <= Math.min(highest, '\\'); c++) {
            if (mustBeEscaped(c)) {
                escapes.add(c, to);
            }
        }
        range(from, Math.max(lowest, 0x20), Math.min(highest, '"' - 1), to);
        range(from, Math.max(lowest, '"' + 1), Math.min(highest, '\\' - 1), to);
        range(from, Math.max(lowest, '\\' + 1), highest, to);
    }

    private static boolean mustBeEscaped(int c) {
        return c < 0x20 || c == '"' || c == '\\';
    }

    /** The escapes that begin at a node; they share their beginnings. */
    private final class Escapes {
        private final int node;
        private int backslash = -1;
        private final int[] hex = {-1, -1};

        Escapes(int node) {
            this.node = node;
        }

        void add(int c, int to) {
            if (backslash < 0) {
                backslash = network.node();
                network.bytes(node, '\\', '\\', backslash);
            }
            int letter = JsonRules.shortEscape(c);
            if (letter > 0) {
                network.bytes(backslash, letter, letter, to);
                return;
            }
            int high = c >> 4;
            if (hex[high] < 0) {
                int zeros = network.text(backslash, "u00");
                hex[high] = network.node();
                network.bytes(zeros, '0' + high, '0' + high, hex[high]);
            }
            int low = c & 15;
            int digit = Character.forDigit(low, 16);
            network.bytes(hex[high], digit, digit, to);
            if (low > 9) {
                network.bytes(hex[high], Character.toUpperCase(digit), Character.toUpperCase(digit), to);
            }
        }
    }

    /** The UTF-8 of a range of code points. */
    private void range(int from, int lowest, int highest, int to) {
        part(from, lowest, highest, 0, 0x7f, 1, to);
        part(from, lowest, highest, 0x80, 0x7ff, 2, to);
        part(from, lowest, highest, 0x800, 0xd7ff, 3, to);
        part(from, lowest, highest, 0xe000, 0xffff, 3, to);
        part(from, lowest, highest, 0x10000, Character.MAX_CODE_POINT, 4, to);
    }

    private void part(int from, int lowest, int highest, int least, int most, int length, int to) {
        int low = Math.max(lowest, least);
        int high = Math.min(highest, most);
        if (low <= high) {
            octets(from, low, high, length - 1, length, to);
        }
    }

    /** The rest of a character of which {@code rest} bytes come after the next one. */
    private void octets(int from, int low, int high, int rest, int length, int to) {
        int shift = 6 * rest;
        int first = low >> shift;
        int last = high >> shift;
        if (rest == 0) {
            network.bytes(from, octet(low, 0, length), octet(high, 0, length), to);
            return;
        }
        int below = (1 << shift) - 1;
        if (first == last) {
            int next = network.node();
            network.bytes(from, octet(low, rest, length), octet(low, rest, length), next);
            octets(next, low, high, rest - 1, length, to);
            return;
        }
        int wholeFrom = first;
        if ((low & below) != 0) {
            octets(from, low, low | below, rest, length, to);
            wholeFrom++;
        }
        int wholeTo = last;
        if ((high & below) != below) {
            octets(from, high & ~below, high, rest, length, to);
            wholeTo--;
        }
        if (wholeFrom <= wholeTo) {
            network.bytes(
                    from,
                    octet(wholeFrom << shift, rest, length),
                    octet(wholeTo << shift, rest, length),
                    tail(to, rest));
        }
    }

    /** The byte of a character that {@code rest} bytes come after. */
    private static int octet(int codePoint, int rest, int length) {
        int bits = codePoint >> 6 * rest;
        if (rest < length - 1) {
            return CONTINUATION | bits & 0x3f;
        }
        return switch (length) {
            case 1 -> bits;
            case 2 -> 0xc0 | bits;
            case 3 -> 0xe0 | bits;
            default -> 0xf0 | bits;
        };
    }

    private int tail(int to, int rest) {
        if (rest == 0) {
            return to;
        }
        Integer known = tails.get((long) to << 3 | rest);
        if (known != null) {
            return known;
        }
        int node = network.node();
        network.bytes(node, CONTINUATION, LAST_CONTINUATION, tail(to, rest - 1));
        tails.put((long) to << 3 | rest, node);
        return node;
    }
}
