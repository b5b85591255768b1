package dev.jeton.server.api;

/** Where stored responses are asked for by their ids. */
final class ResponseDesk {

    /** Where ids follow. */
    static final String BELOW = "/v1/responses/";

    /** Why one may not be there. */
    static final String WHY =
            "it was not stored, was deleted, is too old, or has made room for others (responses.* in the configuration)";

    private final ResponseStore store;

    ResponseDesk(ResponseStore store) {
        this.store = store;
    }

    /**
     * The response that a path names. Another tenant's is answered as one that never was.
     *
     * @param end what follows its id
     * @throws ApiException 404
     */
    ResponseStore.Stored find(Call call, String end) {
        String id = id(call, end);
        return store.find(call.caller().payer(), id).orElseThrow(() -> notFound(id));
    }

    /**
     * Forgets the response that a path names.
     *
     * @return its id
     * @throws ApiException 404
     */
    String remove(Call call) {
        String id = id(call, "");
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
