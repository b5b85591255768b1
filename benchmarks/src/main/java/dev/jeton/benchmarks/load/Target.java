package dev.jeton.benchmarks.load;

import java.net.URI;

/**
 * The server under load.
 *
 * @param host where it listens
 * @param port where it listens
 * @param path of the API's root, as in {@code /v1}
 * @param model name in requests
 * @param apiKey sent as a bearer token; empty sends none
 */
public record Target(String host, int port, String path, String model, String apiKey) {

    /**
     * Reads an address such as {@code http://localhost:8000/v1}.
     *
     * @throws IllegalArgumentException if it is not plain http
     */
    public static Target of(String url, String model, String apiKey) {
        URI uri = URI.create(url);
        if (!"http".equals(uri.getScheme()) || uri.getHost() == null) {
            throw new IllegalArgumentException(
                    "'%s' is no plain http address; use one like http://localhost:8000/v1".formatted(url));
        }
        String path = uri.getPath().endsWith("/")
                ? uri.getPath().substring(0, uri.getPath().length() - 1)
                : uri.getPath();
        return new Target(uri.getHost(), uri.getPort() < 0 ? 80 : uri.getPort(), path, model, apiKey);
    }

    Target withModel(String name) {
        return new Target(host, port, path, name, apiKey);
    }
}
