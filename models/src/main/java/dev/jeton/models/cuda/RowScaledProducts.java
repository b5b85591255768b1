package dev.jeton.models.cuda;

import java.util.HashMap;
import java.util.List;
import java.util.Map;

/**
 * Which products cuBLASLt makes in fp8, with a scale for each row of activations and of weights. Some generations of
 * devices have none, and on others libraries refuse some sizes: on Hopper, few rows of wide inputs. So cuBLASLt is
 * asked about every size that steps have before any step runs, and one refusal decides for all sizes on its side of
 * {@code few}.
 *
 * <p>Owned by the device's thread; asked once, then only read.
 */
final class RowScaledProducts {

    /** Sizes of products of fp8 are multiples of so much. */
    private static final int STEP = 16;

    private record Shape(int outputs, int inputs) {}

    private record Answer(boolean few, boolean many) {}

    private static final Answer NONE = new Answer(false, false);

    private final Map<Shape, Answer> answers = new HashMap<>();
    private final int few;

    /**
     * Asks.
     *
     * @param matrices that may be multiplied with
     * @param sizes rows of activations that products of steps have, beyond those of which no product is cuBLASLt's
     * @param few most rows for which there is another way without writing weights out
     */
    RowScaledProducts(Device device, List<Matrix> matrices, List<Integer> sizes, int few) {
        this.few = few;
        for (Matrix w : matrices) {
            if (w.format() == WeightFormat.FP8 && w.rows() % STEP == 0 && w.columns() % STEP == 0) {
                answers.computeIfAbsent(new Shape(w.rows(), w.columns()), shape -> ask(device, shape, sizes));
            }
        }
    }

    /** The most rows first: where a device has none of these products, one question is enough. */
    private Answer ask(Device device, Shape shape, List<Integer> sizes) {
        List<Integer> descending = sizes.reversed();
        boolean many = descending.stream().filter(rows -> rows > few).allMatch(rows -> can(device, shape, rows));
        boolean small = descending.stream().filter(rows -> rows <= few).allMatch(rows -> can(device, shape, rows));
        return new Answer(small, many);
    }

    private static boolean can(Device device, Shape shape, int rows) {
        return device.can(device.product(rows, shape.outputs, shape.inputs, true, false));
    }

    private Answer answer(Matrix w) {
        return w.format() == WeightFormat.FP8 ? answers.getOrDefault(new Shape(w.rows(), w.columns()), NONE) : NONE;
    }

    /** Whether so many rows are multiplied with a matrix in fp8. */
    boolean takes(int rows, Matrix w) {
        Answer answer = answer(w);
        return rows <= few ? answer.few : answer.many;
    }

    /** Whether any number of rows is. */
    boolean takesSome(Matrix w) {
        return answer(w).few || answer(w).many;
    }

    /** Whether all numbers of rows beyond {@code few} are. */
    boolean takesMany(Matrix w) {
        return answer(w).many;
    }

    /** Whether all numbers of rows up to {@code few} are. */
    boolean takesFew(Matrix w) {
        return answer(w).few;
    }
}
