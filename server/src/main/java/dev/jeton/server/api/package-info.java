/**
 * The OpenAI API, and Anthropic's messages: one endpoint class each, written as plain blocking code from the request's
 * bytes to the answer's.
 *
 * <p>Called by the HTTP listener with one virtual thread per request. It must never know of Netty, configuration files
 * or how models are loaded.
 */
@NullMarked
package dev.jeton.server.api;

import org.jspecify.annotations.NullMarked;
