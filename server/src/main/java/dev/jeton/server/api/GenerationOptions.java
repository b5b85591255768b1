package dev.jeton.server.api;

import dev.jeton.models.engine.LogitBias;
import dev.jeton.models.engine.SamplingParameters;
import dev.jeton.server.config.Configuration.LimitSettings;
import dev.jeton.server.json.JsonException;
import dev.jeton.server.json.JsonObject;
import java.util.ArrayList;
import java.util.List;
import java.util.Optional;
import java.util.OptionalLong;
import java.util.concurrent.ThreadLocalRandom;
import java.util.stream.IntStream;
import org.jspecify.annotations.Nullable;

/**
 * What both APIs' requests say of the generation.
 *
 * @param n continuations of each prompt
 * @param stream whether the answer is streamed
 * @param includeUsage whether the stream ends with the usage
 * @param maxTokens most tokens to generate, if said
 * @param sampling how tokens are chosen
 * @param stopTokens ids that end a sequence
 * @param stopStrings texts that end a sequence
 * @param skipSpecialTokens whether special tokens are left out of the text
 * @param tier how soon it wants to be served; empty where it does not say
 * @param guidance what the text must be; empty where it may be any
 */
record GenerationOptions(
        int n,
        boolean stream,
        boolean includeUsage,
        OptionalLong maxTokens,
        SamplingParameters sampling,
        int[] stopTokens,
        List<String> stopStrings,
        boolean skipSpecialTokens,
        Optional<ServiceTier> tier,
        Optional<Guidance> guidance) {

    private static final double MAX_TEMPERATURE = 100;
    private static final double MAX_PENALTY = 2;
    private static final double MAX_BIAS = 100;
    /** Smaller ones would divide by nothing; no model's configuration comes near. */
    private static final double LEAST_REPETITION_PENALTY = 0.01;

    private static final double LEAST_TOP_P = 1e-9;

    /**
     * Reads them.
     *
     * @param maxTokens as the API at hand names it
     * @param logProbabilities as {@link SamplingParameters#logProbabilities}
     */
    static GenerationOptions read(
            JsonObject body, ServedModel model, LimitSettings limits, OptionalLong maxTokens, int logProbabilities) {
        return read(body, model, limits, maxTokens, logProbabilities, "stop");
    }

    /**
     * Reads them.
     *
     * @param maxTokens as the API at hand names it
     * @param logProbabilities as {@link SamplingParameters#logProbabilities}
     * @param stop what the API at hand calls stop strings
     */
    static GenerationOptions read(
            JsonObject body,
            ServedModel model,
            LimitSettings limits,
            OptionalLong maxTokens,
            int logProbabilities,
            String stop) {
        boolean stream = body.flag("stream", false);
        Optional<JsonObject> streamOptions = body.object("stream_options");
        if (streamOptions.isPresent() && !stream) {
            throw ApiException.invalid("stream_options", "'stream_options' is only allowed when 'stream' is true");
        }
        int minTokens = body.whole("min_tokens", 0, 0, Integer.MAX_VALUE);
        if (maxTokens.isPresent() && minTokens > maxTokens.getAsLong()) {
            throw ApiException.invalid(
                    "min_tokens",
                    "'min_tokens' is %d, more than the most tokens to generate, %d"
                            .formatted(minTokens, maxTokens.getAsLong()));
        }
        int[] stopTokens = stopTokens(body, model, limits);
        SamplingDefaults defaults = model.defaults();
        SamplingParameters sampling = new SamplingParameters(
                body.number("temperature", defaults.temperature(), 0, MAX_TEMPERATURE),
                Math.max(0, body.whole("top_k", defaults.topK(), -1, Integer.MAX_VALUE)),
                topP(body, defaults.topP()),
                body.number("min_p", defaults.minP(), 0, 1),
                body.number("repetition_penalty", defaults.repetitionPenalty(), LEAST_REPETITION_PENALTY, 100),
                body.number("presence_penalty", 0, -MAX_PENALTY, MAX_PENALTY),
                body.number("frequency_penalty", 0, -MAX_PENALTY, MAX_PENALTY),
                logitBias(body, model, limits),
                body.optionalWhole("seed", Long.MIN_VALUE, Long.MAX_VALUE)
                        .orElseGet(() -> ThreadLocalRandom.current().nextLong()),
                minTokens,
                stopTokens,
                logProbabilities);
        return new GenerationOptions(
                body.whole("n", 1, 1, limits.maxN()),
                stream,
                streamOptions
                        .map(options -> options.flag("include_usage", false))
                        .orElse(false),
                maxTokens,
                sampling,
                stopTokens,
                stopStrings(body, stop, limits),
                body.flag("skip_special_tokens", true),
                ServiceTier.read(body),
                Guidance.read(body, limits));
    }

    /**
     * The same, where the text must be what the API's own parameter says, if that says it.
     *
     * @throws ApiException 400 where another one says what it must be
     */
    GenerationOptions guided(Optional<Guidance> format) {
        if (format.isPresent() && guidance.isPresent()) {
            throw ApiException.invalid(
                    guidance.get().field(),
                    "'%s' and '%s' exclude one another; an answer is one of them"
                            .formatted(format.get().field(), guidance.get().field()));
        }
        return format.map(this::guided).orElse(this);
    }

    /** The same with at most so many tokens. */
    GenerationOptions capped(long most) {
        return new GenerationOptions(
                n,
                stream,
                includeUsage,
                OptionalLong.of(Math.min(most, maxTokens.orElse(most))),
                sampling,
                stopTokens,
                stopStrings,
                skipSpecialTokens,
                tier,
                guidance);
    }

    /** The same, where the text must be what that says. */
    GenerationOptions guided(Guidance by) {
        return new GenerationOptions(
                n,
                stream,
                includeUsage,
                maxTokens,
                sampling,
                stopTokens,
                stopStrings,
                skipSpecialTokens,
                tier,
                Optional.of(by));
    }

    /** Of a request that generates nothing. */
    static GenerationOptions none(Optional<ServiceTier> tier) {
        return new GenerationOptions(
                1,
                false,
                false,
                OptionalLong.of(0),
                SamplingParameters.GREEDY,
                new int[0],
                List.of(),
                true,
                tier,
                Optional.empty());
    }

    /** How soon it is served. */
    ServiceTier servedAs() {
        return tier.orElse(ServiceTier.DEFAULT);
    }

    private static double topP(JsonObject body, double otherwise) {
        // 0 is what some clients send for "the most likely only"; as a share of probability it must be above 0.
        return Math.max(LEAST_TOP_P, body.number("top_p", otherwise, 0, 1));
    }

    private static int[] stopTokens(JsonObject body, ServedModel model, LimitSettings limits) {
        List<@Nullable Object> given = body.list("stop_token_ids").orElse(List.of());
        if (given.size() > limits.maxStopTokens()) {
            throw ApiException.invalid(
                    "stop_token_ids",
                    "'stop_token_ids' has %d ids, at most %d are accepted"
                            .formatted(given.size(), limits.maxStopTokens()));
        }
        int[] ids = TokenIds.read("stop_token_ids", given, model.vocabulary());
        if (body.flag("ignore_eos", false)) {
            return ids;
        }
        return IntStream.concat(IntStream.of(model.eosTokens()), IntStream.of(ids))
                .distinct()
                .toArray();
    }

    private static List<String> stopStrings(JsonObject body, String name, LimitSettings limits) {
        List<@Nullable Object> given = switch (body.value(name).orElse(List.of())) {
            case String stop -> List.of(stop);
            case List<?> list -> new ArrayList<@Nullable Object>(list);
            case Object other -> throw body.wrongType(name, "a string or an array of strings", other);
        };
        if (given.size() > limits.maxStopStrings()) {
            throw ApiException.invalid(
                    name,
                    "'%s' has %d strings, at most %d are accepted"
                            .formatted(name, given.size(), limits.maxStopStrings()));
        }
        List<String> stops = new ArrayList<>();
        for (int i = 0; i < given.size(); i++) {
            String field = name + "[" + i + "]";
            if (!(given.get(i) instanceof String stop)) {
                throw new JsonException(
                        field, "'%s' must be a string, but is %s".formatted(field, JsonObject.kind(given.get(i))));
            }
            if (stop.isEmpty() || stop.length() > limits.maxStopLength()) {
                throw ApiException.invalid(
                        field,
                        "'%s' has %d characters; between 1 and %d are accepted"
                                .formatted(field, stop.length(), limits.maxStopLength()));
            }
            stops.add(stop);
        }
        return stops;
    }

    private static LogitBias logitBias(JsonObject body, ServedModel model, LimitSettings limits) {
        Optional<JsonObject> given = body.object("logit_bias");
        if (given.isEmpty()) {
            return LogitBias.NONE;
        }
        JsonObject bias = given.get();
        int count = bias.fields().size();
        if (count > limits.maxLogitBias()) {
            throw ApiException.invalid(
                    "logit_bias",
                    "'logit_bias' has %d tokens, at most %d are accepted".formatted(count, limits.maxLogitBias()));
        }
        int[] tokens = new int[count];
        float[] values = new float[count];
        int next = 0;
        for (var entry : bias.fields().entrySet()) {
            String field = bias.path(entry.getKey());
            tokens[next] = TokenIds.parse(field, entry.getKey(), model.vocabulary());
            values[next++] = (float) JsonObject.number(field, entry.getValue(), -MAX_BIAS, MAX_BIAS);
        }
        if (IntStream.of(tokens).distinct().count() != count) {
            throw ApiException.invalid("logit_bias", "'logit_bias' names a token twice");
        }
        return new LogitBias(tokens, values);
    }

    /**
     * Most tokens to generate after this prompt: what was asked for, or the rest of the context.
     *
     * @param promptField the parameter that holds the prompt
     * @param lengthField the parameter that said how many
     * @throws ApiException if the context has no room for the prompt, or for both
     */
    int maxTokensAfter(int promptTokens, ServedModel model, String promptField, String lengthField) {
        int context = model.contextLength();
        long room = (long) context - promptTokens;
        long wanted = maxTokens.orElse(Math.max(1, room));
        if (wanted > room) {
            String ask = maxTokens.isPresent() && room > 0
                    ? "the prompt has %d tokens and %d are to be generated".formatted(promptTokens, wanted)
                    : "the prompt has %d tokens".formatted(promptTokens);
            throw ApiException.contextExceeded(
                    room > 0 ? lengthField : promptField,
                    "This model's context has %d tokens, but %s; shorten the one or the other".formatted(context, ask));
        }
        if (sampling.minTokens() > wanted) {
            throw ApiException.invalid(
                    "min_tokens",
                    "'min_tokens' is %d, but there is room for %d tokens".formatted(sampling.minTokens(), wanted));
        }
        return (int) wanted;
    }
}
