/**
 * The host's side of a step: slots, the copy of a batch, and what its rows of logits become.
 *
 * <p>Called by engines that sample on the host (cpu, torch). It must never know how logits are computed.
 */
@NullMarked
package dev.jeton.models.rows;

import org.jspecify.annotations.NullMarked;
