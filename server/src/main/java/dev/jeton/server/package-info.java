/** Netty, the OpenAI API, keys, metrics, configuration, the command line. */
@NullMarked
package dev.jeton.server;

import org.jspecify.annotations.NullMarked;
