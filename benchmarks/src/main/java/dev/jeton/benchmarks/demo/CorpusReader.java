package dev.jeton.benchmarks.demo;

import java.io.IOException;
import java.io.UncheckedIOException;
import java.nio.file.Files;
import java.nio.file.Path;
import java.util.ArrayList;
import java.util.HashSet;
import java.util.LinkedHashMap;
import java.util.List;
import java.util.Map;
import java.util.Set;
import java.util.function.Function;
import java.util.stream.Collectors;
import java.util.stream.Stream;

/**
 * Reads the corpus folder; the format is described in its README.
 *
 * <p>Every fault is reported with its file and line, for the corpus is written by hand.
 */
public final class CorpusReader {
    private static final long MAX_FILE_BYTES = 1 << 20;
    private static final int MAX_LINE_CHARS = 4_000;

    private final Path folder;

    private CorpusReader(Path folder) {
        this.folder = folder;
    }

    /** Reads the folder whole. */
    public static Corpus read(Path folder) {
        return new CorpusReader(folder).corpus();
    }

    /** A line "key: value" with the place it stands at, for error messages. */
    private record Line(String place, String key, String value) {}

    private Corpus corpus() {
        List<Topic> topics = topics(folder.resolve("topics"));
        List<Topic> chat = topics(folder.resolve("chat"));
        List<Topic> unknown = topics(folder.resolve("unknown"));
        Map<String, List<String>> phrases = new LinkedHashMap<>();
        for (Line line : lines(folder.resolve("templates.txt"))) {
            phrases.computeIfAbsent(line.key(), key -> new ArrayList<>()).addAll(Alternatives.expand(line.value()));
        }
        var answers = Stream.of(topics, chat, unknown)
                .flatMap(List::stream)
                .collect(Collectors.toMap(Topic::id, Topic::answers, (a, b) -> {
                    throw new IllegalArgumentException("two topics share an id; one answers " + a.getFirst());
                }));
        return new Corpus(
                topics,
                chat,
                unknown,
                phrases,
                phrases.getOrDefault("opening", List.of()),
                phrases.getOrDefault("closing", List.of()),
                phrases.getOrDefault("repeat", List.of()),
                plainLines(folder.resolve("system.txt")),
                plainLines(folder.resolve("sentences.txt")),
                synonyms(),
                heldOut(answers));
    }

    private List<Topic> topics(Path subFolder) {
        List<Topic> topics = new ArrayList<>();
        for (Path file : textFiles(subFolder)) {
            String kind = file.getFileName().toString().replaceFirst("\\.txt$", "");
            List<Line> block = new ArrayList<>();
            for (Line line : lines(file)) {
                if (line.key().equals("@") && !block.isEmpty()) {
                    topics.add(topic(kind, block));
                    block.clear();
                }
                block.add(line);
            }
            if (!block.isEmpty()) {
                topics.add(topic(kind, block));
            }
        }
        return topics;
    }

    private static Topic topic(String kind, List<Line> block) {
        Line head = block.getFirst();
        if (!head.key().equals("@")) {
            throw new IllegalArgumentException(head.place() + ": a topic begins with '@ id'");
        }
        Set<String> known = Set.of("@", "name", "names", "do", "q", "a");
        block.stream().filter(line -> !known.contains(line.key())).findFirst().ifPresent(line -> {
            throw new IllegalArgumentException(line.place() + ": unknown key '" + line.key() + "'");
        });
        return new Topic(
                head.value(),
                kind,
                values(block, "name", CorpusReader::list),
                values(block, "names", CorpusReader::list),
                values(block, "do", CorpusReader::list),
                values(block, "q", Alternatives::expand),
                values(block, "a", List::of));
    }

    private static List<String> values(List<Line> block, String key, Function<String, List<String>> split) {
        return block.stream()
                .filter(line -> line.key().equals(key))
                .flatMap(line -> split.apply(line.value()).stream())
                .toList();
    }

    private static List<String> list(String value) {
        return Stream.of(value.split("\\|"))
                .map(String::strip)
                .flatMap(v -> Alternatives.expand(v).stream())
                .toList();
    }

    private Map<String, List<String>> synonyms() {
        Map<String, List<String>> synonyms = new LinkedHashMap<>();
        for (String line : plainLines(folder.resolve("synonyms.txt"))) {
            List<String> words = Stream.of(line.split(",")).map(String::strip).toList();
            for (String word : words) {
                List<String> others =
                        words.stream().filter(other -> !other.equals(word)).toList();
                synonyms.merge(
                        word,
                        others,
                        (a, b) -> Stream.concat(a.stream(), b.stream()).toList());
            }
        }
        return synonyms;
    }

    private List<HeldOut> heldOut(Map<String, List<String>> answers) {
        List<HeldOut> heldOut = new ArrayList<>();
        Set<String> seen = new HashSet<>();
        String topic = "";
        for (Line line : lines(folder.resolve("heldout.txt"))) {
            if (line.key().equals("@")) {
                topic = line.value();
                continue;
            }
            String[] parts = line.value().split("=>", 2);
            List<String> right = parts.length == 2 ? List.of(parts[1].strip()) : answers.getOrDefault(topic, List.of());
            if (right.isEmpty()) {
                throw new IllegalArgumentException(line.place() + ": no topic '" + topic + "' and no answer given");
            }
            if (!seen.add(HeldOut.phrasing(parts[0]))) {
                throw new IllegalArgumentException(line.place() + ": held out twice");
            }
            heldOut.add(new HeldOut(topic, parts[0].strip(), right));
        }
        return heldOut;
    }

    private static List<Line> lines(Path file) {
        List<Line> lines = new ArrayList<>();
        List<String> raw = rawLines(file);
        for (int i = 0; i < raw.size(); i++) {
            String text = raw.get(i).strip();
            if (text.isEmpty() || text.startsWith("#")) {
                continue;
            }
            String place = file.getFileName() + ":" + (i + 1);
            if (text.startsWith("@")) {
                lines.add(new Line(place, "@", text.substring(1).strip()));
                continue;
            }
            int colon = text.indexOf(':');
            if (colon < 0) {
                throw new IllegalArgumentException(place + ": expected 'key: value'");
            }
            lines.add(new Line(
                    place,
                    text.substring(0, colon).strip(),
                    text.substring(colon + 1).strip()));
        }
        return lines;
    }

    private static List<String> plainLines(Path file) {
        return rawLines(file).stream()
                .map(String::strip)
                .filter(line -> !line.isEmpty() && !line.startsWith("#"))
                .toList();
    }

    private static List<String> rawLines(Path file) {
        try {
            if (Files.size(file) > MAX_FILE_BYTES) {
                throw new IllegalArgumentException(file + " is larger than " + MAX_FILE_BYTES + " bytes");
            }
            List<String> lines = Files.readAllLines(file);
            if (lines.stream().anyMatch(line -> line.length() > MAX_LINE_CHARS)) {
                throw new IllegalArgumentException(file + " has a line of more than " + MAX_LINE_CHARS + " characters");
            }
            return lines;
        } catch (IOException e) {
            throw new UncheckedIOException("cannot read " + file, e);
        }
    }

    private static List<Path> textFiles(Path subFolder) {
        try (Stream<Path> files = Files.list(subFolder)) {
            return files.filter(file -> file.toString().endsWith(".txt"))
                    .sorted()
                    .toList();
        } catch (IOException e) {
            throw new UncheckedIOException("cannot list " + subFolder, e);
        }
    }
}
