package dev.jeton.models.cuda;

/**
 * How many tiles attention is cut into, and the memory in which splits of a context meet. Decode tiles aim at a few for
 * every place of the device, so that short batches over long contexts still use all of it; prefill tiles are large and
 * need fewer. Attention to latent vectors has one kind of tile, which is a decode tile here.
 */
final class AttentionSizes {

    private static final int DECODE_WAVES = 4;
    private static final int PREFILL_PER_MULTIPROCESSOR = 2;
    /** Rows of at most so many queries of a key head, inputs times group, become decode tiles. */
    private static final int FEW_QUERIES = 32;

    /** One of the two kernels: its launch, and its workspace. */
    record Way(int threads, int shared, long partialOut, long partialSum, long counters) {}

    private final boolean latent;
    private final int group;
    private final int decodeRows;
    private final int prefillRows;
    private final int planThreads;
    private final int decodeTarget;
    private final int prefillTarget;
    private final Way decode;
    private final Way prefill;

    AttentionSizes(Device device, DeviceShape shape, StepKernels kernels) {
        int[] constants = kernels.attentionConstants();
        group = shape.group();
        latent = shape.spec().latent().exists();
        if (latent) {
            int valuePad = constants[1];
            decodeRows = constants[2];
            prefillRows = decodeRows;
            planThreads = constants[5];
            int resident = kernels.get("attention_latent").resident(constants[3], constants[4]);
            decodeTarget = Math.max(1, DECODE_WAVES * device.multiprocessors() * resident);
            prefillTarget = 1;
            decode = way(device, constants[3], constants[4], decodeTarget, decodeRows, valuePad);
            prefill = decode;
            return;
        }
        int headPad = constants[0];
        decodeRows = constants[1];
        prefillRows = constants[2];
        planThreads = constants[7];
        int heads = shape.spec().keyValueHeads();
        int resident = kernels.get("attention_decode").resident(constants[3], constants[5]);
        decodeTarget = Math.max(1, DECODE_WAVES * device.multiprocessors() * resident / heads);
        prefillTarget = Math.max(1, PREFILL_PER_MULTIPROCESSOR * device.multiprocessors() / heads);
        decode = way(device, constants[3], constants[5], (long) decodeTarget * heads, decodeRows, headPad);
        prefill = way(device, constants[4], constants[6], (long) prefillTarget * heads, prefillRows, headPad);
    }

    private static Way way(Device device, int threads, int shared, long tiles, int rows, int headPad) {
        return new Way(
                threads,
                shared,
                device.memory(4 * tiles * rows * headPad).address(),
                device.memory(8 * tiles * rows).address(),
                device.zeroed(4 * tiles).address());
    }

    /** Whether a row of so many inputs becomes decode tiles. */
    boolean few(int inputs) {
        return latent || inputs == 1 || inputs * group <= FEW_QUERIES;
    }

    /** Most decode tiles of so many rows and tokens. */
    int decodeTiles(int rows, int tokens) {
        if (latent) {
            return Math.max(decodeTarget, rows + Kernel.blocks((long) tokens * group, decodeRows));
        }
        return Math.max(decodeTarget, rows * Kernel.blocks(Math.max(group, FEW_QUERIES), decodeRows));
    }

    /** Most prefill tiles of so many rows and tokens. */
    int prefillTiles(int rows, int tokens) {
        return Math.max(prefillTarget, rows + Kernel.blocks((long) tokens * group, prefillRows));
    }

    int decodeTarget() {
        return decodeTarget;
    }

    int prefillTarget() {
        return prefillTarget;
    }

    int planThreads() {
        return planThreads;
    }

    Way decode() {
        return decode;
    }

    Way prefill() {
        return prefill;
    }
}
