package dev.jeton.server.api;

/**
 * Sampling parameters of requests that name none, as in a model's generation_config.json; ranges as in
 * {@link dev.jeton.models.engine.SamplingParameters}.
 *
 * @param temperature 0 is greedy
 * @param topK 0 keeps all
 * @param topP 1 keeps all
 * @param minP 0 keeps all
 * @param repetitionPenalty 1 is off
 */
public record SamplingDefaults(double temperature, int topK, double topP, double minP, double repetitionPenalty) {

    /** What the OpenAI API takes where a model says nothing. */
    public static final SamplingDefaults OPENAI = new SamplingDefaults(1, 0, 1, 0, 1);
}
