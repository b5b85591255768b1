package dev.jeton.models.harmony;

import java.util.List;
import java.util.Optional;
import java.util.Set;
import java.util.function.Predicate;

/**
 * What the header of a message says. Models write it in several ways, and now and then wrongly: a recipient may stand
 * before the channel or behind it, a type with its mark or without, and what cannot be understood is passed over.
 *
 * @param channel empty where it names none
 * @param recipient empty where it names none
 * @param rest what is none of this: in a header that was never ended, the beginning of its message
 */
public record HarmonyHeader(String channel, String recipient, String rest) {

    /** Who writes answers. */
    public static final String ASSISTANT = "assistant";

    /** What comes before the name of a function that is called. */
    public static final String FUNCTIONS = "functions.";

    /** What comes before a recipient. */
    public static final String TO = "to=";

    /** The channel of thinking. */
    public static final String ANALYSIS = "analysis";

    /** The channel of calls, and of what is said before them. */
    public static final String COMMENTARY = "commentary";

    /** The channel of the answer. */
    public static final String FINAL = "final";

    /** One that says nothing. */
    public static final HarmonyHeader NONE = new HarmonyHeader("", "", "");

    private static final List<String> CHANNELS = List.of(ANALYSIS, COMMENTARY, FINAL);
    private static final Set<String> TYPES = Set.of("json", "code", "text");
    /** Recipients that are no tools. */
    private static final Set<String> PEOPLE = Set.of("", "all", "user", ASSISTANT);

    /**
     * Reads a header.
     *
     * @param header its text from behind {@link HarmonyMark#START} on, with {@linkplain HarmonyMark#sign signs}
     */
    public static HarmonyHeader parse(CharSequence header) {
        Reader reader = new Reader(header.toString());
        reader.read();
        return new HarmonyHeader(reader.channel, reader.recipient, reader.text.substring(reader.at));
    }

    /** Whether a text is what says what a message is made of, or the beginning of that. */
    public static boolean mayBeType(String text) {
        return TYPES.stream().anyMatch(type -> type.startsWith(text));
    }

    /** Whether its message is thinking; a call in that channel is one. */
    public boolean analysis() {
        return channel.equals(ANALYSIS);
    }

    /** Whether its message is for a tool. */
    public boolean toTool() {
        return !PEOPLE.contains(recipient);
    }

    /**
     * The function that its message calls.
     *
     * @param known functions that are also known without the usual prefix, which models now and then forget
     */
    public Optional<String> function(Predicate<String> known) {
        if (recipient.startsWith(FUNCTIONS) && recipient.length() > FUNCTIONS.length()) {
            return Optional.of(recipient.substring(FUNCTIONS.length()));
        }
        return toTool() && known.test(recipient) ? Optional.of(recipient) : Optional.empty();
    }

    /** Reads a header from its beginning to where it is one no longer. */
    private static final class Reader {
        private final String text;
        private int at;
        private String channel = "";
        private String recipient = "";

        Reader(String text) {
            this.text = text;
        }

        void read() {
            int mark = HarmonyMark.CHANNEL.in(text, 0);
            at = text.startsWith(ASSISTANT) ? ASSISTANT.length() : 0;
            to();
            if (mark >= 0) {
                if (recipient.isEmpty()) {
                    // the role is another's
                    word();
                    to();
                }
                at = mark + 1;
                channel();
            } else if (!recipient.isEmpty()) {
                type();
            }
        }

        private void channel() {
            spaces();
            Optional<String> known =
                    CHANNELS.stream().filter(name -> text.startsWith(name, at)).findFirst();
            if (known.isPresent()) {
                channel = known.get();
                at += channel.length();
            } else if (!text.startsWith(TO, at)) {
                channel = word();
            }
            to();
            type();
            to();
            int next = HarmonyMark.CHANNEL.in(text, at);
            if (next >= 0) {
                at = next + 1;
                channel();
            }
        }

        private void to() {
            int before = at;
            spaces();
            if (text.startsWith(TO, at)) {
                recipient = word().substring(TO.length());
            } else {
                at = before;
            }
        }

        private void type() {
            int before = at;
            spaces();
            if (at < text.length() && text.charAt(at) == HarmonyMark.CONSTRAIN.sign()) {
                at++;
                spaces();
                word();
            } else if (!TYPES.contains(word())) {
                at = before;
            }
        }

        private void spaces() {
            while (at < text.length() && Character.isWhitespace(text.charAt(at))) {
                at++;
            }
        }

        private String word() {
            int from = at;
            while (at < text.length()
                    && !Character.isWhitespace(text.charAt(at))
                    && HarmonyMark.at(text, at).isEmpty()) {
                at++;
            }
            return text.substring(from, at);
        }
    }
}
