/**
 * The onnx engine: decoders and encoders exported to ONNX, run by ONNX Runtime.
 *
 * <p>Found through {@link dev.jeton.models.onnx.OnnxEngineProvider}; all else is called through the engine port. ONNX
 * Runtime is an optional dependency: the provider alone is linked without it. It must never know of requests, tenants,
 * HTTP or money.
 */
@NullMarked
package dev.jeton.models.onnx;

import org.jspecify.annotations.NullMarked;
