package dev.jeton.models;

/**
 * What queries are multiplied with by their position, so that attention stays sharp over long contexts: {@code 1 + beta
 * ln(1 + floor(position / context))}, as Llama 4, Ministral 3 and Mistral 4 have it.
 *
 * @param beta how fast it grows; 0 where it does not
 * @param context positions of a step of it
 */
public record QueryGrowth(double beta, int context) {

    /** None: 1 at every position. */
    public static final QueryGrowth NONE = new QueryGrowth(0, 1);

    /** Checks that there are steps. */
    public QueryGrowth {
        if (!(beta >= 0) || Double.isInfinite(beta) || context < 1) {
            throw new ModelException("queries grow by %s every %d positions".formatted(beta, context));
        }
    }

    /** Whether there is any. */
    public boolean exists() {
        return beta > 0;
    }

    /** What the query of a position is multiplied with. */
    public double at(int position) {
        return beta == 0 ? 1 : 1 + beta * Math.log1p(position / context);
    }

    /** What a configuration's rotary settings say. */
    static QueryGrowth read(JsonObject config) {
        return config.object("rope_parameters")
                .or(() -> config.object("rope_scaling"))
                .filter(rope -> rope.number("llama_4_scaling_beta", 0) != 0)
                .map(rope -> new QueryGrowth(
                        rope.number("llama_4_scaling_beta", 0),
                        rope.integer("original_max_position_embeddings", 1, 1 << 30)))
                .orElse(NONE);
    }
}
