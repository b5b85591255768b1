package dev.jeton.server.api;

import java.util.Optional;

/** Where stored responses are asked for by their ids. */
final class ResponseDesk {

    /** Where ids follow. */
    static final String BELOW = "/v1/responses/";

    /** Why one may not be there. */
    static final String WHY =
            "it has not ended, was not stored, was deleted, is too old, or has made room for others (responses.* in the configuration)";

    private final ResponseStore store;
    private final Backgrounds backgrounds;

    ResponseDesk(ResponseStore store, Backgrounds backgrounds) {
        this.store = store;
        this.backgrounds = backgrounds;
    }

    /** The response that a path names, where it is made in the background now. */
    Optional<Background> running(Call call, String end) {
        return backgrounds.find(call.caller().payer(), id(call, end));
    }

    /**
     * Answers with the stream of one that is made in the background now.
     *
     * @param after number of the last event that is not wanted
     */
    void read(Call call, Background background, long after) throws InterruptedException {
        backgrounds.read(call, background, after);
    }

    /**
     * The response that a path names, as far as it is. Another tenant's is answered as one that never was.
     *
     * @param end what follows its id
     * @throws ApiException 404
     */
    ResponseStore.Stored find(Call call, String end) {
        String id = id(call, end);
        return running(call, end)
                .map(Background::now)
                .or(() -> store.find(call.caller().payer(), id))
                .orElseThrow(() -> notFound(id));
    }

    /**
     * Forgets the response that a path names.
     *
     * @return its id
     * @throws ApiException 404; 409 where it is being made
     */
    String remove(Call call) {
        String id = id(call, "");
        if (running(call, "").isPresent()) {
            throw new ApiException(
                    409,
                    ApiException.INVALID_REQUEST,
                    "response_id",
                    "response_in_progress",
                    "The response '%s' is being made; cancel it first".formatted(ApiException.shown(id)));
        }
        if (!store.remove(call.caller().payer(), id)) {
            throw notFound(id);
        }
        return id;
    }

    private static String id(Call call, String end) {
        String path = call.exchange().path();
        return path.substring(BELOW.length(), path.length() - end.length());
    }

    private ApiException notFound(String id) {
        return new ApiException(
                404,
                ApiException.INVALID_REQUEST,
                "response_id",
                "response_not_found",
                "There is no response '%s': %s"
                        .formatted(
                                ApiException.shown(id),
                                store.open() ? WHY : "this server stores no responses (responses.store)"));
    }
}
