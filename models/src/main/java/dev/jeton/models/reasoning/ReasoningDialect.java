package dev.jeton.models.reasoning;

import dev.jeton.models.Tokenizer;
import dev.jeton.models.harmony.HarmonyHeader;
import dev.jeton.models.harmony.HarmonyTokens;
import dev.jeton.models.reasoning.ReasoningFormat.Opening;
import java.util.Arrays;

/**
 * How one model thinks: its format, and which of its tokens are that format's marks. A detokenizer leaves special
 * tokens out of the text, so marks that are some go to the splitter as a character that no text has, a low surrogate on
 * its own. Immutable; thread-safe.
 */
public final class ReasoningDialect {

    /** Stands for the token that begins thinking; the last ones, for those of tool calls count from the first. */
    static final char BEGIN = Character.MAX_LOW_SURROGATE;

    /** Stands for the token that ends it. */
    static final char END = BEGIN - 1;

    /** A prompt's last tokens, in which its last mark is found: more than any mark has characters, with some space. */
    private static final int TAIL = 32;

    private final ReasoningFormat format;
    private final Tokenizer tokenizer;
    private final HarmonyTokens channels;
    private final boolean apart;
    private final int begin;
    private final int end;

    /** @param tokenizer the model's */
    public ReasoningDialect(ReasoningFormat format, Tokenizer tokenizer) {
        this(format, tokenizer, true);
    }

    /**
     * @param tokenizer the model's
     * @param apart whether thinking is told apart from answers; else it is only known what is
     */
    public ReasoningDialect(ReasoningFormat format, Tokenizer tokenizer, boolean apart) {
        this.format = format;
        this.tokenizer = tokenizer;
        this.apart = apart;
        channels = new HarmonyTokens(tokenizer);
        begin = special(format.begin());
        end = special(format.end());
    }

    private int special(String mark) {
        int id = tokenizer.id(mark);
        return id >= 0 && tokenizer.special(id) ? id : -1;
    }

    /** How thinking is marked. */
    public ReasoningFormat format() {
        return format;
    }

    /** Whether thinking is told apart from answers. */
    public boolean apart() {
        return apart;
    }

    /**
     * What a {@link ReasoningSplitter} has to see in place of a token that the detokenizer leaves out; empty for any
     * that is no mark. Never to be shown to anybody.
     */
    public String mark(int token) {
        if (token < 0) {
            return "";
        }
        if (format.channels()) {
            return channels.mark(token).map(mark -> String.valueOf(mark.sign())).orElse("");
        }
        return token == begin ? String.valueOf(BEGIN) : token == end ? String.valueOf(END) : "";
    }

    /** Tokens with which an answer ends by the format itself, whatever the model's files say. */
    public int[] ends() {
        return format.channels() ? channels.ends() : new int[0];
    }

    /** Whether marks are no tokens of the vocabulary, and come as text. */
    public boolean spelled() {
        return format.channels() && !channels.known();
    }

    /** How a prompt leaves the model. */
    public ReasoningPlace place(int[] prompt) {
        if (!format.channels()) {
            int[] tail = Arrays.copyOfRange(prompt, Math.max(0, prompt.length - TAIL), prompt.length);
            return ReasoningPlace.of(format.opening(tokenizer.decode(tail, false)));
        }
        HarmonyTokens.Place place = channels.place(prompt);
        if (!place.within()) {
            return new ReasoningPlace(Opening.EITHER, place.header());
        }
        boolean thinking = HarmonyHeader.parse(place.header()).analysis();
        return ReasoningPlace.of(thinking ? Opening.THINKING : Opening.ANSWERING);
    }

    /**
     * Parts one answer.
     *
     * @param place where the prompt leaves the model
     * @param inContent whether thinking is told within the content, with its marks where those are text
     * @param use what is to know of channels, where the format has some
     * @param thinking where thinking goes
     * @param answer where the answer goes
     */
    public ReasoningSplitter splitter(
            ReasoningPlace place, boolean inContent, ChannelUse use, StringBuilder thinking, StringBuilder answer) {
        return format.channels()
                ? ReasoningSplitter.ofChannels(place, use, inContent, thinking, answer)
                : ReasoningSplitter.byMarks(format, place.opening(), inContent, thinking, answer);
    }
}
