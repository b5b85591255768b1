/**
 * A small interpreter of the Jinja2 subset that chat templates use.
 *
 * <p>{@link dev.jeton.models.template.JinjaTemplate} is the way in: source is split by {@code TemplateLexer}, parsed by
 * {@code TemplateParser} into a {@code Node} tree, and run by {@code Interpreter}. What is not supported is an error
 * when the template is compiled, never silently ignored, and text of messages is never interpreted. Called through
 * {@link dev.jeton.models.ChatTemplate}; it must never know of tokenizers or requests.
 */
@NullMarked
package dev.jeton.models.template;

import org.jspecify.annotations.NullMarked;
