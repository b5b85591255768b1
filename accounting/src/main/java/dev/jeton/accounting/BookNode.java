package dev.jeton.accounting;

import java.util.ArrayList;
import java.util.LinkedHashMap;
import java.util.List;
import java.util.Map;
import tools.jackson.core.JacksonException;
import tools.jackson.core.JsonParser;
import tools.jackson.core.JsonToken;
import tools.jackson.core.ObjectReadContext;
import tools.jackson.core.StreamReadFeature;
import tools.jackson.dataformat.yaml.YAMLFactory;
import tools.jackson.dataformat.yaml.YAMLParser;

/** A YAML document as it stands: every value is still text, and knows its line. */
sealed interface BookNode {

    /** Where it is, from 1. */
    int line();

    /** A plain value; empty text for none. */
    record Scalar(int line, String text) implements BookNode {}

    /** A list. */
    record Items(int line, List<BookNode> items) implements BookNode {}

    /** Keys with values. */
    record Keys(int line, Map<String, BookNode> values) implements BookNode {}

    /** Reads one document. Nothing in it is expanded, so its tree is never larger than its text. */
    static BookNode read(String name, String content) {
        YAMLFactory factory = YAMLFactory.builder()
                .enable(StreamReadFeature.STRICT_DUPLICATE_DETECTION)
                .build();
        try (JsonParser parser = factory.createParser(ObjectReadContext.empty(), content)) {
            if (parser.nextToken() == null) {
                return new Scalar(1, "");
            }
            BookNode node = node(name, parser, 0);
            if (parser.nextToken() != null) {
                throw new AccountingException("%s:%d: a second document begins here: a price book is one document"
                        .formatted(name, line(parser)));
            }
            return node;
        } catch (JacksonException e) {
            throw new AccountingException(
                    "%s:%d: this is not YAML: %s. A value that begins with * needs quotes."
                            .formatted(
                                    name,
                                    e.getLocation() == null
                                            ? 1
                                            : e.getLocation().getLineNr(),
                                    e.getOriginalMessage()),
                    e);
        }
    }

    private static BookNode node(String name, JsonParser parser, int depth) {
        int line = line(parser);
        if (depth > 8) {
            throw new AccountingException("%s:%d: nested too deeply for a price book".formatted(name, line));
        }
        JsonToken token = parser.currentToken();
        if (parser instanceof YAMLParser yaml && yaml.isCurrentAlias()) {
            throw new AccountingException(
                    "%s:%d: aliases are not read in a price book: repeat the value, or quote a value that begins with *"
                            .formatted(name, line));
        }
        return switch (token) {
            case START_OBJECT -> {
                Map<String, BookNode> values = new LinkedHashMap<>();
                while (parser.nextToken() == JsonToken.PROPERTY_NAME) {
                    String key = parser.currentName();
                    parser.nextToken();
                    values.put(key, node(name, parser, depth + 1));
                }
                yield new Keys(line, values);
            }
            case START_ARRAY -> {
                List<BookNode> items = new ArrayList<>();
                while (parser.nextToken() != JsonToken.END_ARRAY) {
                    items.add(node(name, parser, depth + 1));
                }
                yield new Items(line, items);
            }
            case VALUE_NULL -> new Scalar(line, "");
            default -> new Scalar(line, parser.getString().strip());
        };
    }

    private static int line(JsonParser parser) {
        return Math.max(1, parser.currentTokenLocation().getLineNr());
    }
}
