/**
 * The trtllm engine: whole sequences to TensorRT-LLM's executor, through the shim in {@code native/trtllm}. Batching,
 * KV memory and kernels are the library's; this package reads an engine's folder, hands sequences over and tells what
 * comes back. Knows nothing of scheduler or server.
 */
@NullMarked
package dev.jeton.models.trtllm;

import org.jspecify.annotations.NullMarked;
