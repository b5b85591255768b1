/**
 * The torch engine: a decoder written as a TorchScript archive and run by libtorch through DJL's JNI, one call a step.
 *
 * <p>Found through {@link dev.jeton.models.torch.TorchEngineProvider}, which works without DJL's PyTorch engine on the
 * class path; all else is called through the engine port. It must never know of requests, scheduling, tokenizers or
 * money.
 */
@NullMarked
package dev.jeton.models.torch;

import org.jspecify.annotations.NullMarked;
