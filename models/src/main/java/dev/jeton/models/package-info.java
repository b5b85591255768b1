/**
 * Model folders as they are on disk: configuration, weights, tokenizer, chat template, detokenizer.
 *
 * <p>The engines live in sub-packages, the port they implement in {@link dev.jeton.models.engine}. Called by the server
 * at start (loading) and per request (template, tokenize, detokenize). It must never know of requests, scheduling or
 * money.
 */
@NullMarked
package dev.jeton.models;

import org.jspecify.annotations.NullMarked;
