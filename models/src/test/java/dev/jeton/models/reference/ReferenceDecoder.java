package dev.jeton.models.reference;

import dev.jeton.models.DecoderSpec;
import dev.jeton.models.Latent;
import java.util.Arrays;
import java.util.List;
import java.util.Map;
import java.util.function.UnaryOperator;

/**
 * A decoder's forward pass written as plainly as its definition, in float64, independent of the engine: one position at
 * a time, whole contexts in arrays, no blocks, no batches. Rotary scaling is written anew here too.
 */
public final class ReferenceDecoder {

    private static final List<String> PROJECTIONS = List.of("gate_proj", "up_proj", "down_proj");

    private final DecoderSpec spec;
    private final Map<String, double[]> weights;
    private final double[] frequencies;
    private final double[] windowFrequencies;
    private final double rotaryFactor;
    private final UnaryOperator<double[]> cached;

    public ReferenceDecoder(
            DecoderSpec spec, Map<String, double[]> weights, double[] frequencies, double rotaryFactor) {
        this(spec, weights, frequencies, rotaryFactor, UnaryOperator.identity());
    }

    /** With what becomes of a head of K or V when it is kept. */
    public ReferenceDecoder(
            DecoderSpec spec,
            Map<String, double[]> weights,
            double[] frequencies,
            double rotaryFactor,
            UnaryOperator<double[]> cached) {
        this(spec, weights, frequencies, frequencies, rotaryFactor, cached);
    }

    /** With frequencies of their own in layers with a window. */
    public ReferenceDecoder(
            DecoderSpec spec,
            Map<String, double[]> weights,
            double[] frequencies,
            double[] windowFrequencies,
            double rotaryFactor,
            UnaryOperator<double[]> cached) {
        this.windowFrequencies = windowFrequencies;
        this.cached = cached;
        this.spec = spec;
        this.weights = weights;
        this.frequencies = frequencies;
        this.rotaryFactor = rotaryFactor;
    }

    /** Logits at every position. */
    public double[][] logits(int[] tokens) {
        return logits(tokens, new double[tokens.length]);
    }

    /**
     * The same, and how clear the choice of experts is at every position.
     *
     * @param margins where that goes: how far the router's logit of the last expert chosen is above that of the first
     *     one not chosen, in the layer where it is the least; infinite where nothing is left out
     */
    public double[][] logits(int[] tokens, double[] margins) {
        double[][] states = states(tokens, margins);
        double[] head = weights.get(spec.tiedEmbedding() ? "model.embed_tokens.weight" : "lm_head.weight");
        double[][] logits = new double[states.length][];
        for (int t = 0; t < states.length; t++) {
            logits[t] = times(head, states[t], new double[0]);
            for (int i = 0; i < logits[t].length; i++) {
                logits[t][i] =
                        capped(logits[t][i], spec.scales().logitCap()) / (isGranite() ? Configs.GRANITE_LOGITS : 1);
            }
        }
        return logits;
    }

    /** The normalised state after the last layer at every position. */
    public double[][] states(int[] tokens) {
        return states(tokens, new double[tokens.length]);
    }

    private double[][] states(int[] tokens, double[] margins) {
        int n = tokens.length;
        Arrays.fill(margins, Double.POSITIVE_INFINITY);
        double[][] x = new double[n][];
        double[] embedding = weights.get("model.embed_tokens.weight");
        for (int t = 0; t < n; t++) {
            x[t] = Arrays.copyOfRange(embedding, tokens[t] * spec.hidden(), (tokens[t] + 1) * spec.hidden());
            for (int i = 0; i < x[t].length; i++) {
                x[t][i] *= isGemma() ? Math.sqrt(spec.hidden()) : isGranite() ? Configs.GRANITE_EMBEDDING : 1;
            }
        }
        for (int layer = 0; layer < spec.layers(); layer++) {
            layer(layer, x, margins);
        }
        for (int t = 0; t < n; t++) {
            x[t] = norm(x[t], weights.get("model.norm.weight"));
        }
        return x;
    }

    private void layer(int layer, double[][] x, double[] margins) {
        String name = "model.layers." + layer + ".";
        String attention = name + "self_attn.";
        int n = x.length;
        if (spec.delta().in(layer)) {
            delta(name, x, margins);
            return;
        }
        double[][] q = new double[n][];
        double[][] k = new double[n][];
        double[][] v = new double[n][];
        double[][] gates = new double[n][];
        for (int t = 0; t < n; t++) {
            double[] in = weights.containsKey(name + "input_layernorm.weight")
                    ? norm(x[t], weights.get(name + "input_layernorm.weight"))
                    : x[t];
            if (spec.latent().exists()) {
                latent(attention, in, t, q, k, v);
                continue;
            }
            if (weights.containsKey(attention + "qkv_proj.weight")) {
                double[] all = linear(attention + "qkv_proj", in);
                int query = spec.queryWidth();
                int key = query + spec.keyValueWidth();
                q[t] = Arrays.copyOfRange(all, 0, query);
                k[t] = Arrays.copyOfRange(all, query, key);
                v[t] = Arrays.copyOfRange(all, key, all.length);
            } else {
                q[t] = ungated(linear(attention + "q_proj", in), gates, t);
                k[t] = linear(attention + "k_proj", in);
                v[t] = linear(attention + "v_proj", in);
            }
            double[] turns = turns(layer);
            q[t] = heads(q[t], t, spec.heads(), attention + "q_norm.weight", turns);
            k[t] = heads(k[t], t, spec.keyValueHeads(), attention + "k_norm.weight", turns);
            keep(k[t]);
            keep(v[t]);
        }
        for (int t = 0; t < n; t++) {
            double[] sinks = weights.getOrDefault(attention + "sinks", new double[0]);
            double[] seen = attend(q[t], k, v, t, spec.windows().get(layer), sinks);
            for (int i = 0; spec.outputGate() && i < seen.length; i++) {
                seen[i] /= 1 + Math.exp(-gates[t][i]);
            }
            double[] attended = linear(attention + "o_proj", seen);
            if (isGemma()) {
                add(x[t], norm(attended, weights.get(name + "post_attention_layernorm.weight")));
                double[] in = norm(x[t], weights.get(name + "pre_feedforward_layernorm.weight"));
                add(x[t], norm(feed(name, in, t, margins), weights.get(name + "post_feedforward_layernorm.weight")));
            } else if (weights.containsKey(name + "post_mlp_layernorm.weight")) {
                add(x[t], norm(attended, weights.get(name + "post_self_attn_layernorm.weight")));
                double[] in = norm(x[t], weights.get(name + "post_attention_layernorm.weight"));
                add(x[t], norm(feed(name, in, t, margins), weights.get(name + "post_mlp_layernorm.weight")));
            } else if (weights.containsKey(name + "post_feedforward_layernorm.weight")) {
                add(x[t], norm(attended, weights.get(name + "post_attention_layernorm.weight")));
                double[] given = feed(name, x[t], t, margins);
                add(x[t], norm(given, weights.get(name + "post_feedforward_layernorm.weight")));
            } else {
                add(x[t], branch(attended));
                double[] in = norm(x[t], weights.get(name + "post_attention_layernorm.weight"));
                add(x[t], branch(feed(name, in, t, margins)));
            }
        }
    }

    private void delta(String name, double[][] x, double[] margins) {
        double[][] in = new double[x.length][];
        for (int t = 0; t < x.length; t++) {
            in[t] = norm(x[t], weights.get(name + "input_layernorm.weight"));
        }
        String linear = name + "linear_attn.";
        double[][] heads = new ReferenceDelta(spec.delta(), weights, linear, spec.normEpsilon()).heads(in, margins);
        for (int t = 0; t < x.length; t++) {
            add(x[t], linear(linear + "out_proj", heads[t]));
            double[] after = norm(x[t], weights.get(name + "post_attention_layernorm.weight"));
            add(x[t], feed(name, after, t, margins));
        }
    }

    /** Queries of what may be, head by head, queries and gates. */
    private double[] ungated(double[] given, double[][] gates, int t) {
        if (!spec.outputGate()) {
            return given;
        }
        int d = spec.headDim();
        double[] q = new double[given.length / 2];
        gates[t] = new double[q.length];
        for (int h = 0; h < spec.heads(); h++) {
            System.arraycopy(given, 2 * h * d, q, h * d, d);
            System.arraycopy(given, (2 * h + 1) * d, gates[t], h * d, d);
        }
        return q;
    }

    /** Radians by position of the pairs of a layer's heads; empty where these are not turned. */
    private double[] turns(int layer) {
        int window = spec.windows().get(layer);
        boolean turned = switch (spec.architecture()) {
            case "Exaone4ForCausalLM" -> window > 0 || spec.windows().stream().allMatch(w -> w == 0);
            case "SmolLM3ForCausalLM" -> layer % 4 != 3;
            default -> true;
        };
        return !turned ? new double[0] : window > 0 ? windowFrequencies : frequencies;
    }

    /** What a half of a layer adds of what it gives. */
    private double[] branch(double[] given) {
        return isGranite() ? ReferenceRouting.scaled(given, Configs.GRANITE_RESIDUAL) : given;
    }

    /** Heads of keys and values, each computed from the narrow vector; what is kept is that and what is turned. */
    private void latent(String name, double[] in, int t, double[][] q, double[][] k, double[][] v) {
        Latent latent = spec.latent();
        q[t] = latent.queryRank() > 0
                ? linear(
                        name + "q_b_proj",
                        norm(linear(name + "q_a_proj", in), weights.get(name + "q_a_layernorm.weight")))
                : linear(name + "q_proj", in);
        int d = spec.headDim();
        for (int h = 0; h < spec.heads(); h++) {
            turn(q[t], h * d + latent.plain(), t);
        }
        double[] narrow = linear(name + "kv_a_proj_with_mqa", in);
        double[] vector = norm(Arrays.copyOf(narrow, latent.rank()), weights.get(name + "kv_a_layernorm.weight"));
        double[] turned = Arrays.copyOfRange(narrow, latent.rank(), narrow.length);
        turn(turned, 0, t);
        double[] both = linear(name + "kv_b_proj", cached.apply(vector));
        int ofHead = latent.plain() + latent.value();
        k[t] = new double[spec.heads() * d];
        v[t] = new double[spec.heads() * latent.value()];
        for (int h = 0; h < spec.heads(); h++) {
            System.arraycopy(both, h * ofHead, k[t], h * d, latent.plain());
            System.arraycopy(cached.apply(turned), 0, k[t], h * d + latent.plain(), latent.rotary());
            System.arraycopy(both, h * ofHead + latent.plain(), v[t], h * latent.value(), latent.value());
        }
    }

    private void turn(double[] x, int at, int position) {
        for (int i = 0; i < frequencies.length; i++) {
            int a = at + (spec.latent().paired() ? 2 * i : i);
            int b = spec.latent().paired() ? a + 1 : a + frequencies.length;
            double cos = Math.cos(position * frequencies[i]) * rotaryFactor;
            double sin = Math.sin(position * frequencies[i]) * rotaryFactor;
            double first = x[a];
            x[a] = first * cos - x[b] * sin;
            x[b] = x[b] * cos + first * sin;
        }
    }

    private double[] feed(String name, double[] in, int position, double[] margins) {
        if (weights.containsKey(name + "block_sparse_moe.gate.weight")) {
            return experts(name + "block_sparse_moe.", List.of("w1", "w3", "w2"), in, position, margins);
        }
        if (weights.containsKey(name + "block_sparse_moe.router.layer.weight")) {
            return granite(name, in, position, margins);
        }
        if (weights.containsKey(name + "shared_mlp.input_linear.weight")) {
            return fused(name + "shared_mlp.", 0, spec.intermediate(), in);
        }
        if (weights.containsKey(name + "mlp.gate.weight")) {
            return experts(name + "mlp.", PROJECTIONS, in, position, margins);
        }
        if (weights.containsKey(name + "mlp.gate_up_proj.weight")) {
            double[] both = linear(name + "mlp.gate_up_proj", in);
            int half = both.length / 2;
            double[] up = Arrays.copyOfRange(both, half, both.length);
            return linear(name + "mlp.down_proj", gated(Arrays.copyOf(both, half), up));
        }
        return expert(name + "mlp.", PROJECTIONS, in);
    }

    private double[] granite(String name, double[] in, int position, double[] margins) {
        ReferenceRouting routing =
                ReferenceRouting.of(spec.experts(), linear(name + "block_sparse_moe.router.layer", in), new double[0]);
        margins[position] = Math.min(margins[position], routing.margin());
        double[] out = routing.sum(routing.chosen().stream()
                .map(e -> fused(name + "block_sparse_moe.", e, spec.experts().intermediate(), in))
                .toList());
        add(out, fused(name + "shared_mlp.", 0, spec.experts().shared().width(), in));
        return out;
    }

    /** One of feed-forward layers that lie one after the other, gates before ups. */
    private double[] fused(String name, int number, int width, double[] in) {
        return fused(name + "input_linear.weight", name + "output_linear.weight", number, width, in);
    }

    private double[] fused(String gateUp, String down, int number, int width, double[] in) {
        int rows = 2 * width * in.length;
        double[] input = weights.get(gateUp);
        double[] both = times(Arrays.copyOfRange(input, number * rows, (number + 1) * rows), in, new double[0]);
        double[] inner = gated(Arrays.copyOf(both, width), Arrays.copyOfRange(both, width, 2 * width));
        double[] output = weights.get(down);
        int size = in.length * width;
        return times(Arrays.copyOfRange(output, number * size, (number + 1) * size), inner, new double[0]);
    }

    private double[] expert(String name, List<String> projections, double[] in) {
        double[] gate = linear(name + projections.get(0), in);
        return linear(name + projections.get(2), gated(gate, linear(name + projections.get(1), in)));
    }

    /** What those chosen give by their shares, and what all tokens go through. */
    private double[] experts(String name, List<String> projections, double[] in, int position, double[] margins) {
        double[] logits = linear(name + "gate", in);
        double[] correction = weights.getOrDefault(
                name + "gate.e_score_correction_bias",
                weights.getOrDefault(
                        name + "e_score_correction_bias",
                        weights.getOrDefault(name + "moe_statics.e_score_correction_bias", new double[0])));
        ReferenceRouting routing = ReferenceRouting.of(spec.experts(), logits, correction);
        margins[position] = Math.min(margins[position], routing.margin());
        String stacked = name + "experts.gate_up_proj";
        double[] out = routing.sum(routing.chosen().stream()
                .map(e -> weights.containsKey(stacked)
                        ? fused(
                                stacked,
                                name + "experts.down_proj",
                                e,
                                spec.experts().intermediate(),
                                in)
                        : expert(name + "experts." + e + ".", projections, in))
                .toList());
        for (String shared : List.of("shared_experts.", "shared_expert.")) {
            if (weights.containsKey(name + shared + projections.getFirst() + ".weight")) {
                add(out, ReferenceRouting.scaled(expert(name + shared, projections, in), gate(name, in)));
            }
        }
        return out;
    }

    private double gate(String name, double[] in) {
        return weights.containsKey(name + "shared_expert_gate.weight")
                ? 1 / (1 + Math.exp(-linear(name + "shared_expert_gate", in)[0]))
                : 1;
    }

    private double[] gated(double[] gate, double[] up) {
        double[] out = new double[gate.length];
        for (int i = 0; i < out.length; i++) {
            double x = gate[i];
            if (spec.architecture().startsWith("GptOss")) {
                x = Math.min(x, 7);
                out[i] = x / (1 + Math.exp(-1.702 * x)) * (Math.clamp(up[i], -7, 7) + 1);
                continue;
            }
            double active = isGemma()
                    ? x / 2 * (1 + Math.tanh(Math.sqrt(2 / Math.PI) * (x + 0.044715 * x * x * x)))
                    : x / (1 + Math.exp(-x));
            out[i] = active * up[i];
        }
        return out;
    }

    private static double capped(double value, double cap) {
        return cap == 0 ? value : cap * Math.tanh(value / cap);
    }

    private boolean isGranite() {
        return spec.architecture().startsWith("Granite");
    }

    private boolean normsFromOne() {
        return isGemma() || spec.delta().exists();
    }

    private boolean isGemma() {
        return spec.architecture().startsWith("Gemma");
    }

    private double[] attend(double[] q, double[][] k, double[][] v, int position, int window, double[] sinks) {
        int d = spec.headDim();
        boolean latent = spec.latent().exists();
        int perHead = latent ? 1 : spec.heads() / spec.keyValueHeads();
        int width = latent ? spec.latent().value() : d;
        double[] out = new double[spec.attendedWidth()];
        int first = window == 0 ? 0 : Math.max(0, position - window + 1);
        for (int h = 0; h < spec.heads(); h++) {
            int at = h / perHead * d;
            double[] score = new double[position + 1];
            double sum = sinks.length == 0 ? 0 : Math.exp(sinks[h]);
            for (int t = first; t <= position; t++) {
                for (int i = 0; i < d; i++) {
                    score[t] += q[h * d + i] * k[t][at + i];
                }
                double scale =
                        isGranite() ? Configs.GRANITE_ATTENTION : spec.scales().query();
                if (List.of("Ministral3ForCausalLM", "Mistral4ForCausalLM").contains(spec.architecture())) {
                    int steps = position / Configs.GROWTH_CONTEXT;
                    scale *= 1 + Configs.GROWTH * Math.log(1 + steps);
                }
                score[t] = Math.exp(capped(score[t] * scale, spec.scales().attentionCap()));
                sum += score[t];
            }
            for (int t = first; t <= position; t++) {
                for (int i = 0; i < width; i++) {
                    out[h * width + i] += score[t] / sum * v[t][h / perHead * width + i];
                }
            }
        }
        return out;
    }

    private double[] heads(double[] given, int position, int heads, String norm, double[] turns) {
        int d = spec.headDim();
        double[] weight = weights.getOrDefault(norm, new double[0]);
        double[] x = weight.length == given.length && heads > 1 ? norm(given, weight) : given;
        for (int h = 0; h < heads; h++) {
            double[] head = Arrays.copyOfRange(x, h * d, (h + 1) * d);
            if (weight.length > 0 && x == given) {
                head = norm(head, weight);
            }
            System.arraycopy(head, 0, x, h * d, d);
            for (int i = 0; i < turns.length; i++) {
                double angle = position * turns[i];
                double cos = Math.cos(angle) * rotaryFactor;
                double sin = Math.sin(angle) * rotaryFactor;
                int a = turnsNeighbours() ? 2 * i : i;
                int b = turnsNeighbours() ? 2 * i + 1 : i + turns.length;
                x[h * d + a] = head[a] * cos - head[b] * sin;
                x[h * d + b] = head[b] * cos + head[a] * sin;
            }
        }
        return x;
    }

    private boolean turnsNeighbours() {
        return spec.architecture().matches("(Glm4?|Ernie4_5(_Moe)?)ForCausalLM");
    }

    private void keep(double[] x) {
        int d = spec.headDim();
        for (int at = 0; at < x.length; at += d) {
            System.arraycopy(cached.apply(Arrays.copyOfRange(x, at, at + d)), 0, x, at, d);
        }
    }

    private double[] norm(double[] x, double[] weight) {
        double sum = 0;
        for (double value : x) {
            sum += value * value;
        }
        double epsilon = isGranite() ? Configs.EPSILON : spec.normEpsilon();
        double root = Math.sqrt(sum / x.length + epsilon);
        double[] out = new double[x.length];
        for (int i = 0; i < x.length; i++) {
            out[i] = x[i] / root * (normsFromOne() ? 1 + weight[i] : weight[i]);
        }
        return out;
    }

    private double[] linear(String name, double[] x) {
        return times(weights.get(name + ".weight"), x, weights.getOrDefault(name + ".bias", new double[0]));
    }

    private static double[] times(double[] w, double[] x, double[] bias) {
        double[] out = new double[w.length / x.length];
        for (int n = 0; n < out.length; n++) {
            double sum = bias.length == 0 ? 0 : bias[n];
            for (int i = 0; i < x.length; i++) {
                sum += w[n * x.length + i] * x[i];
            }
            out[n] = sum;
        }
        return out;
    }

    private static void add(double[] x, double[] y) {
        for (int i = 0; i < x.length; i++) {
            x[i] += y[i];
        }
    }
}
