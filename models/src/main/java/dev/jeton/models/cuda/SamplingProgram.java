package dev.jeton.models.cuda;

/**
 * What becomes of logits, as launches on the stream: the model's soft-cap where it has one, scores of prompts, then
 * penalties, biases and masks, then the choice of a token by the slot's parameters; and, once for a step, what was
 * chosen is taken into the slots.
 *
 * <p>A row of logits is read three times, twice of them from the second cache: 4 bytes an entry of the vocabulary.
 */
final class SamplingProgram {

    private static final int CAP_THREADS = 256;
    /** Logits that a block of threads caps. */
    private static final int CAP_STEP = 4 * CAP_THREADS;

    private final StepKernels kernels;
    private final Slots slots;
    private final int vocabulary;
    private final int stride;
    private final float cap;
    private final long logits;
    private final long segments;
    private final long outputs;

    /**
     * @param logits {@code [rows][stride]} of the chunk that is being sampled
     * @param outputs where results go, as {@link StepOutputs.Layout} says
     */
    SamplingProgram(Device device, DeviceShape shape, StepKernels kernels, Slots slots, long logits, long outputs) {
        this.kernels = kernels;
        this.slots = slots;
        this.logits = logits;
        this.outputs = outputs;
        vocabulary = shape.spec().vocabulary();
        stride = shape.logitStride();
        cap = (float) shape.spec().scales().logitCap();
        segments = device.memory(16L * StepLayout.CHUNK * kernels.segments(vocabulary))
                .address();
    }

    /**
     * Samples a chunk of rows of logits.
     *
     * @param header of the chunk
     * @param from its first row of logits
     * @param rows that there may be at most
     * @param scored whether log-probabilities of prompts are wanted
     * @param masks where grammar masks lie, 0 where there are none
     */
    void sample(long input, StepLayout layout, long header, int from, int rows, boolean scored, long masks) {
        StepOutputs.Layout out = new StepOutputs.Layout(layout.rows(), layout.logitRows());
        if (cap > 0) {
            kernels.get("cap_logits")
                    .begin()
                    .pointer(header)
                    .pointer(logits)
                    .integer(stride)
                    .integer(vocabulary)
                    .single(cap)
                    .launch(rows, Kernel.blocks(vocabulary, CAP_STEP), CAP_THREADS, 0);
        }
        if (scored) {
            score(input, layout, out, header, from, rows);
        }
        adjust(input, layout, header, from, rows, masks);
        draw(input, layout, out, header, from, rows);
    }

    private void score(long input, StepLayout layout, StepOutputs.Layout out, long header, int from, int rows) {
        kernels.get("score_logits")
                .begin()
                .pointer(header)
                .pointer(logits)
                .integer(stride)
                .integer(vocabulary)
                .pointer(DecoderProgram.at(input, layout.logitRow() + from))
                .pointer(DecoderProgram.at(input, layout.logitScore() + from))
                .pointer(DecoderProgram.at(input, layout.slot()))
                .pointer(slots.records())
                .pointer(DecoderProgram.at(outputs, out.score() + from))
                .pointer(DecoderProgram.at(outputs, out.scoreTopTokens() + from * StepOutputs.TOP))
                .pointer(DecoderProgram.at(outputs, out.scoreTopValues() + from * StepOutputs.TOP))
                .launch(rows, 1, kernels.sampleThreads(), 0);
    }

    private void adjust(long input, StepLayout layout, long header, int from, int rows, long masks) {
        kernels.get("adjust_logits")
                .begin()
                .pointer(header)
                .pointer(logits)
                .integer(stride)
                .integer(vocabulary)
                .pointer(DecoderProgram.at(input, layout.logitRow() + from))
                .pointer(DecoderProgram.at(input, layout.logitToken() + from))
                .pointer(DecoderProgram.at(input, layout.logitSample() + from))
                .pointer(DecoderProgram.at(input, layout.logitMask() + from))
                .pointer(DecoderProgram.at(input, layout.token()))
                .pointer(DecoderProgram.at(input, layout.slot()))
                .pointer(slots.records())
                .pointer(slots.generated())
                .pointer(slots.seen())
                .pointer(slots.biasTokens())
                .pointer(slots.biasValues())
                .integer(Slots.MAX_BIAS)
                .pointer(slots.stopTokens())
                .integer(Slots.MAX_STOP)
                .pointer(masks)
                .integer((vocabulary + 63) / 64)
                .pointer(segments)
                .launch(rows, kernels.segments(vocabulary), kernels.adjustThreads(), 0);
    }

    private void draw(long input, StepLayout layout, StepOutputs.Layout out, long header, int from, int rows) {
        kernels.get("sample_logits")
                .begin()
                .pointer(header)
                .pointer(logits)
                .integer(stride)
                .integer(vocabulary)
                .pointer(segments)
                .pointer(DecoderProgram.at(input, layout.logitRow() + from))
                .pointer(DecoderProgram.at(input, layout.logitSample() + from))
                .pointer(DecoderProgram.at(input, layout.slot()))
                .pointer(slots.records())
                .pointer(slots.generated())
                .pointer(DecoderProgram.at(outputs, out.sampled() + from))
                .pointer(DecoderProgram.at(outputs, out.logProbability() + from))
                .pointer(DecoderProgram.at(outputs, out.topTokens() + from * StepOutputs.TOP))
                .pointer(DecoderProgram.at(outputs, out.topValues() + from * StepOutputs.TOP))
                .pointer(DecoderProgram.at(outputs, out.status() + from))
                .launch(rows, 1, kernels.sampleThreads(), 0);
    }

    /** Takes the sampled tokens into the slots, walking drafts; after all rows of the step. */
    void accept(long input, StepLayout layout) {
        StepOutputs.Layout out = new StepOutputs.Layout(layout.rows(), layout.logitRows());
        kernels.get("accept_tokens")
                .begin()
                .pointer(input)
                .pointer(DecoderProgram.at(input, layout.slot()))
                .pointer(DecoderProgram.at(input, layout.flags()))
                .pointer(DecoderProgram.at(input, layout.inputStart()))
                .pointer(DecoderProgram.at(input, layout.drafts()))
                .pointer(DecoderProgram.at(input, layout.token()))
                .pointer(DecoderProgram.at(input, layout.logitStart()))
                .pointer(DecoderProgram.at(outputs, out.sampled()))
                .pointer(DecoderProgram.at(outputs, out.status()))
                .pointer(slots.records())
                .pointer(slots.generated())
                .pointer(slots.lastToken())
                .pointer(slots.seen())
                .integer(vocabulary)
                .pointer(DecoderProgram.at(outputs, out.accepted()))
                .launch(Kernel.blocks(layout.rows(), 128), 1, 128, 0);
    }
}
