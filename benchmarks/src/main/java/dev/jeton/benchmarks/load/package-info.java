/**
 * A load generator for any server that speaks the OpenAI completions API: closed loop or Poisson arrivals, streamed or
 * not, with the figures that users of such servers compare.
 *
 * <p>It speaks plain HTTP/1.1 over blocking sockets, one virtual thread per client, so that it costs little beside the
 * server it measures; what it costs is reported. It knows nothing of Jeton's own classes.
 */
@NullMarked
package dev.jeton.benchmarks.load;

import org.jspecify.annotations.NullMarked;
