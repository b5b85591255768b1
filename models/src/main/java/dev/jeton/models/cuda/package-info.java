/**
 * The CUDA engine: a decoder on one NVIDIA GPU or divided among several, with the kernels of {@code native/kernels} and
 * cuBLASLt, pages of K and V, sampling on the device, decode steps as CUDA graphs, and two steps in flight.
 *
 * <p>Found through {@link dev.jeton.models.cuda.CudaEngineProvider}; all else is called through the engine port. It
 * must never know of requests, scheduling, tokenizers or money. Everything here belongs to the engine's one thread, or
 * of several GPUs each one's to a thread of its own ({@link dev.jeton.models.cuda.RankThreads}).
 */
@NullMarked
package dev.jeton.models.cuda;

import org.jspecify.annotations.NullMarked;
