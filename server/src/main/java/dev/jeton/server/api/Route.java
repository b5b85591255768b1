package dev.jeton.server.api;

/**
 * Something that the server answers.
 *
 * @param method the only method; a HEAD is answered where a GET is
 * @param path as it is called; a part in braces stands for any text
 * @param keyed whether a key is asked for, where there are any
 */
public record Route(String method, String path, boolean keyed) {}
