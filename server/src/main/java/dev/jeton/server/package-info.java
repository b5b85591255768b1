/**
 * The assembly: a {@link dev.jeton.server.Server} from plain objects, and the loading of models from folders.
 *
 * <p>The parts live in sub-packages ({@code http}, {@code api}, {@code admin}, {@code json}, {@code config},
 * {@code metrics}, {@code logging}, {@code cli}). Called by the command line, by tests and by whoever embeds a server.
 * It must never know how a request is parsed or a token computed.
 */
@NullMarked
package dev.jeton.server;

import org.jspecify.annotations.NullMarked;
