package dev.jeton.models.tools;

import java.util.Optional;

/**
 * Reads one frame of a format, from behind its beginning to its end, unit by unit: characters, and marks as negative
 * numbers ({@link Marks}). Not thread-safe.
 */
abstract sealed class CallReader
        permits HermesReader,
                LlamaReader,
                MistralReader,
                TaggedReader,
                GlmReader,
                SectionReader,
                PythonicReader,
                HarmonyReader {

    /** Longest name of a function, in characters. */
    static final int MAX_NAME = 256;

    /** In place of which of a format's beginnings it was. */
    static final int BARE = -1;

    /** What a reader says of a unit. */
    enum Step {
        /** It is the frame's, which goes on. */
        MORE,
        /** It was the frame's last. */
        LAST,
        /** It is not the frame's: the frame is over, or was none, and the unit is text like any other. */
        NOT_MINE
    }

    /** Where a reader says what it reads. */
    interface Output {

        /** The frame is a call's, of this function: what was read of it is no text. */
        default void begin(String name) {
            begin(name, Optional.empty());
        }

        /** The same, with the id that the model gave the call. */
        void begin(String name, Optional<String> id);

        /** More of its arguments. */
        void arguments(CharSequence piece);

        /** One character more of its arguments. */
        void arguments(char c);

        /** The call has ended. */
        void end(CallSink.End how);

        /** What was read before this unit is the frame's, and no text. */
        void frameBefore();

        /** What was read up to and with this unit is the frame's, and no text. */
        void frame();
    }

    /**
     * The reader of a frame that has begun.
     *
     * @param which of the format's beginnings it was; {@link #BARE} for none
     */
    static CallReader of(ToolFormat format, int which, Output out, ToolSignatures tools) {
        return switch (format) {
            case HermesFormat hermes -> new HermesReader(hermes, out);
            case LlamaFormat llama -> new LlamaReader(out, tools, which != BARE);
            case MistralFormat mistral -> new MistralReader(mistral, out);
            case GraniteFormat granite -> new MistralReader(granite, out);
            case TaggedFormat tagged -> new TaggedReader(tagged, out, tools, which > 0);
            case GlmFormat glm -> new GlmReader(glm, out, tools);
            case DeepSeekFormat deepSeek -> new SectionReader(deepSeek, out, which > 0);
            case KimiFormat kimi -> new SectionReader(kimi, out, which > 0);
            case PythonicFormat pythonic -> new PythonicReader(pythonic, out, tools, which != BARE);
            case HarmonyFormat harmony -> new HarmonyReader(harmony, out);
        };
    }

    abstract Step take(int unit);

    /** The text has ended: a call that is open ends, as what it is; of the end of one's frame, nothing is text. */
    abstract void finish();

    /** How much of any of some literals the text ends with. */
    static int matched(Literal one, Literal other) {
        return Math.max(one.matched(), other.matched());
    }

    /** Whether a mark comes where a literal has begun as text: that text is none of the frame's. */
    static boolean breaksOff(int unit, int matched) {
        return unit < 0 && matched > 0;
    }

    /** Whether a unit behind a call's object may still be its frame's: models close more braces than they opened. */
    static boolean fills(int unit) {
        return unit == '}' || JsonScanner.space(unit);
    }

    /** Whether a unit can be of a name that stands among marks. */
    static boolean plain(int unit) {
        return unit > ' ' && unit != '<' && unit != '>' && unit != '"';
    }

    /** Whether a text can be a function's name. */
    static boolean name(CharSequence text) {
        return !text.isEmpty() && text.length() <= MAX_NAME;
    }
}
