/**
 * What the server tells Prometheus, through Micrometer.
 *
 * <p>Called by the API (requests, tokens, times) and wired to the dispatchers and the listener at start. It must never
 * know of HTTP's details, and no label may take values that clients make up.
 */
@NullMarked
package dev.jeton.server.metrics;

import org.jspecify.annotations.NullMarked;
