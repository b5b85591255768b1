package dev.jeton.models.grammar;

import dev.jeton.models.harmony.HarmonyHeader;
import dev.jeton.models.harmony.HarmonyMark;
import java.nio.charset.StandardCharsets;
import java.util.Arrays;
import java.util.HashMap;
import java.util.Map;
import java.util.Optional;
import java.util.function.IntPredicate;
import java.util.stream.IntStream;
import java.util.stream.Stream;

/**
 * The tokens of one vocabulary that matter between the messages of OpenAI's harmony format: its marks, those that spell
 * the role of who answers, and those with which the name of another channel than thinking's may begin. Immutable.
 */
public final class ChannelTokens {

    private static final byte[] ROLE = HarmonyHeader.ASSISTANT.getBytes(StandardCharsets.US_ASCII);

    private final GrammarVocabulary vocabulary;
    private final Map<Integer, HarmonyMark> marks = new HashMap<>();
    private final int start;
    private final int end;
    private final int message;
    private final int[] others;
    private final int[][] role = new int[ROLE.length][];
    private final int[] answering;
    /** By byte the token that is no more than it; -1 where there is none. */
    private final int[] octets = new int[256];

    /**
     * Looks at each token some ten times, which takes some hundredths of a second.
     *
     * @throws GrammarException where the vocabulary has not the marks
     */
    public ChannelTokens(GrammarVocabulary vocabulary) {
        this.vocabulary = vocabulary;
        for (HarmonyMark mark : HarmonyMark.values()) {
            byte[] text = mark.text().getBytes(StandardCharsets.US_ASCII);
            for (int token : tokens(id -> special(id, text))) {
                marks.put(token, mark);
            }
        }
        start = only(HarmonyMark.START);
        end = only(HarmonyMark.END);
        only(HarmonyMark.CHANNEL);
        message = only(HarmonyMark.MESSAGE);
        Arrays.fill(octets, -1);
        for (int token : tokens(id -> bytes(id).length == 1)) {
            octets[bytes(token)[0] & 0xff] = token;
        }
        others = marks.keySet().stream()
                .mapToInt(Integer::intValue)
                .filter(token -> token != end)
                .toArray();
        for (int matched = 0; matched < ROLE.length; matched++) {
            int from = matched;
            role[matched] = tokens(token -> role(from, token) > from);
        }
        answering = tokens(token -> Stream.of(HarmonyHeader.FINAL, HarmonyHeader.COMMENTARY)
                .anyMatch(channel -> begins(channel, bytes(token))));
    }

    private static boolean begins(String name, byte[] text) {
        byte[] whole = name.getBytes(StandardCharsets.US_ASCII);
        return text.length > 0
                && text.length <= whole.length
                && Arrays.equals(whole, 0, text.length, text, 0, text.length);
    }

    private boolean special(int token, byte[] mark) {
        byte[] text = bytes(token);
        return text.length == mark.length + 1
                && (text[0] & 0xff) == GrammarVocabulary.SPECIAL
                && Arrays.equals(text, 1, text.length, mark, 0, mark.length);
    }

    private int only(HarmonyMark mark) {
        return marks.entrySet().stream()
                .filter(entry -> entry.getValue() == mark)
                .map(Map.Entry::getKey)
                .findFirst()
                .orElseThrow(() ->
                        new GrammarException("the model's vocabulary has no token '%s', by which its channels are known"
                                .formatted(mark.text())));
    }

    private int[] tokens(IntPredicate which) {
        return IntStream.range(0, vocabulary.size()).filter(which).toArray();
    }

    /** Ids are 0 until this. */
    int size() {
        return vocabulary.size();
    }

    byte[] bytes(int token) {
        return vocabulary.bytes(token);
    }

    Optional<HarmonyMark> mark(int token) {
        return Optional.ofNullable(marks.get(token));
    }

    /** The mark that begins a message. */
    int start() {
        return start;
    }

    /** The mark that ends one. */
    int end() {
        return end;
    }

    /** The mark that ends a header. */
    int message() {
        return message;
    }

    /** The token that is a byte and no more; -1 where there is none. */
    int octet(byte value) {
        return octets[value & 0xff];
    }

    /** All marks but that of the end. */
    int[] others() {
        return others;
    }

    /** How many bytes of the role there are with a token, after so many; as many where it is no part of it. */
    int role(int matched, int token) {
        byte[] text = bytes(token);
        boolean along = text.length <= ROLE.length - matched
                && Arrays.equals(text, 0, text.length, ROLE, matched, matched + text.length);
        return along ? matched + text.length : matched;
    }

    /** Tokens that go on with the role, of which so many bytes were written. */
    int[] role(int matched) {
        return role[matched];
    }

    /** Whether the role is whole. */
    static boolean isRole(int matched) {
        return matched == ROLE.length;
    }

    /** Tokens with which the name of a channel may begin that is not of thinking. */
    int[] answering() {
        return answering;
    }
}
