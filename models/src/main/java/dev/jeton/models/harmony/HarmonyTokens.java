package dev.jeton.models.harmony;

import dev.jeton.models.Tokenizer;
import java.util.Arrays;
import java.util.EnumMap;
import java.util.EnumSet;
import java.util.HashMap;
import java.util.Map;
import java.util.Optional;
import java.util.Set;
import java.util.stream.IntStream;

/** The tokens of one vocabulary that are the format's marks, and where they leave a model. Immutable. */
public final class HarmonyTokens {

    /** Most tokens of a header in a prompt. */
    private static final int MOST_HEADER = 64;

    /** Without one of these no message can be told from text. */
    private static final Set<HarmonyMark> NEEDED =
            EnumSet.of(HarmonyMark.START, HarmonyMark.CHANNEL, HarmonyMark.MESSAGE, HarmonyMark.END);

    /** Last tokens of a prompt that are looked at where marks are no tokens. */
    private static final int TAIL = 256;

    /**
     * Where a prompt leaves a model.
     *
     * @param header what is written of its next message's header, with {@linkplain HarmonyMark#sign signs}; empty where
     *     none has begun
     * @param within whether the header is whole, and the message's text has begun
     */
    public record Place(String header, boolean within) {

        /** Before a message, or where nothing is known. */
        public static final Place BEFORE = new Place("", false);
    }

    private final Tokenizer tokenizer;
    private final Map<HarmonyMark, Integer> ids = new EnumMap<>(HarmonyMark.class);
    private final Map<Integer, HarmonyMark> marks = new HashMap<>();

    /** @param tokenizer the model's */
    public HarmonyTokens(Tokenizer tokenizer) {
        this.tokenizer = tokenizer;
        for (HarmonyMark mark : HarmonyMark.values()) {
            int id = tokenizer.id(mark.text());
            if (id >= 0 && tokenizer.special(id)) {
                ids.put(mark, id);
                marks.put(id, mark);
            }
        }
    }

    /** Whether the vocabulary has them: otherwise they are written as any text. */
    public boolean known() {
        return ids.keySet().containsAll(NEEDED);
    }

    /** The mark that a token is. */
    public Optional<HarmonyMark> mark(int token) {
        return Optional.ofNullable(marks.get(token));
    }

    /** Tokens with which an answer ends, as far as the vocabulary has them. */
    public int[] ends() {
        return IntStream.of(ids.getOrDefault(HarmonyMark.RETURN, -1), ids.getOrDefault(HarmonyMark.CALL, -1))
                .filter(id -> id >= 0)
                .toArray();
    }

    /** Where a prompt leaves the model. */
    public Place place(int[] prompt) {
        if (!known()) {
            return place(signed(tokenizer.decode(
                    Arrays.copyOfRange(prompt, Math.max(0, prompt.length - TAIL), prompt.length), false)));
        }
        int last = prompt.length - 1;
        while (last >= 0 && mark(prompt[last]).filter(HarmonyTokens::bounds).isEmpty()) {
            last--;
        }
        int first = last;
        while (first > 0 && last - first < MOST_HEADER && !isStart(prompt[first])) {
            first--;
        }
        if (last < 0 || prompt.length - last > MOST_HEADER && isStart(prompt[last])) {
            return Place.BEFORE;
        }
        int end = isStart(prompt[last]) ? prompt.length : last + 1;
        return place(text(prompt, first, end));
    }

    private boolean isStart(int token) {
        return mark(token).filter(HarmonyMark.START::equals).isPresent();
    }

    /** Whether a header begins or ends with it, or a message does. */
    private static boolean bounds(HarmonyMark mark) {
        return mark != HarmonyMark.CHANNEL && mark != HarmonyMark.CONSTRAIN;
    }

    private static Place place(String signed) {
        int start = HarmonyMark.START.lastIn(signed);
        int message = HarmonyMark.MESSAGE.lastIn(signed);
        boolean ended = HarmonyMark.END.lastIn(signed) > start
                || HarmonyMark.RETURN.lastIn(signed) > start
                || HarmonyMark.CALL.lastIn(signed) > start;
        if (start < 0 || ended) {
            return Place.BEFORE;
        }
        return message < start
                ? new Place(signed.substring(start + 1), false)
                : new Place(signed.substring(start + 1, message), true);
    }

    /** A text in which signs stand in place of the marks. */
    private static String signed(String text) {
        String signed = text;
        for (HarmonyMark mark : HarmonyMark.values()) {
            signed = signed.replace(mark.text(), String.valueOf(mark.sign()));
        }
        return signed;
    }

    private String text(int[] tokens, int from, int to) {
        StringBuilder text = new StringBuilder();
        int run = from;
        for (int i = from; i <= to; i++) {
            Optional<HarmonyMark> mark = i < to ? mark(tokens[i]) : Optional.empty();
            if (i == to || mark.isPresent()) {
                text.append(tokenizer.decode(Arrays.copyOfRange(tokens, run, i), false));
                run = i + 1;
            }
            mark.ifPresent(known -> text.append(known.sign()));
        }
        return text.toString();
    }
}
