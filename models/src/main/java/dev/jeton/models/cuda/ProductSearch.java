package dev.jeton.models.cuda;

import java.time.Duration;
import java.util.ArrayList;
import java.util.List;
import org.slf4j.Logger;
import org.slf4j.LoggerFactory;

/**
 * How the products of a model are computed, decided while it is loaded. First every shape in use gets the algorithm
 * that the cache on disk has for it, or else cuBLASLt's own first choice; then, in the time that there is, algorithms
 * are timed for the shapes that the cache did not have. What is found is kept on disk, so only the first load on a
 * machine takes that long, and one that ran out of time is continued by the next.
 *
 * <p>What every device of several computes, all of it, is never timed: each would find its own algorithm, whose sums
 * are rounded in its own way, and of two experts that are nearly as likely not all devices would choose the same.
 * cuBLASLt's first choice is the same on devices that are, and so is what the cache has.
 *
 * <p>Time of one shape: eight algorithms by two to eight products, 0.1 s for the largest of an 8B model; 50 to 300
 * shapes.
 */
final class ProductSearch {

    private static final Logger LOG = LoggerFactory.getLogger(ProductSearch.class);

    /** Matrices that together take so much are not in the second cache when they are read again: 50 MB on H100. */
    private static final long COLD_BYTES = 128L << 20;

    private static final int MOST_MATRICES = 8;

    /**
     * A product as steps compute it.
     *
     * @param weights of all layers
     * @param alike whether it is to have the same bits on several devices
     * @param wide whether it gives float32
     * @param x an input as large as any; its values decide nothing but should be usual ones
     * @param y an output as large as any, which is overwritten
     * @param mostRows rows that it is computed for at most
     */
    record Use(List<Matrix> weights, boolean alike, boolean wide, long x, long y, int mostRows) {
        Use {
            weights = List.copyOf(weights);
        }

        private Matrix first() {
            return weights.getFirst();
        }

        /** Matrices to time with: different ones, so that they come from memory as they do in a step; two at least. */
        private List<Matrix> cold() {
            List<Matrix> matrices = new ArrayList<>();
            long bytes = 0;
            for (int i = 0; matrices.size() < 2 || (bytes < COLD_BYTES && i < weights.size()); i++) {
                Matrix matrix = weights.get(i % weights.size());
                matrices.add(matrix);
                bytes += matrix.bytes();
                if (matrices.size() == MOST_MATRICES) {
                    break;
                }
            }
            return matrices;
        }
    }

    private final Products products;
    private final List<Use> uses;

    ProductSearch(Products products, List<Use> uses) {
        this.products = products;
        this.uses = List.copyOf(uses);
    }

    /** Decides for all numbers of rows how they are computed, without timing anything. */
    void choose(List<Integer> rows) {
        for (int count : rows) {
            for (Use use : uses) {
                products.choose(Math.min(count, use.mostRows), use.first(), use.wide);
            }
        }
    }

    /**
     * Times algorithms for numbers of rows, those that matter most first, until the time is over; the shape at hand is
     * done to its end. Before anything is captured into a graph, which keeps the algorithm that it saw.
     */
    void search(List<Integer> rows, Duration most) {
        long begin = System.nanoTime();
        int found = 0;
        int left = 0;
        for (int count : rows) {
            for (Use use : uses) {
                int least = Math.min(count, use.mostRows);
                if (use.alike) {
                    products.tryOut(least, use.first(), use.wide, use.x, use.y);
                    continue;
                }
                if (products.decided(least, use.first(), use.wide)) {
                    continue;
                }
                if (System.nanoTime() - begin >= most.toNanos()) {
                    left++;
                    continue;
                }
                products.search(least, use.cold(), use.wide, use.x, use.y);
                found++;
            }
        }
        if (found + left > 0) {
            LOG.info(
                    "timed algorithms for {} shapes of products in {} ms; {} were left for the next start",
                    found,
                    (System.nanoTime() - begin) / 1_000_000,
                    left);
        }
    }
}
