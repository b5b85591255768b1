package dev.jeton.models.grammar;

import dev.jeton.models.harmony.HarmonyHeader;
import dev.jeton.models.harmony.HarmonyMark;
import java.util.List;
import java.util.function.ToIntFunction;

/**
 * The rules of messages in OpenAI's harmony format. A header may be written in the ways in which models were taught to;
 * its marks are special tokens alone, since text that looks like them is none.
 */
final class ChannelRules {

    private static final String JSON = "json";

    private final NetworkBuilder network;

    /** @throws GrammarException where the vocabulary has not the marks */
    ChannelRules(NetworkBuilder network, GrammarVocabulary vocabulary) {
        this.network = network;
        for (HarmonyMark mark : List.of(HarmonyMark.CHANNEL, HarmonyMark.MESSAGE, HarmonyMark.CONSTRAIN)) {
            if (!vocabulary.special(mark.text())) {
                throw new GrammarException("the model's vocabulary has no token '%s', by which its channels are known"
                        .formatted(mark.text()));
            }
        }
    }

    /**
     * The rule of a message from behind its role on.
     *
     * @param inner the rule of the answer
     */
    int message(GrammarSpec.Channels channels, ToIntFunction<GrammarSpec> inner) {
        int rule = network.rule();
        int begin = network.begin(rule);
        int end = network.end(rule);
        int channel = mark(begin, HarmonyMark.CHANNEL);
        network.epsilon(mark(network.text(channel, HarmonyHeader.ANALYSIS), HarmonyMark.MESSAGE), end);
        channels.answer().ifPresent(answer -> {
            int headed = mark(typed(network.text(channel, HarmonyHeader.FINAL)), HarmonyMark.MESSAGE);
            if (channels.behind().isPresent()) {
                network.epsilon(headed, end);
            } else {
                network.call(headed, inner.applyAsInt(answer), end);
            }
        });
        if (!channels.functions().isEmpty()) {
            String to = " " + HarmonyHeader.TO + HarmonyHeader.FUNCTIONS;
            int named = network.node();
            network.epsilon(network.text(begin, to), named);
            int late = network.text(channel, HarmonyHeader.COMMENTARY + to);
            for (GrammarSpec.Function function : channels.functions()) {
                int arguments = network.node();
                int early = typed(network.text(named, function.name()));
                int channelled = network.text(mark(early, HarmonyMark.CHANNEL), HarmonyHeader.COMMENTARY);
                network.epsilon(mark(typed(channelled), HarmonyMark.MESSAGE), arguments);
                int typed = typed(network.text(late, function.name()));
                network.epsilon(mark(typed, HarmonyMark.MESSAGE), arguments);
                network.call(arguments, CallRules.arguments(function, network), end);
            }
        }
        return rule;
    }

    /** The rule of what is left of a call from its function's name on. */
    int rest(GrammarSpec.RestOfChannelCall rest) {
        int rule = network.rule();
        for (GrammarSpec.Function function : rest.functions()) {
            int typed = typed(network.text(network.begin(rule), function.name()));
            int channelled = typed(network.text(mark(typed, HarmonyMark.CHANNEL), HarmonyHeader.COMMENTARY));
            int headed = network.node();
            network.epsilon(typed, headed);
            network.epsilon(channelled, headed);
            network.call(mark(headed, HarmonyMark.MESSAGE), CallRules.arguments(function, network), network.end(rule));
        }
        return rule;
    }

    private int mark(int from, HarmonyMark mark) {
        int marked = network.node();
        network.bytes(from, GrammarVocabulary.SPECIAL, GrammarVocabulary.SPECIAL, marked);
        return network.text(marked, mark.text());
    }

    /** A header may say that what follows is JSON. */
    private int typed(int from) {
        int typed = network.node();
        int spaced = network.text(from, " ");
        network.epsilon(from, typed);
        network.epsilon(network.text(spaced, JSON), typed);
        int constrained = network.node();
        network.epsilon(mark(from, HarmonyMark.CONSTRAIN), constrained);
        network.epsilon(mark(spaced, HarmonyMark.CONSTRAIN), constrained);
        network.epsilon(network.text(constrained, JSON), typed);
        return typed;
    }
}
