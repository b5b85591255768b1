package dev.jeton.server.api;

import java.util.Optional;
import java.util.concurrent.ThreadLocalRandom;
import java.util.regex.Pattern;

/** Ids of requests: the client's own where it is sane, otherwise 128 random bits. */
final class RequestIds {

    private static final Pattern SANE = Pattern.compile("[A-Za-z0-9._-]{1,128}");

    private RequestIds() {}

    static String of(Optional<String> given) {
        return given.filter(id -> SANE.matcher(id).matches()).orElseGet(RequestIds::random);
    }

    /**
     * A name for the books, which must be unique: the id, with something random behind it where the client chose it.
     */
    static String forBooks(String id, Optional<String> given) {
        return given.filter(id::equals).isPresent() ? beginningInBooks(id) + random().substring(0, 16) : id;
    }

    /** How the names in the books begin of requests whose id a client chose. */
    static String beginningInBooks(String id) {
        return id + "~";
    }

    private static String random() {
        ThreadLocalRandom random = ThreadLocalRandom.current();
        return "%016x%016x".formatted(random.nextLong(), random.nextLong());
    }
}
