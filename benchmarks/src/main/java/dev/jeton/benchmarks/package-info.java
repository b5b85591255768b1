/**
 * What measures Jeton and its peers: the load generator, the model maker, JMH benchmarks; and the commands {@code jeton
 * bench ...} that start them.
 *
 * <p>Knows every module; nothing knows it: the commands are found by the server's {@code Command} service.
 */
@NullMarked
package dev.jeton.benchmarks;

import org.jspecify.annotations.NullMarked;
