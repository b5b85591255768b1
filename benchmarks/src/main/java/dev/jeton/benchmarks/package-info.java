/** JMH, load generator, model maker, demo trainer; the architecture test. */
@NullMarked
package dev.jeton.benchmarks;

import org.jspecify.annotations.NullMarked;
