package dev.jeton.benchmarks.demo;

import java.util.List;
import java.util.Map;

/**
 * All that the demo models are taught, as written under {@code models/demo/corpus}.
 *
 * @param topics questions about inference servers and about Jeton
 * @param chat greetings and small talk
 * @param unknown questions that the model should decline
 * @param templates question templates by the slot they fill: name, plural, do, sum, difference, product
 * @param openings what may stand before a question
 * @param closings what may stand after one
 * @param repeats ways to ask for the last answer again
 * @param systemPrompts system messages, which change nothing about the answers
 * @param sentences everyday sentences, taught as plain text
 * @param synonyms for each word, the words that may stand for it
 * @param heldOut questions that are never trained on
 */
public record Corpus(
        List<Topic> topics,
        List<Topic> chat,
        List<Topic> unknown,
        Map<String, List<String>> templates,
        List<String> openings,
        List<String> closings,
        List<String> repeats,
        List<String> systemPrompts,
        List<String> sentences,
        Map<String, List<String>> synonyms,
        List<HeldOut> heldOut) {

    public Corpus {
        topics = List.copyOf(topics);
        chat = List.copyOf(chat);
        unknown = List.copyOf(unknown);
        templates = Map.copyOf(templates);
        openings = List.copyOf(openings);
        closings = List.copyOf(closings);
        repeats = List.copyOf(repeats);
        systemPrompts = List.copyOf(systemPrompts);
        sentences = List.copyOf(sentences);
        synonyms = Map.copyOf(synonyms);
        heldOut = List.copyOf(heldOut);
    }

    /** The templates of one slot. */
    public List<String> templates(String slot) {
        List<String> found = templates.getOrDefault(slot, List.of());
        if (found.isEmpty()) {
            throw new IllegalArgumentException("the corpus has no templates for " + slot);
        }
        return found;
    }
}
