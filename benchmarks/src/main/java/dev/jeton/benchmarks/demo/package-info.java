/**
 * Makes the demo models under {@code models/demo/}: corpus, tokenizer, training, evaluation and export.
 *
 * <p>Called from the command line only, never by the server. Only {@link dev.jeton.benchmarks.demo.DemoModel},
 * {@link dev.jeton.benchmarks.demo.AdamW} and {@link dev.jeton.benchmarks.demo.Trainer} know DJL; everything else is
 * plain Java, so that the corpus and the tokenizer can be tested without PyTorch.
 */
@NullMarked
package dev.jeton.benchmarks.demo;

import org.jspecify.annotations.NullMarked;
