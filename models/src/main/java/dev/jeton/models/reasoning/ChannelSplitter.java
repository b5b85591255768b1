package dev.jeton.models.reasoning;

import dev.jeton.models.harmony.HarmonyHeader;
import dev.jeton.models.harmony.HarmonyMark;
import dev.jeton.models.tools.HarmonyFormat;
import java.util.Optional;
import java.util.stream.IntStream;

/**
 * Parts the channels of an answer in OpenAI's harmony format: messages of the channel {@code analysis} are thinking,
 * those of others the answer, and calls go there in frames that a parser of {@link HarmonyFormat} reads. There may be
 * several of each, in any order; between two that go to the same place there is an empty line.
 *
 * <p>Headers are held back until they end, and never shown. Nothing else is lost: what is no header after all is text,
 * and what stands in one that never ends is the beginning of its message. A message for a tool that is no function is
 * told in its channel, with the tool's name in front. Marks are special tokens, or text where the vocabulary has none
 * of them.
 */
final class ChannelSplitter implements ReasoningSplitter {

    /** Most characters of a header: more than names of functions may have, with some space. */
    static final int MOST_HEADER = 384;

    private static final String BREAK = "\n\n";

    /** What marks begin with where they are text. */
    private static final char MARKS_BEGIN = '<';

    private enum State {
        /** Before a message, or in its header. */
        HEADER,
        THINKING,
        ANSWERING,
        CALLING,
        /** The text has ended, in an answer or a call. */
        ANSWERED,
        ENDED
    }

    /** Where something was written last. */
    private enum Side {
        NONE,
        THINKING,
        ANSWER
    }

    private final ChannelUse use;
    private final boolean together;
    private final StringBuilder thinking;
    private final StringBuilder answer;
    private final StringBuilder header = new StringBuilder();
    private final StringBuilder partial = new StringBuilder();
    private State state = State.HEADER;
    private Side side = Side.NONE;
    /** How much of the header the prompt has. */
    private int given;
    /** Whether the header was begun by its mark, be it in the prompt. */
    private boolean started;

    /** Whether nothing of the message was written yet. */
    private boolean fresh = true;

    private boolean thought;
    private boolean answered;
    private boolean afterHigh;
    private long length;
    private long contiguous = Long.MAX_VALUE;

    /**
     * Splits one answer.
     *
     * @param place where the prompt leaves the model
     * @param together whether thinking and answer are told as one text
     * @param thinking where thinking goes
     * @param answer where the answer goes
     */
    ChannelSplitter(
            ReasoningPlace place, ChannelUse use, boolean together, StringBuilder thinking, StringBuilder answer) {
        this.use = use;
        this.together = together;
        this.thinking = thinking;
        this.answer = answer;
        started = !place.header().isEmpty();
        switch (place.opening()) {
            case EITHER -> {
                header.append(place.header());
                given = header.length();
            }
            case THINKING -> state = State.THINKING;
            case ANSWERING -> state = State.ANSWERING;
        }
    }

    @Override
    public boolean thinking() {
        return state == State.THINKING;
    }

    @Override
    public boolean beginning() {
        return state == State.HEADER;
    }

    @Override
    public boolean answering() {
        return switch (state) {
            case ANSWERING, CALLING, ANSWERED -> true;
            case HEADER, THINKING, ENDED -> false;
        };
    }

    @Override
    public boolean holding() {
        return header.length() > given || !partial.isEmpty();
    }

    @Override
    public long answered() {
        return length;
    }

    @Override
    public long contiguous() {
        return contiguous;
    }

    @Override
    public void add(CharSequence piece) {
        for (int i = 0; i < piece.length(); i++) {
            char next = piece.charAt(i);
            boolean sign = Character.isLowSurrogate(next) && !afterHigh;
            afterHigh = Character.isHighSurrogate(next);
            if (sign) {
                unmatched();
                HarmonyMark.of(next).ifPresent(this::mark);
            } else if (use.asText()) {
                spell(next);
            } else {
                take(next);
            }
        }
    }

    @Override
    public void finish() {
        unmatched();
        if (state == State.HEADER) {
            if (started || marked()) {
                abandon();
            } else if (!header.toString().isBlank() || side == Side.NONE) {
                plain();
            }
        }
        header.setLength(0);
        given = 0;
        state = answering() ? State.ANSWERED : State.ENDED;
    }

    /** Looks for marks that are written as text. */
    private void spell(char next) {
        if (partial.isEmpty() && next != MARKS_BEGIN) {
            take(next);
            return;
        }
        partial.append(next);
        Optional<HarmonyMark> whole = HarmonyMark.of(partial);
        if (whole.isPresent()) {
            partial.setLength(0);
            mark(whole.get());
        } else if (!HarmonyMark.begins(partial)) {
            partial.setLength(partial.length() - 1);
            unmatched();
            partial.append(next);
            if (!HarmonyMark.begins(partial)) {
                unmatched();
            }
        }
    }

    /** What could have been the beginning of a mark is none. */
    private void unmatched() {
        for (int i = 0; i < partial.length(); i++) {
            take(partial.charAt(i));
        }
        partial.setLength(0);
    }

    private void mark(HarmonyMark mark) {
        boolean inHeader = state == State.HEADER;
        switch (mark) {
            case START -> {
                end();
                header(true);
            }
            case CHANNEL -> {
                if (!inHeader) {
                    end();
                    header(false);
                }
                header.append(mark.sign());
            }
            case CONSTRAIN -> {
                if (inHeader) {
                    header.append(mark.sign());
                }
            }
            case MESSAGE -> {
                if (inHeader) {
                    begin(HarmonyHeader.parse(header));
                }
            }
            case END, RETURN, CALL -> {
                end();
                header(false);
            }
        }
    }

    private void header(boolean byMark) {
        state = State.HEADER;
        header.setLength(0);
        given = 0;
        started = byMark;
    }

    /** Whether a mark says that this is a header. */
    private boolean marked() {
        return IntStream.range(0, header.length())
                .anyMatch(i -> HarmonyMark.at(header, i).isPresent());
    }

    private void take(char next) {
        switch (state) {
            case HEADER -> {
                header.append(next);
                if (header.length() - given > MOST_HEADER) {
                    overflow();
                } else if (!marked() && !mayBeRole()) {
                    plain();
                }
            }
            case THINKING -> write(thinking, Side.THINKING, next);
            case ANSWERING -> write(answer, Side.ANSWER, next);
            case CALLING -> answer.append(next);
            case ANSWERED, ENDED -> {}
        }
    }

    /**
     * Whether what was written before any mark can be a role, and a recipient with a type behind it. Where the prompt
     * has the role, only white space can follow it.
     */
    private boolean mayBeRole() {
        int at = given;
        while (given == 0 && at < header.length() && letter(header.charAt(at))) {
            at++;
        }
        while (at < header.length() && Character.isWhitespace(header.charAt(at))) {
            at++;
        }
        String rest = header.substring(at);
        if (!rest.startsWith(HarmonyHeader.TO)) {
            return HarmonyHeader.TO.startsWith(rest);
        }
        int named = 0;
        while (named < rest.length() && !Character.isWhitespace(rest.charAt(named))) {
            named++;
        }
        return HarmonyHeader.mayBeType(rest.substring(named).strip());
    }

    private static boolean letter(char c) {
        return c < 0x80 && (Character.isLetterOrDigit(c) || c == '.' || c == '_' || c == '-' || c == '=');
    }

    /** What was held back is text, as it stands; but for the role of a message that was begun. */
    private void plain() {
        String role = HarmonyHeader.ASSISTANT;
        boolean written = given == 0 && started && header.indexOf(role) == 0;
        String text = header.substring(written ? role.length() : given);
        if (written) {
            contiguous = Math.min(contiguous, length);
        }
        header.setLength(0);
        given = 0;
        open(State.ANSWERING);
        text.chars().forEach(c -> take((char) c));
    }

    /** A header that does not end is none any more, and whom it names nobody's name. */
    private void overflow() {
        if (!marked()) {
            plain();
            return;
        }
        String whole = header.toString();
        HarmonyHeader broken = HarmonyHeader.parse(whole);
        if (broken.rest().isBlank()) {
            int from = given;
            begin(HarmonyHeader.NONE);
            feed(whole.substring(from));
        } else {
            begin(broken);
            feed(broken.rest());
        }
    }

    /** The message has ended, or its header without one. */
    private void end() {
        switch (state) {
            case HEADER -> abandon();
            case CALLING -> answer.append(HarmonyFormat.END);
            case THINKING, ANSWERING, ANSWERED, ENDED -> {}
        }
    }

    private void abandon() {
        if (!started && !marked()) {
            if (!header.toString().isBlank()) {
                plain();
            }
            return;
        }
        HarmonyHeader broken = HarmonyHeader.parse(
                marked() ? header : HarmonyHeader.ASSISTANT + header.substring(Math.max(given, roleEnd())));
        if (!broken.rest().isBlank()) {
            begin(broken);
            feed(broken.rest());
            end();
        }
    }

    private int roleEnd() {
        return header.indexOf(HarmonyHeader.ASSISTANT) == 0 ? HarmonyHeader.ASSISTANT.length() : 0;
    }

    private void feed(String rest) {
        contiguous = Math.min(contiguous, length);
        String text = rest.stripLeading();
        IntStream.range(0, text.length())
                .filter(i -> HarmonyMark.at(text, i).isEmpty())
                .forEach(i -> take(text.charAt(i)));
    }

    private void begin(HarmonyHeader read) {
        header.setLength(0);
        given = 0;
        Optional<String> function = read.function(use.functions()).filter(name -> use.calls());
        if (function.isPresent()) {
            open(State.CALLING);
            turn(Side.ANSWER);
            answer.append(HarmonyFormat.BEGIN).append(function.get()).append(HarmonyFormat.ARGUMENTS);
            return;
        }
        open(read.analysis() ? State.THINKING : State.ANSWERING);
        if (read.toTool()) {
            contiguous = Math.min(contiguous, length);
            (HarmonyHeader.TO + read.recipient() + " ").chars().forEach(c -> take((char) c));
        }
    }

    private void open(State next) {
        state = next;
        fresh = true;
        if (length > 0) {
            contiguous = Math.min(contiguous, length);
        }
    }

    private void turn(Side next) {
        if (side != next) {
            use.turn().run();
        }
        side = next;
    }

    private void write(StringBuilder out, Side to, char next) {
        if (fresh) {
            fresh = false;
            turn(to);
            boolean before = to == Side.THINKING ? thought : answered;
            if (before || together && (thought || answered)) {
                out.append(BREAK);
                length += to == Side.ANSWER ? BREAK.length() : 0;
            }
            thought |= to == Side.THINKING;
            answered |= to == Side.ANSWER;
        }
        out.append(next);
        length += to == Side.ANSWER ? 1 : 0;
    }
}
