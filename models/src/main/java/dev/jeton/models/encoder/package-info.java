/**
 * Encoders, whatever runs their graph: the engine of whole texts, and the way from hidden states to an embedding.
 *
 * <p>Called by the engines that read encoders (onnx, torch), each of which brings an
 * {@link dev.jeton.models.encoder.EncoderModel}. It must never know of a library that runs graphs.
 */
@NullMarked
package dev.jeton.models.encoder;

import org.jspecify.annotations.NullMarked;
