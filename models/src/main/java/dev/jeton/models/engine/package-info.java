/**
 * The engine port: what the scheduler asks of whatever executes steps, and what it learns of it.
 *
 * <p>Here live {@link dev.jeton.models.engine.Engine} with the flat arrays that cross it, sampling parameters, and the
 * {@link dev.jeton.models.engine.StepTimeModel}. Called by the scheduler's step loop and implemented by the engines
 * ({@code models.cpu}, {@code models.sim}, ...). It depends on nothing and must never know of requests, tenants, HTTP
 * or money.
 */
@NullMarked
package dev.jeton.models.engine;

import org.jspecify.annotations.NullMarked;
