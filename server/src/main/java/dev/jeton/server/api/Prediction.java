package dev.jeton.server.api;

import dev.jeton.server.json.JsonObject;
import java.util.List;
import java.util.Optional;

/** OpenAI's {@code prediction}: what the client expects of the answer, which comes sooner where that is right. */
final class Prediction {

    static final String FIELD = "prediction";
    private static final String CONTENT = "content";

    private Prediction() {}

    /** The text that is expected; empty where nothing is. */
    static Optional<String> read(JsonObject body) {
        return body.object(FIELD).map(Prediction::content).filter(text -> !text.isEmpty());
    }

    /** For endpoints whose answers nobody can predict: nothing is passed over in silence. */
    static void refuse(JsonObject body) {
        if (body.has(FIELD)) {
            throw ApiException.unsupported(FIELD, "'%s' is taken in chats and completions only".formatted(FIELD));
        }
    }

    private static String content(JsonObject prediction) {
        expect(prediction, CONTENT);
        return switch (prediction.value(CONTENT).orElseGet(() -> prediction.text(CONTENT))) {
            case String whole -> whole;
            case List<?> parts -> joined(prediction);
            case Object other -> throw prediction.wrongType(CONTENT, "a string or an array of text parts", other);
        };
    }

    private static String joined(JsonObject prediction) {
        StringBuilder text = new StringBuilder();
        for (JsonObject part : prediction.objects(CONTENT)) {
            expect(part, "text");
            text.append(part.text("text"));
        }
        return text.toString();
    }

    private static void expect(JsonObject object, String type) {
        String given = object.text("type");
        if (!given.equals(type)) {
            throw object.wrong(
                    "type",
                    "'%s' must be '%s', but is '%s'".formatted(object.path("type"), type, ApiException.shown(given)));
        }
    }
}
