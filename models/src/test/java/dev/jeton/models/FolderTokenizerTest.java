package dev.jeton.models;

import static org.assertj.core.api.Assertions.assertThat;
import static org.assertj.core.api.Assertions.assertThatThrownBy;
import static org.junit.jupiter.api.Assumptions.assumeTrue;

import java.io.IOException;
import java.nio.file.Files;
import java.nio.file.Path;
import java.util.Random;
import java.util.stream.IntStream;
import org.junit.jupiter.api.Test;
import org.junit.jupiter.api.io.TempDir;
import org.junit.jupiter.params.ParameterizedTest;
import org.junit.jupiter.params.provider.EnumSource;

class FolderTokenizerTest {

    private static final Path STORIES = Path.of(System.getProperty("jeton.shared", "../../shared/data"), "stories260K");

    @TempDir
    private Path folder;

    /** Tokenizers whose decoders differ in kind; the last is one that only the library itself can decode. */
    enum Kind {
        BYTE_LEVEL("{\"type\":\"ByteLevel\",\"add_prefix_space\":false,\"trim_offsets\":true,\"use_regex\":true}"),
        SENTENCE_PIECE("""
                {"type":"Sequence","decoders":[
                 {"type":"Replace","pattern":{"String":"\u2581"},"content":" "},
                 {"type":"ByteFallback"},{"type":"Fuse"},{"type":"Strip","content":" ","start":1,"stop":0}]}"""),
        METASPACE("{\"type\":\"Metaspace\",\"replacement\":\"\u2581\",\"prepend_scheme\":\"always\",\"split\":true}"),
        WORD_PIECE("{\"type\":\"WordPiece\",\"prefix\":\"##\",\"cleanup\":false}");

        private final String decoder;

        Kind(String decoder) {
            this.decoder = decoder;
        }

        String json() {
            StringBuilder vocabulary = new StringBuilder();
            String[] pieces = pieces();
            for (int i = 0; i < pieces.length; i++) {
                vocabulary
                        .append(i == 0 ? "" : ",")
                        .append('"')
                        .append(escape(pieces[i]))
                        .append("\":")
                        .append(i);
            }
            String specials = """
                    [{"id":%d,"content":"<|end|>","single_word":false,"lstrip":false,"rstrip":false,"normalized":false,"special":true},
                     {"id":%d,"content":"<tool>","single_word":false,"lstrip":false,"rstrip":false,"normalized":false,"special":false}]""".formatted(pieces.length, pieces.length + 1);
            String pre = this == BYTE_LEVEL
                    ? "{\"type\":\"ByteLevel\",\"add_prefix_space\":false,\"trim_offsets\":true,\"use_regex\":true}"
                    : "null";
            return """
                    {"version":"1.0","truncation":null,"padding":null,"added_tokens":%s,"normalizer":null,
                     "pre_tokenizer":%s,"post_processor":null,"decoder":%s,
                     "model":{"type":"BPE","dropout":null,"unk_token":null,"continuing_subword_prefix":null,
                     "end_of_word_suffix":null,"fuse_unk":false,"byte_fallback":%s,"vocab":{%s},"merges":[]}}""".formatted(specials, pre, decoder, this == SENTENCE_PIECE, vocabulary);
        }

        private String[] pieces() {
            if (this == BYTE_LEVEL) {
                return IntStream.concat(IntStream.range(0, 256).map(Kind::characterOfByte), IntStream.of())
                        .mapToObj(Character::toString)
                        .toArray(String[]::new);
            }
            String[] words = {"\u2581a", "b", "\u2581\u2581", "##c", "\u00e9", "\u4e2d", "\ud83d\ude00", "\u2581", "x y"
            };
            return IntStream.range(0, 256 + words.length)
                    .mapToObj(i -> i < 256 ? "<0x%02X>".formatted(i) : words[i - 256])
                    .toArray(String[]::new);
        }

        private static int characterOfByte(int b) {
            boolean printable = b >= '!' && b <= '~' || b >= 0xa1 && b <= 0xac || b >= 0xae;
            if (printable) {
                return b;
            }
            int next = 256;
            for (int i = 0; i < b; i++) {
                next += i >= '!' && i <= '~' || i >= 0xa1 && i <= 0xac || i >= 0xae ? 0 : 1;
            }
            return next;
        }

        private static String escape(String s) {
            return s.replace("\\", "\\\\").replace("\"", "\\\"");
        }
    }

    @ParameterizedTest
    @EnumSource(Kind.class)
    void streamsTheTextThatDecodingAtOnceGives(Kind kind) throws IOException {
        try (FolderTokenizer tokenizer = load(kind)) {
            long seed = 42;
            Random random = new Random(seed);
            for (int round = 0; round < 300; round++) {
                boolean skip = random.nextBoolean();
                int[] ids = kind == Kind.BYTE_LEVEL ? randomBytes(tokenizer, random) : randomPieces(tokenizer, random);
                assertThat(stream(tokenizer, ids, skip))
                        .as("seed %d round %d", seed, round)
                        .isEqualTo(tokenizer.decode(ids, skip));
            }
        }
    }

    @Test
    void neverEndsAPieceInsideACharacter() throws IOException {
        try (FolderTokenizer tokenizer = load(Kind.BYTE_LEVEL)) {
            int[] ids = tokenizer.encode("a\ud83d\ude00\u4e2d!", false);
            Detokenizer detokenizer = tokenizer.detokenizer(true);
            for (int id : ids) {
                assertThat(detokenizer.add(id)).isIn("", "a", "\ud83d\ude00", "\u4e2d", "!");
            }
            assertThat(detokenizer.finish()).isEmpty();
        }
    }

    @Test
    void tellsWhatStayedBrokenAtTheEnd() throws IOException {
        try (FolderTokenizer tokenizer = load(Kind.BYTE_LEVEL)) {
            Detokenizer detokenizer = tokenizer.detokenizer(true);

            assertThat(detokenizer.add(0xf0)).isEmpty();
            assertThat(detokenizer.add(0x9f)).isEmpty();
            assertThat(detokenizer.finish()).isEqualTo("\uFFFD");
        }
    }

    @Test
    void knowsPiecesAndSpecialTokens() throws IOException {
        try (FolderTokenizer tokenizer = load(Kind.BYTE_LEVEL)) {
            assertThat(tokenizer.vocabularySize()).isEqualTo(258);
            assertThat(tokenizer.id("<|end|>")).isEqualTo(256);
            assertThat(tokenizer.special(256)).isTrue();
            assertThat(tokenizer.special(257)).isFalse();
            assertThat(tokenizer.token(257)).isEqualTo("<tool>");
            assertThat(tokenizer.id("no such piece")).isEqualTo(-1);
        }
    }

    @Test
    void doesNotTruncateLongTexts() throws IOException {
        try (FolderTokenizer tokenizer = load(Kind.BYTE_LEVEL)) {
            assertThat(tokenizer.encode("a".repeat(20_000), true)).hasSize(20_000);
        }
    }

    @Test
    void roundTripsTheRealTokenizer() {
        assumeTrue(Files.isDirectory(STORIES), "no folder of real models beside this checkout");
        try (FolderTokenizer tokenizer = FolderTokenizer.load(STORIES)) {
            String text = "Once upon a time, Lily saw a \ud83d\ude00 & said: \u00e9!";
            int[] ids = tokenizer.encode(text, true);

            assertThat(ids[0]).isEqualTo(1);
            assertThat(stream(tokenizer, ids, true)).isEqualTo(text);
            assertThat(tokenizer.decode(ids, true)).isEqualTo(text);
        }
    }

    @Test
    void aMissingOrBrokenFileSaysSo() throws IOException {
        assertThatThrownBy(() -> FolderTokenizer.load(folder))
                .isInstanceOf(ModelException.class)
                .hasMessageContaining("tokenizer.json is missing");
        Files.writeString(folder.resolve("tokenizer.json"), "{\"model\": {\"vocab\": {\"a\": 0");
        assertThatThrownBy(() -> FolderTokenizer.load(folder)).isInstanceOf(ModelException.class);
    }

    private FolderTokenizer load(Kind kind) throws IOException {
        Files.writeString(folder.resolve("tokenizer.json"), kind.json());
        return FolderTokenizer.load(folder);
    }

    private static String stream(Tokenizer tokenizer, int[] ids, boolean skip) {
        Detokenizer detokenizer = tokenizer.detokenizer(skip);
        StringBuilder text = new StringBuilder();
        for (int id : ids) {
            String piece = detokenizer.add(id);
            assertThat(piece.isEmpty() || !Character.isHighSurrogate(piece.charAt(piece.length() - 1)))
                    .isTrue();
            text.append(piece);
        }
        return text.append(detokenizer.finish()).toString();
    }

    /** Any bytes, valid or not, and special tokens between them. */
    private static int[] randomBytes(Tokenizer tokenizer, Random random) {
        return random.ints(1 + random.nextInt(30), 0, tokenizer.vocabularySize())
                .toArray();
    }

    /** Pieces, and whole characters spelled in fallback bytes. */
    private static int[] randomPieces(Tokenizer tokenizer, Random random) {
        IntStream.Builder ids = IntStream.builder();
        for (int i = random.nextInt(20); i >= 0; i--) {
            if (random.nextInt(4) == 0 && tokenizer.id("<0x00>") == 0) {
                byte[] bytes = Character.toString(random.nextBoolean() ? 0x1f600 : 0xe9)
                        .getBytes(java.nio.charset.StandardCharsets.UTF_8);
                for (byte b : bytes) {
                    ids.add(b & 0xff);
                }
            } else {
                ids.add(256 + random.nextInt(tokenizer.vocabularySize() - 256));
            }
        }
        return ids.build().toArray();
    }

    @Test
    void shouldPutTheTokenizersSpecialTokensAroundAndBetweenAPair() throws IOException {
        Files.writeString(folder.resolve("tokenizer.json"), """
                {"version":"1.0","truncation":null,"padding":null,"normalizer":null,"decoder":null,
                 "added_tokens":[
                  {"id":0,"content":"[CLS]","single_word":false,"lstrip":false,"rstrip":false,"normalized":false,"special":true},
                  {"id":1,"content":"[SEP]","single_word":false,"lstrip":false,"rstrip":false,"normalized":false,"special":true}],
                 "pre_tokenizer":{"type":"Whitespace"},
                 "post_processor":{"type":"TemplateProcessing",
                  "single":[{"SpecialToken":{"id":"[CLS]","type_id":0}},{"Sequence":{"id":"A","type_id":0}},
                   {"SpecialToken":{"id":"[SEP]","type_id":0}}],
                  "pair":[{"SpecialToken":{"id":"[CLS]","type_id":0}},{"Sequence":{"id":"A","type_id":0}},
                   {"SpecialToken":{"id":"[SEP]","type_id":0}},{"Sequence":{"id":"B","type_id":1}},
                   {"SpecialToken":{"id":"[SEP]","type_id":1}}],
                  "special_tokens":{"[CLS]":{"id":"[CLS]","ids":[0],"tokens":["[CLS]"]},
                   "[SEP]":{"id":"[SEP]","ids":[1],"tokens":["[SEP]"]}}},
                 "model":{"type":"WordLevel","vocab":{"[CLS]":0,"[SEP]":1,"what":2,"is":3,"this":4,"[UNK]":5},
                  "unk_token":"[UNK]"}}""");
        try (FolderTokenizer tokenizer = FolderTokenizer.load(folder)) {
            assertThat(tokenizer.encodePair("what is", "this")).containsExactly(0, 2, 3, 1, 4, 1);
        }
    }
}
