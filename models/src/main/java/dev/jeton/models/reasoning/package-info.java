/**
 * What models think before they answer: which format a model's thinking has, and a splitter that parts it from the
 * answer as the text comes.
 *
 * <p>{@link dev.jeton.models.reasoning.ReasoningFormat} knows the formats and how a prompt leaves a model,
 * {@link dev.jeton.models.reasoning.ReasoningDialect} is what is known of one model, and
 * {@link dev.jeton.models.reasoning.ReasoningSplitter} the way in for an answer's text: {@code MarkSplitter} where
 * thinking stands between two marks, {@code ChannelSplitter} where it is a channel of several. Called by the server,
 * once per served model and per answer; {@code models.grammar} has thinking in front of a grammar. It must never know
 * of requests, HTTP or how thinking is told to clients.
 */
@NullMarked
package dev.jeton.models.reasoning;

import org.jspecify.annotations.NullMarked;
