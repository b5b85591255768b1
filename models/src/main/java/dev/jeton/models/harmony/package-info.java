/**
 * OpenAI's harmony response format, in which the gpt-oss models write: an answer is messages, each with a header that
 * names its channel and maybe a recipient, between tokens of the format's own.
 *
 * <p>{@link dev.jeton.models.harmony.HarmonyMark} are those tokens, {@link dev.jeton.models.harmony.HarmonyHeader} is
 * what a header says, {@link dev.jeton.models.harmony.HarmonyTokens} finds where a prompt leaves a model. Called by
 * {@code models.reasoning}, which parts channels, {@code models.tools} and {@code models.grammar}; it must never know
 * of requests or of how an answer is told to clients. Source: github.com/openai/harmony, docs/format.md.
 */
@NullMarked
package dev.jeton.models.harmony;

import org.jspecify.annotations.NullMarked;
