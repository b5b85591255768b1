/**
 * The server's certificate: read from PEM files, followed when they are renewed, and told on {@code /metrics}.
 *
 * <p>Made by the server and handed to its listeners, which ask for the context of each new connection. It must never
 * know of HTTP.
 */
@NullMarked
package dev.jeton.server.tls;

import org.jspecify.annotations.NullMarked;
