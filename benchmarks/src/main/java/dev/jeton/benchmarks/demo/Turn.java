package dev.jeton.benchmarks.demo;

/**
 * One message of a conversation.
 *
 * @param role who speaks: {@link SpecialToken#SYSTEM}, {@link SpecialToken#USER} or {@link SpecialToken#ASSISTANT}
 * @param text what is said, without white space around it
 */
public record Turn(SpecialToken role, String text) {
    public Turn {
        if (role == SpecialToken.BOS || role == SpecialToken.END || role == SpecialToken.PAD) {
            throw new IllegalArgumentException(role + " is not a speaker");
        }
        text = text.strip();
    }

    static Turn system(String text) {
        return new Turn(SpecialToken.SYSTEM, text);
    }

    static Turn user(String text) {
        return new Turn(SpecialToken.USER, text);
    }

    static Turn assistant(String text) {
        return new Turn(SpecialToken.ASSISTANT, text);
    }
}
