package dev.jeton.server.api;

import java.nio.charset.StandardCharsets;
import java.security.MessageDigest;
import java.security.NoSuchAlgorithmException;
import java.util.List;
import java.util.Optional;

/** Accepted keys, kept and compared as digests: the time a comparison takes says nothing about a key. */
final class ApiKeys {

    private static final String SCHEME = "Bearer ";

    private final List<byte[]> digests;

    ApiKeys(List<String> keys) {
        digests = keys.stream().map(ApiKeys::digest).toList();
    }

    /**
     * Checks an {@code Authorization} header.
     *
     * @throws ApiException 401, if keys are asked for and this is none of them
     */
    void check(Optional<String> authorization) {
        if (digests.isEmpty()) {
            return;
        }
        byte[] given = digest(authorization
                .filter(value -> value.regionMatches(true, 0, SCHEME, 0, SCHEME.length()))
                .map(value -> value.substring(SCHEME.length()).strip())
                .orElse(""));
        boolean known = false;
        for (byte[] digest : digests) {
            known |= MessageDigest.isEqual(digest, given);
        }
        if (!known) {
            throw new ApiException(
                    401,
                    ApiException.INVALID_REQUEST,
                    "",
                    "invalid_api_key",
                    authorization.isEmpty()
                            ? "No API key was given: send it as 'Authorization: Bearer KEY'"
                            : "The API key is not one of this server's");
        }
    }

    private static byte[] digest(String key) {
        try {
            return MessageDigest.getInstance("SHA-256").digest(key.getBytes(StandardCharsets.UTF_8));
        } catch (NoSuchAlgorithmException e) {
            throw new IllegalStateException("every Java runtime has SHA-256", e);
        }
    }
}
