package dev.jeton.server.config;

/** Configuration that cannot be used; the message names the key and where it stands, and says what to do. */
public final class ConfigException extends RuntimeException {

    /** With the key, where it stands, and what to do. */
    public ConfigException(String message) {
        super(message);
    }
}
