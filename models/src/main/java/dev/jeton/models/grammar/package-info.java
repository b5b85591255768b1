/**
 * Guided decoding: which tokens may come next so that a text becomes JSON of a schema, a match of a regular expression,
 * a text of a grammar, or one of some choices; or is free but for what its tags say.
 *
 * <p>{@link dev.jeton.models.grammar.GrammarSpec} says what is wanted, {@link dev.jeton.models.grammar.Grammar} is it
 * compiled for one {@link dev.jeton.models.grammar.GrammarVocabulary}. {@code JsonSchemaCompiler}, {@code Regex} and
 * {@code EbnfRules} are the languages, {@code TextAutomaton} is sets of texts over code points, {@code Network} what
 * everything becomes: an automaton over bytes whose parts call one another. {@code FreeText} is the text between tags.
 * Called by the server to compile, and through {@link dev.jeton.models.engine.TokenGrammar} by the scheduler; it must
 * never know of requests, sampling or engines.
 */
@NullMarked
package dev.jeton.models.grammar;

import org.jspecify.annotations.NullMarked;
