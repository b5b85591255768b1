/**
 * Webhooks: events of budgets, sent signed to a receiver of the operator's, again and again until it takes them.
 *
 * <p>{@link dev.jeton.server.webhooks.Webhooks#send} is called by whoever has something to tell and never waits. It
 * must never know of requests or of how budgets are counted.
 */
@NullMarked
package dev.jeton.server.webhooks;

import org.jspecify.annotations.NullMarked;
