package dev.jeton.server.api;

import dev.jeton.models.VectorSpec;
import dev.jeton.models.VectorSpec.Kind;
import dev.jeton.server.json.JsonObject;
import dev.jeton.server.json.JsonWriter;
import java.nio.ByteBuffer;
import java.nio.ByteOrder;
import java.util.Arrays;
import java.util.Base64;

/** {@code POST /v1/embeddings}: vectors of texts, in OpenAI's shape. */
final class EmbeddingsEndpoint extends VectorEndpoint {

    EmbeddingsEndpoint(ServedModels models, Texts texts, Generator generator, Ladder ladder) {
        super("embeddings", models, texts, generator, ladder);
    }

    @Override
    void answer(Call call, JsonObject body, ServedModel model) throws InterruptedException {
        VectorSpec spec = Texts.require(model, Kind.EMBEDDING);
        boolean base64 = switch (body.optionalText("encoding_format").orElse("float")) {
            case "float" -> false;
            case "base64" -> true;
            default -> throw ApiException.invalid("encoding_format", "'encoding_format' must be 'float' or 'base64'");
        };
        int width = body.whole("dimensions", spec.width(), 1, spec.width());
        Prepared ask = texts.input(body, model);
        generator.vectors(call, model, ask, (out, vectors, usage) -> {
            out.beginObject().name("object").value("list").name("data").beginArray();
            for (int i = 0; i < vectors.size(); i++) {
                out.beginObject()
                        .name("object")
                        .value("embedding")
                        .name("index")
                        .value(i);
                write(out.name("embedding"), shortened(vectors.get(i), width), base64);
                out.endObject();
            }
            out.endArray().name("model").value(model.name());
            usage.write(out.name("usage"));
            out.endObject();
        });
    }

    /** The first elements, of length 1 again: what models are trained for that know of {@code dimensions}. */
    static float[] shortened(float[] vector, int width) {
        if (width >= vector.length) {
            return vector;
        }
        float[] part = Arrays.copyOf(vector, width);
        double squares = 0;
        for (float value : part) {
            squares += (double) value * value;
        }
        double length = Math.sqrt(squares);
        for (int i = 0; i < width && length > 0; i++) {
            part[i] = (float) (part[i] / length);
        }
        return part;
    }

    private static void write(JsonWriter out, float[] vector, boolean base64) {
        if (base64) {
            ByteBuffer bytes = ByteBuffer.allocate(Float.BYTES * vector.length).order(ByteOrder.LITTLE_ENDIAN);
            bytes.asFloatBuffer().put(vector);
            out.value(Base64.getEncoder().encodeToString(bytes.array()));
            return;
        }
        out.beginArray();
        for (float value : vector) {
            out.value(value);
        }
        out.endArray();
    }
}
