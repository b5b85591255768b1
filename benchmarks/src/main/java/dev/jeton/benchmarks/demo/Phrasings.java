package dev.jeton.benchmarks.demo;

import java.util.ArrayList;
import java.util.LinkedHashSet;
import java.util.List;
import java.util.Set;

/** Every phrasing that the corpus has for a topic: those written out and those its templates make. */
final class Phrasings {
    private final Corpus corpus;

    Phrasings(Corpus corpus) {
        this.corpus = corpus;
    }

    /** Phrasings from templates. */
    List<String> templated(Topic topic) {
        List<String> phrasings = new ArrayList<>();
        fill(phrasings, "name", topic.names());
        fill(phrasings, "plural", topic.plurals());
        fill(phrasings, "do", topic.actions());
        return phrasings;
    }

    /** All phrasings, as {@link HeldOut#phrasing} compares them. */
    Set<String> all(Topic topic) {
        Set<String> all = new LinkedHashSet<>();
        topic.questions().forEach(question -> all.add(HeldOut.phrasing(question)));
        templated(topic).forEach(question -> all.add(HeldOut.phrasing(question)));
        return all;
    }

    private void fill(List<String> phrasings, String slot, List<String> fillers) {
        if (fillers.isEmpty()) {
            return;
        }
        for (String template : corpus.templates(slot)) {
            for (String filler : fillers) {
                String filled = template.replace("{" + slot + "}", filler);
                phrasings.add(Character.toUpperCase(filled.charAt(0)) + filled.substring(1));
            }
        }
    }
}
