/**
 * The command line: {@code jeton serve}, {@code config}, {@code engines}, {@code version}, and the commands other
 * modules add through {@link dev.jeton.server.Command}.
 *
 * <p>Nothing calls it but the launcher. It assembles the server and must never hold logic that an embedded server would
 * miss.
 */
@NullMarked
package dev.jeton.server.cli;

import org.jspecify.annotations.NullMarked;
