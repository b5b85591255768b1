/**
 * Elementary functions on vectors of floats, written once so that every caller gets the same bits.
 *
 * <p>Called by the host sampler and by the cpu engine's kernels. It must never know of models, sequences or steps.
 */
@NullMarked
package dev.jeton.models.vector;

import org.jspecify.annotations.NullMarked;
