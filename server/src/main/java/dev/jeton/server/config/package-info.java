/**
 * Configuration: the known settings, where their values come from (file, environment, flags), and the records the rest
 * of the server is given.
 *
 * <p>Called by the command line at start. It must never know of Netty, models or requests.
 */
@NullMarked
package dev.jeton.server.config;

import org.jspecify.annotations.NullMarked;
