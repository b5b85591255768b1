package dev.jeton.models.cpu;

import dev.jeton.models.DecoderSpec;

/**
 * Elements of the heads that are kept of a token.
 *
 * @param key of a key head; even
 * @param value of a value head
 */
record HeadWidths(int key, int value) {

    /** Of heads whose keys and values are as wide. */
    static HeadWidths of(int headDim) {
        return new HeadWidths(headDim, headDim);
    }

    /** Of a decoder: where keys and values are computed from a narrow vector, that vector is both. */
    static HeadWidths of(DecoderSpec spec) {
        return spec.latent().exists()
                ? new HeadWidths(spec.latent().width(), spec.latent().rank())
                : of(spec.headDim());
    }
}
