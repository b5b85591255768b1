package dev.jeton.server.config;

/**
 * A setting's value and where it came from.
 *
 * @param value as text; several texts are separated by commas
 * @param origin in words: {@code default}, {@code jeton.yaml:3}, {@code JETON_SERVER_PORT}, {@code --port}
 */
public record Resolved(String value, String origin) {}
