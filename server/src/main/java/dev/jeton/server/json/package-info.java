/**
 * JSON in and out: bounded parsing with errors that name the field, and writing straight into bytes.
 *
 * <p>Called by everything in the server that reads a body or writes an answer. It must never know of HTTP, models or
 * the OpenAI API.
 */
@NullMarked
package dev.jeton.server.json;

import org.jspecify.annotations.NullMarked;
