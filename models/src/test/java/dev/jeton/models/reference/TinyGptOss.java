package dev.jeton.models.reference;

import dev.jeton.models.DecoderSpec;
import dev.jeton.models.SafetensorsWriter;
import java.util.Random;

/**
 * The experts of a layer of gpt-oss as its checkpoints have them: all in one tensor, gates and ups by turns, in MXFP4
 * or column by column.
 */
final class TinyGptOss {

    private static final double[] FP4 = {0, 0.5, 1, 1.5, 2, 3, 4, 6, -0.0, -0.5, -1, -1.5, -2, -3, -4, -6};

    private final TinyModel model;
    private final SafetensorsWriter writer;
    private final String name;
    private final Random random;
    private final int count;
    private final int hidden;
    private final int inner;

    /** @param name what tensors of the layer's feed-forward half begin with */
    TinyGptOss(TinyModel model, SafetensorsWriter writer, String name, Random random) {
        this.model = model;
        this.writer = writer;
        this.name = name;
        this.random = random;
        DecoderSpec spec = model.spec;
        count = spec.experts().count();
        hidden = spec.hidden();
        inner = spec.experts().intermediate();
    }

    void write(double scale) {
        float[] router = values(count * hidden, scale);
        writer.add(name + "router.weight", model.type, new int[] {count, hidden}, router);
        keep("gate.weight", router, count, hidden);
        float[] bias = values(count, 0.5);
        writer.add(name + "router.bias", model.type, new int[] {count}, bias);
        keep("gate.bias", bias, count);
        project("gate_up_proj", 2 * inner, hidden, 4 * scale);
        project("down_proj", hidden, inner, 1 / Math.sqrt(inner));
    }

    /** Of all experts: {@code [outputs][inputs]} each. */
    private void project(String projection, int outputs, int inputs, double scale) {
        float[] bias = values(count * outputs, 0.5);
        writer.add(name + "experts." + projection + "_bias", model.type, new int[] {count, outputs}, bias);
        float[] values = values(count * outputs * inputs, scale);
        if (model.mxfp4) {
            blocks(projection, values, outputs, inputs);
        } else {
            float[] turned = new float[values.length];
            for (int e = 0; e < count; e++) {
                for (int o = 0; o < outputs; o++) {
                    for (int i = 0; i < inputs; i++) {
                        turned[(e * inputs + i) * outputs + o] = values[(e * outputs + o) * inputs + i];
                    }
                }
            }
            writer.add(name + "experts." + projection, model.type, new int[] {count, inputs, outputs}, turned);
        }
        boolean both = projection.equals("gate_up_proj");
        for (int e = 0; e < count; e++) {
            String expert = "experts." + e + ".";
            if (both) {
                part(expert + "gate_proj", values, bias, e * outputs, 2, inner, inputs);
                part(expert + "up_proj", values, bias, e * outputs + 1, 2, inner, inputs);
            } else {
                part(expert + "down_proj", values, bias, e * outputs, 1, outputs, inputs);
            }
        }
    }

    private void part(String as, float[] values, float[] bias, int first, int step, int rows, int columns) {
        float[] own = new float[rows * columns];
        float[] ownBias = new float[rows];
        for (int row = 0; row < rows; row++) {
            System.arraycopy(values, (first + row * step) * columns, own, row * columns, columns);
            ownBias[row] = bias[first + row * step];
        }
        keep(as + ".weight", own, rows, columns);
        keep(as + ".bias", ownBias, rows);
    }

    /** Stores the nearest values of each block, and leaves those in {@code values}. */
    private void blocks(String projection, float[] values, int outputs, int inputs) {
        byte[] blocks = new byte[values.length / 2];
        byte[] powers = new byte[values.length / 32];
        for (int block = 0; block < powers.length; block++) {
            double most = 0;
            for (int i = 0; i < 32; i++) {
                most = Math.max(most, Math.abs(values[32 * block + i]));
            }
            int power = (int) Math.floor(Math.log(most / 6) / Math.log(2)) + 1;
            powers[block] = (byte) (power + 127);
            for (int i = 0; i < 32; i++) {
                int at = 32 * block + i;
                int best = 0;
                for (int n = 1; n < 16; n++) {
                    double better = Math.abs(FP4[n] * Math.pow(2, power) - values[at]);
                    best = better < Math.abs(FP4[best] * Math.pow(2, power) - values[at]) ? n : best;
                }
                values[at] = (float) (FP4[best] * Math.pow(2, power));
                blocks[at / 2] |= (byte) (best << 4 * (i % 2));
            }
        }
        String all = name + "experts." + projection;
        writer.add(all + "_blocks", "U8", new int[] {count, outputs, inputs / 32, 16}, blocks);
        writer.add(all + "_scales", "U8", new int[] {count, outputs, inputs / 32}, powers);
    }

    private float[] values(int size, double scale) {
        float[] values = new float[size];
        for (int i = 0; i < size; i++) {
            values[i] = SafetensorsWriter.rounded(model.type, (float) (scale * random.nextGaussian()));
        }
        return values;
    }

    private void keep(String as, float[] values, int... shape) {
        double[] exact = new double[values.length];
        for (int i = 0; i < exact.length; i++) {
            exact[i] = values[i];
        }
        model.weights.put(name + as, exact);
        model.shapes.put(name + as, shape);
    }
}
