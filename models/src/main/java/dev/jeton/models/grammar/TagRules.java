package dev.jeton.models.grammar;

import java.nio.charset.StandardCharsets;
import java.util.HashMap;
import java.util.IdentityHashMap;
import java.util.List;
import java.util.Map;
import java.util.function.ToIntFunction;

/** The rule of a text that is free but for what follows its triggers. */
final class TagRules {

    /** Most tags: more make masks slow where they share a trigger. */
    private static final int MAX_TAGS = 1_000;

    private TagRules() {}

    /**
     * The rule.
     *
     * @param inner the rule of what follows a trigger
     */
    static int rule(
            GrammarSpec.Tags tags,
            NetworkBuilder network,
            GrammarVocabulary vocabulary,
            ToIntFunction<GrammarSpec> inner) {
        if (tags.tags().isEmpty() || tags.tags().size() > MAX_TAGS) {
            throw new GrammarException("there are %d tags; 1 to %d are accepted"
                    .formatted(tags.tags().size(), MAX_TAGS));
        }
        int rule = network.rule();
        int end = network.end(rule);
        FreeText free = new FreeText(network, end);
        int after = tags.one() ? end : free.root();
        Map<List<String>, Integer> targets = new HashMap<>();
        // by the very object: several triggers may share what follows
        Map<GrammarSpec, Integer> rules = new IdentityHashMap<>();
        for (GrammarSpec.Tag tag : tags.tags()) {
            int target = targets.computeIfAbsent(tag.trigger(), trigger -> {
                int node = network.node();
                free.add(trigger, node);
                return node;
            });
            network.call(target, rules.computeIfAbsent(tag.rest(), inner::applyAsInt), after);
        }
        free.write();
        if (tags.first()) {
            targets.forEach((trigger, target) -> network.epsilon(
                    literal(network, vocabulary, network.begin(rule), String.join("", trigger)), target));
        } else {
            network.epsilon(network.begin(rule), free.root());
        }
        return rule;
    }

    /** Takes a text from a node on, special tokens within it as text and as those; the node after it. */
    static int literal(NetworkBuilder network, GrammarVocabulary vocabulary, int from, String text) {
        byte[] bytes = text.getBytes(StandardCharsets.UTF_8);
        int[] nodes = new int[bytes.length + 1];
        nodes[0] = from;
        for (int i = 0; i < bytes.length; i++) {
            nodes[i + 1] = network.node();
            network.bytes(nodes[i], bytes[i] & 0xff, bytes[i] & 0xff, nodes[i + 1]);
        }
        for (String special : vocabulary.specials()) {
            for (int at = text.indexOf(special); at >= 0; at = text.indexOf(special, at + 1)) {
                int begin = text.substring(0, at).getBytes(StandardCharsets.UTF_8).length;
                int marked = network.node();
                network.bytes(nodes[begin], GrammarVocabulary.SPECIAL, GrammarVocabulary.SPECIAL, marked);
                int length = special.getBytes(StandardCharsets.UTF_8).length;
                network.epsilon(network.text(marked, special), nodes[begin + length]);
            }
        }
        return nodes[bytes.length];
    }
}
