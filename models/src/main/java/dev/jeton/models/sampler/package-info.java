/**
 * The host sampler: from a row of logits to the next token, exactly as
 * {@link dev.jeton.models.engine.SamplingParameters} says.
 *
 * <p>Called by {@code dev.jeton.models.rows} and by engines that sample on the host (cpu, torch, onnx). It must never
 * know of batches, blocks, requests or devices.
 */
@NullMarked
package dev.jeton.models.sampler;

import org.jspecify.annotations.NullMarked;
