/**
 * Continuous batching: admission, step planning, preemption, deadlines, the step loop and attribution.
 *
 * <p>Here live the {@link dev.jeton.scheduler.Dispatcher} through which requests come in, the
 * {@link dev.jeton.scheduler.Generation} through which tokens go out, and between them the one thread per engine that
 * owns all scheduler and KV state. Called by accounting and the server. It knows the engine port and the block pool; it
 * must never know of HTTP, tenants' names, prices or storage.
 */
@NullMarked
package dev.jeton.scheduler;

import org.jspecify.annotations.NullMarked;
