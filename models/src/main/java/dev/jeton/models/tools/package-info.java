/**
 * Tool calls as models write them: which format a model has, and a parser that takes calls out of its text as it comes.
 *
 * <p>{@link dev.jeton.models.tools.ToolFormat} is the family of formats, {@link dev.jeton.models.tools.ToolDialect}
 * what is known of one model, {@link dev.jeton.models.tools.ToolCallParser} the way in for an answer's text: it finds
 * where a frame begins and hands the frame to a {@code CallReader}, one for each format. Called by the server, once per
 * served model and per answer; it must never know of requests, HTTP or how calls are told to clients.
 */
@NullMarked
package dev.jeton.models.tools;

import org.jspecify.annotations.NullMarked;
