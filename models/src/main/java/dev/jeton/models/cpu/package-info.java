/**
 * The cpu engine: a decoder on the Vector API, with packed weights, a paged KV arena and a team of compute threads.
 *
 * <p>Found through {@link dev.jeton.models.cpu.CpuEngineProvider}; all else is called through the engine port. It must
 * never know of requests, scheduling, tokenizers or money.
 */
@NullMarked
package dev.jeton.models.cpu;

import org.jspecify.annotations.NullMarked;
