/**
 * An engine without a model: its tokens follow from the tokens before them, its time from a step-time model and a
 * simulated clock.
 *
 * <p>Used by the scheduler's tests, the capacity planner and incident replay, so that all of them run the production
 * scheduler. It must never be needed by a server that serves a real model.
 */
@NullMarked
package dev.jeton.models.sim;

import org.jspecify.annotations.NullMarked;
