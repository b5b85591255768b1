package dev.jeton.server.batch;

import java.net.URI;
import java.nio.file.Path;
import java.util.Optional;

/**
 * Who is asked, and in whose name.
 *
 * @param url of the server, before {@code /v1}
 * @param key that is sent; empty for none
 * @param labels for the books, as {@code X-Jeton-Labels} takes them; empty for none
 * @param authorities PEM file of who issued the server's certificate, where Java does not know them
 */
public record BatchTarget(URI url, String key, String labels, Optional<Path> authorities) {

    /**
     * Reads a URL.
     *
     * @throws BatchException where it is none of HTTP
     */
    public static URI url(String text) {
        String scheme = text.replaceFirst(":.*", "");
        try {
            URI url = URI.create(text.replaceAll("/+$", "").replaceAll("/v1$", ""));
            if ((scheme.equals("http") || scheme.equals("https")) && url.getHost() != null) {
                return url;
            }
        } catch (IllegalArgumentException e) {
            throw new BatchException("'%s' is no URL: %s".formatted(text, e.getMessage()), e);
        }
        throw new BatchException("'%s' is no URL of a server; one is http://localhost:8000".formatted(text));
    }
}
