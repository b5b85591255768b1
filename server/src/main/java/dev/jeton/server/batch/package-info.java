/**
 * Batches: a file of requests, each sent to a running server of OpenAI's API, and a file of what came of them.
 *
 * <p>A client and no part of what serves: it knows of lines, files and HTTP alone, and must never know of models,
 * engines or the books. {@link dev.jeton.server.batch.BatchRun} sends, {@link dev.jeton.server.batch.BatchFile} reads
 * and {@link dev.jeton.server.batch.BatchResults} keeps what is answered.
 */
@NullMarked
package dev.jeton.server.batch;

import org.jspecify.annotations.NullMarked;
