package dev.jeton.models.grammar;

import dev.jeton.models.grammar.GrammarStates.State;
import java.util.Arrays;
import java.util.stream.IntStream;

/**
 * Which tokens may not come where a text is free: those that come to a trigger and go on with what may not follow it.
 * There are few, if any.
 *
 * <p>From a text's root all of the vocabulary is walked, once. From any other of its places, which knows of a trigger
 * that has begun, the trie is walked beside the root's walk for as long as the two tell anything apart, which is as far
 * as a token goes on with the trigger; from there on the root's walk has the answer.
 */
final class FreeTokens {

    private final Network network;
    private final GrammarVocabulary vocabulary;
    private final GrammarStates states;
    private final State[] path;
    private final State[] rootPath;

    FreeTokens(Network network, GrammarVocabulary vocabulary, GrammarStates states) {
        this.network = network;
        this.vocabulary = vocabulary;
        this.states = states;
        path = new State[vocabulary.deepest() + 1];
        rootPath = new State[vocabulary.deepest() + 1];
    }

    /**
     * The tokens refused at a root, in their order.
     *
     * @param spend is told of every node of the trie that is looked at, and may throw
     */
    int[] atRoot(int root, Runnable spend) {
        return refused(states.only(root), states.dead(), spend).sorted().toArray();
    }

    /**
     * Those refused at a node.
     *
     * @param atRoot those of its root
     */
    int[] at(int node, int[] atRoot, Runnable spend) {
        State from = states.only(node);
        IntStream asAtRoot = Arrays.stream(atRoot).filter(token -> dead(from, token));
        return IntStream.concat(asAtRoot, refused(from, states.only(network.freeRoot(node)), spend))
                .sorted()
                .distinct()
                .toArray();
    }

    private boolean dead(State from, int token) {
        State at = from;
        for (byte octet : vocabulary.bytes(token)) {
            at = states.next(at, octet & 0xff);
        }
        return at == states.dead();
    }

    /** Those refused from a state on, up to where what it leads to is what the other leads to. */
    private IntStream refused(State from, State other, Runnable spend) {
        IntStream.Builder refused = IntStream.builder();
        path[0] = from;
        rootPath[0] = other;
        for (int node = 1; node < vocabulary.nodes(); ) {
            spend.run();
            int depth = vocabulary.depth(node);
            State next = states.next(path[depth - 1], vocabulary.octet(node));
            State root = states.next(rootPath[depth - 1], vocabulary.octet(node));
            if (next == states.dead()) {
                for (int under = node; under < vocabulary.end(node); under++) {
                    spend.run();
                    addTokens(under, refused);
                }
                node = vocabulary.end(node);
            } else if (next == root) {
                node = vocabulary.end(node);
            } else {
                path[depth] = next;
                rootPath[depth] = root;
                node++;
            }
        }
        return refused.build();
    }

    private void addTokens(int node, IntStream.Builder tokens) {
        for (int token = vocabulary.token(node); token >= 0; token = vocabulary.twin(token)) {
            tokens.add(token);
        }
    }
}
