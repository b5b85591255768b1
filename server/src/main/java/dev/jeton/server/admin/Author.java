package dev.jeton.server.admin;

import java.util.OptionalLong;

/**
 * Who asks for a change.
 *
 * @param who id of an admin key, or what else changes something
 * @param from address; empty where it does not come over a network
 * @param reason in words; empty where none is given
 * @param expected the policy's version that the change was thought out for; empty for any
 */
public record Author(String who, String from, String reason, OptionalLong expected) {

    /** The configuration's files, which are read at start. */
    static Author files(String reason) {
        return new Author("files", "", reason, OptionalLong.empty());
    }
}
