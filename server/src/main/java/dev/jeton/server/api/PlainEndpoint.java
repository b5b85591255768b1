package dev.jeton.server.api;

import java.util.Map;
import java.util.function.Supplier;

/**
 * A GET that anyone may call and that takes no input: health, version, metrics.
 *
 * @param name the name in metrics and logs
 * @param contentType type of what is answered
 * @param answer asked at each call
 */
record PlainEndpoint(String name, String contentType, Supplier<Answer> answer) implements Endpoint {

    /** What is answered. */
    record Answer(int status, byte[] content) {}

    @Override
    public String method() {
        return "GET";
    }

    @Override
    public Guard guard() {
        return Guard.OPEN;
    }

    @Override
    public void handle(Call call) {
        Answer given = answer.get();
        call.answer(given.status(), Map.of("content-type", contentType), given.content());
    }
}
