package dev.jeton.models;

/**
 * Attention whose keys and values are computed from one narrow vector a token, which is all that is kept of it
 * (DeepSeek-AI: DeepSeek-V2, multi-head latent attention).
 *
 * <p>Of a token's normed input x: queries are q = Q norm(Q' x), or Q x where there is no narrow vector of queries; each
 * head's first {@code plain} elements are not turned, the {@code rotary} behind them are. {@code rank + rotary}
 * elements are K' x: the first {@code rank}, normed, are the latent vector c, the others, turned, are part of every
 * head's key. Head h has the key (K_h c, turned) and the value V_h c. As q · K_h c = (K_h^T q) · c and the sum of
 * values V_h c is V_h times the sum of the c, heads attend to the c themselves: one key head of {@code rank + rotary}
 * elements, whose values are its first {@code rank}.
 *
 * @param queryRank elements of the narrow vector that queries are computed from; 0 where there is none
 * @param rank elements of the vector that keys and values are computed from; 0 where a model has heads of both
 * @param plain elements of a query head that are not turned
 * @param rotary elements that are; even
 * @param value elements of a value head
 * @param paired whether elements that are turned together are neighbours, and not half of {@code rotary} apart
 */
public record Latent(int queryRank, int rank, int plain, int rotary, int value, boolean paired) {

    /** A model whose heads of keys and values are kept. */
    public static final Latent NONE = new Latent(0, 0, 0, 0, 0, false);

    /** Checks that what is turned is pairs. */
    public Latent {
        if (rotary % 2 != 0 || rank % 2 != 0) {
            throw new ModelException("kv_lora_rank %d and qk_rope_head_dim %d must be even".formatted(rank, rotary));
        }
    }

    /** Whether a model has this. */
    public boolean exists() {
        return rank > 0;
    }

    /** Elements that are kept of a token. */
    public int width() {
        return rank + rotary;
    }

    /** Of a configuration with the keys of DeepSeek-V2. */
    static Latent read(JsonObject config) {
        if (config.flag("attention_bias", false)) {
            throw new ModelException(
                    "%s: attention_bias is not supported for this architecture".formatted(config.source()));
        }
        return new Latent(
                config.optionalInteger("q_lora_rank", 1, 1 << 16).orElse(0),
                config.integer("kv_lora_rank", 2, 1 << 13),
                config.integer("qk_nope_head_dim", 1, 1024),
                config.integer("qk_rope_head_dim", 2, 1024),
                config.integer("v_head_dim", 1, 1024),
                config.flag("rope_interleave", true));
    }
}
