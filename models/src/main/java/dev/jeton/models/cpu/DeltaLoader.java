package dev.jeton.models.cpu;

import dev.jeton.models.DecoderSpec;
import dev.jeton.models.Delta;
import dev.jeton.models.Tensor;
import dev.jeton.models.WeightFiles;
import dev.jeton.models.vector.VectorMath;
import java.util.Arrays;
import java.util.List;

/**
 * Finds the tensors of a layer of linear attention ({@link Delta}).
 *
 * @param name what their names begin with
 */
record DeltaLoader(DecoderSpec spec, WeightFiles files, String name) {

    /** What becomes one matrix: q, k and v of all heads, z, and b and a. */
    List<Tensor> projections() {
        Delta delta = spec.delta();
        return List.of(
                projection("q", delta.keysWidth()),
                projection("k", delta.keysWidth()),
                projection("v", delta.valuesWidth()),
                projection("z", delta.valuesWidth()),
                projection("b", delta.valueHeads()),
                projection("a", delta.valueHeads()));
    }

    private Tensor projection(String part, int rows) {
        return files.tensor("%sin_proj_%s.weight".formatted(name, part), rows, spec.hidden());
    }

    /** The name of the output projection. */
    String output() {
        return name + "out_proj.weight";
    }

    /** What is no matrix. */
    DecoderWeights.DeltaWeights weights() {
        Delta delta = spec.delta();
        float[] norm = files.tensor(name + "norm.weight", delta.valueWidth()).toFloats();
        return new DecoderWeights.DeltaWeights(
                convolution(),
                decay(),
                files.tensor(name + "dt_bias", delta.valueHeads()).toFloats(),
                Arrays.copyOf(norm, VectorMath.padded(norm.length)));
    }

    /** GGUF files have it as it is multiplied with. */
    private float[] decay() {
        int heads = spec.delta().valueHeads();
        if (files.find(name + "A").isPresent()) {
            return files.tensor(name + "A", heads).toFloats();
        }
        float[] decay = files.tensor(name + "A_log", heads).toFloats();
        for (int h = 0; h < decay.length; h++) {
            decay[h] = (float) -Math.exp(decay[h]);
        }
        return decay;
    }

    private float[] convolution() {
        Delta delta = spec.delta();
        int taps = delta.taps();
        String kernel = name + "conv1d.weight";
        boolean flat = files.find(kernel).filter(t -> t.shape().size() == 2).isPresent();
        float[] stored = (flat
                        ? files.tensor(kernel, delta.channels(), taps)
                        : files.tensor(kernel, delta.channels(), 1, taps))
                .toFloats();
        int keys = VectorMath.padded(delta.keyWidth());
        int width = 2 * keys + VectorMath.padded(delta.valueWidth());
        float[] byHead = new float[delta.valueHeads() * taps * width];
        for (int head = 0; head < delta.valueHeads(); head++) {
            int query = delta.keyHead(head) * delta.keyWidth();
            for (int tap = 0; tap < taps; tap++) {
                int to = (head * taps + tap) * width;
                channels(stored, query, tap, byHead, to, delta.keyWidth());
                channels(stored, delta.keysWidth() + query, tap, byHead, to + keys, delta.keyWidth());
                int value = 2 * delta.keysWidth() + head * delta.valueWidth();
                channels(stored, value, tap, byHead, to + 2 * keys, delta.valueWidth());
            }
        }
        return byHead;
    }

    private void channels(float[] stored, int first, int tap, float[] to, int at, int count) {
        for (int i = 0; i < count; i++) {
            to[at + i] = stored[(first + i) * spec.delta().taps() + tap];
        }
    }
}
