package dev.jeton.server.http;

import java.util.List;
import java.util.Locale;
import java.util.Map;
import java.util.Optional;
import java.util.TreeMap;
import java.util.function.Consumer;

/** A POST that the server asks itself, whole from the start; what becomes of its answer is for others to say. */
abstract sealed class OwnExchange implements Exchange permits InnerExchange, DetachedExchange {

    private final String path;
    private final Map<String, String> headers = new TreeMap<>();
    private final byte[] body;

    /** @param headers by names in small letters */
    OwnExchange(String path, Map<String, String> headers, byte[] body) {
        this.path = path;
        this.headers.putAll(headers);
        this.body = body;
    }

    @Override
    public final String method() {
        return "POST";
    }

    @Override
    public final String path() {
        return path;
    }

    @Override
    public final Map<String, List<String>> query() {
        return Map.of();
    }

    @Override
    public final Optional<String> header(String name) {
        return Optional.ofNullable(headers.get(name.toLowerCase(Locale.ROOT)));
    }

    @Override
    public final String remote() {
        return "";
    }

    @Override
    public final byte[] body() {
        return body;
    }

    @Override
    public final ArrivingBody arriving() {
        throw new IllegalStateException("the body is whole");
    }

    @Override
    public final void record(int most, Consumer<Recording> whole) {
        throw new IllegalStateException("who asks itself does not repeat itself");
    }

    @Override
    public final void fail() {}
}
