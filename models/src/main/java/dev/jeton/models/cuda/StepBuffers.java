package dev.jeton.models.cuda;

import dev.jeton.models.DecoderFeature;
import dev.jeton.models.DecoderSpec;

/**
 * What a step needs of the device beside weights, slots and pages, as addresses: rows for as many tokens as a step may
 * have, of the widths that the model has; the residual stream and angles in binary32, the rest of activations in
 * sixteen bits.
 *
 * @param delta what a half of a layer gave, or what is beside its experts, and the next norm adds
 * @param gateUp of layers without experts, and of what is beside experts
 * @param windowRotary angles of layers with a window; 0 where they are those of the others
 * @param logits of one chunk; 0 where there are none
 */
record StepBuffers(
        long residual,
        long normed,
        long qkv,
        long attended,
        long delta,
        long gateUp,
        long inner,
        long tokenId,
        long tokenRow,
        long tokenPosition,
        long rotary,
        long windowRotary,
        long logits) {

    /** Takes the memory. */
    static StepBuffers of(Device device, DeviceShape shape, int maxTokens) {
        DecoderSpec spec = shape.spec();
        long inner = shape.feedWidth();
        long rotary = 4L * spec.headDim();
        boolean twice = spec.features().contains(DecoderFeature.WINDOW_ROTARY);
        Rows rows = new Rows(device, maxTokens);
        return new StepBuffers(
                rows.of(4L * spec.hidden()),
                rows.of(2L * spec.hidden()),
                rows.of(2L * shape.qkvWidth()),
                rows.of(2L * spec.attendedWidth()),
                rows.of(2L * spec.hidden()),
                rows.of(4 * inner),
                rows.of(2 * inner),
                rows.of(4),
                rows.of(4),
                rows.of(4),
                rows.of(rotary),
                twice ? rows.of(rotary) : 0,
                spec.vectors()
                        ? 0
                        : device.memory(4L * logitRows(maxTokens) * shape.logitStride())
                                .address());
    }

    /** Rows of logits that are computed together. */
    static int logitRows(int maxTokens) {
        return Math.min(StepLayout.CHUNK, maxTokens);
    }

    private record Rows(Device device, int count) {
        long of(long bytes) {
            return device.memory(count * bytes).address();
        }
    }
}
