/**
 * Batches: files of requests in the form of OpenAI's Batch API, and files of what came of them.
 *
 * <p>{@link dev.jeton.server.batch.BatchRun} has the requests of a file answered and keeps the answers, by whom it is
 * told: a server somewhere ({@code BatchClient}, for {@code jeton batch}), or this one itself. Those that a server
 * keeps are {@link dev.jeton.server.batch.Batches}, over the files of a {@link dev.jeton.server.batch.FileStore}. It
 * knows of lines, files and replies alone, and must never know of models, engines or the books.
 */
@NullMarked
package dev.jeton.server.batch;

import org.jspecify.annotations.NullMarked;
