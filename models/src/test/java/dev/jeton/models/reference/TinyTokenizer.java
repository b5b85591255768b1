package dev.jeton.models.reference;

import java.io.IOException;
import java.nio.file.Files;
import java.nio.file.Path;
import java.util.stream.Collectors;
import java.util.stream.IntStream;

/** A tokenizer.json of whole words, {@code w5} and so on, that puts special tokens around texts as BERT's does. */
public final class TinyTokenizer {

    /** Id of {@code [CLS]}, which begins a text. */
    public static final int FIRST = 2;
    /** Id of {@code [SEP]}, which ends a text, and each of a pair. */
    public static final int SEPARATOR = 3;

    private TinyTokenizer() {}

    /** Writes it; ids are 0 until {@code vocabulary}. */
    public static void write(Path folder, int vocabulary) throws IOException {
        String words = IntStream.range(5, vocabulary)
                .mapToObj(i -> "\"w%d\": %d".formatted(i, i))
                .collect(Collectors.joining(", "));
        String special =
                "{\"id\": %d, \"content\": \"%s\", \"single_word\": false, \"lstrip\": false, \"rstrip\": false,"
                        + " \"normalized\": false, \"special\": true}";
        String added = IntStream.range(0, 5)
                .mapToObj(i -> special.formatted(i, name(i)))
                .collect(Collectors.joining(", "));
        String named = IntStream.range(0, 5)
                .mapToObj(i -> "\"%s\": %d".formatted(name(i), i))
                .collect(Collectors.joining(", "));
        Files.writeString(folder.resolve("tokenizer.json"), """
                {"version": "1.0", "truncation": null, "padding": null, "added_tokens": [%s], "normalizer": null,
                 "pre_tokenizer": {"type": "WhitespaceSplit"},
                 "post_processor": {"type": "TemplateProcessing",
                  "single": [{"SpecialToken": {"id": "[CLS]", "type_id": 0}}, {"Sequence": {"id": "A", "type_id": 0}},
                             {"SpecialToken": {"id": "[SEP]", "type_id": 0}}],
                  "pair": [{"SpecialToken": {"id": "[CLS]", "type_id": 0}}, {"Sequence": {"id": "A", "type_id": 0}},
                           {"SpecialToken": {"id": "[SEP]", "type_id": 0}}, {"Sequence": {"id": "B", "type_id": 1}},
                           {"SpecialToken": {"id": "[SEP]", "type_id": 1}}],
                  "special_tokens": {"[CLS]": {"id": "[CLS]", "ids": [2], "tokens": ["[CLS]"]},
                                     "[SEP]": {"id": "[SEP]", "ids": [3], "tokens": ["[SEP]"]}}},
                 "decoder": {"type": "WordPiece", "prefix": "##", "cleanup": false},
                 "model": {"type": "WordLevel", "vocab": {%s, %s}, "unk_token": "[UNK]"}}
                """.formatted(added, named, words));
    }

    private static String name(int id) {
        return switch (id) {
            case 0 -> "[PAD]";
            case 1 -> "[UNK]";
            case FIRST -> "[CLS]";
            case SEPARATOR -> "[SEP]";
            default -> "[MASK]";
        };
    }

    /** A text of words, by their ids. */
    public static String text(int... ids) {
        return IntStream.of(ids).mapToObj(id -> "w" + id).collect(Collectors.joining(" "));
    }
}
