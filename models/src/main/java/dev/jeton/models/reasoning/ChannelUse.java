package dev.jeton.models.reasoning;

import java.util.function.Predicate;

/**
 * What there is to know of an answer for who parts its channels.
 *
 * @param asText whether marks are looked for in the text, too
 * @param calls whether calls are told as such; otherwise they are text
 * @param functions those that there are
 * @param turn what is to be done before something is written to the other of thinking and answer
 */
public record ChannelUse(boolean asText, boolean calls, Predicate<String> functions, Runnable turn) {

    /** Without calls. */
    public static ChannelUse plain(boolean asText) {
        return new ChannelUse(asText, false, name -> false, () -> {});
    }
}
