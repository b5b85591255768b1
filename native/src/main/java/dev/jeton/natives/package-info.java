/**
 * Bindings to native libraries through java.lang.foreign: thin, complete for what Jeton needs, every return code
 * checked. Engines and the server call it; it knows neither. What lives here: finding libraries
 * ({@link dev.jeton.natives.NativeLibrary}); the CUDA driver ({@link dev.jeton.natives.CudaDriver}), its compiler
 * ({@link dev.jeton.natives.Nvrtc}) and matrix products ({@link dev.jeton.natives.CublasLt}); exchange between GPUs
 * ({@link dev.jeton.natives.Nccl}); the kernels that come with Jeton ({@link dev.jeton.natives.Kernels}); and NVML, the
 * NVIDIA driver's telemetry ({@link dev.jeton.natives.Nvml}).
 */
@NullMarked
package dev.jeton.natives;

import org.jspecify.annotations.NullMarked;
