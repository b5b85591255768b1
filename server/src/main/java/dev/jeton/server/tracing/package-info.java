/** Spans of requests, sent to an OpenTelemetry collector. */
@NullMarked
package dev.jeton.server.tracing;

import org.jspecify.annotations.NullMarked;
