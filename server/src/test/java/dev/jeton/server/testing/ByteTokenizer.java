package dev.jeton.server.testing;

import dev.jeton.models.Detokenizer;
import dev.jeton.models.Tokenizer;
import dev.jeton.models.grammar.GrammarVocabulary;
import java.io.ByteArrayOutputStream;
import java.nio.ByteBuffer;
import java.nio.CharBuffer;
import java.nio.charset.CharsetDecoder;
import java.nio.charset.CodingErrorAction;
import java.nio.charset.StandardCharsets;
import java.util.Arrays;
import java.util.List;
import java.util.Optional;
import java.util.stream.IntStream;

/**
 * A small byte-level tokenizer: ids below 256 are bytes, then a few longer entries, then special tokens.
 * {@link #encode} gives bytes only, so that a text's ids are known without thinking. It may take a space from the
 * beginning of a text, as the tokenizers of SentencePiece do.
 */
public final class ByteTokenizer implements Tokenizer {

    /** Ends a sequence. */
    public static final int EOS = 256;

    /** Begins a text. */
    public static final int BOS = 257;

    private static final int WORDS = 258;
    private static final List<String> WORD_TEXTS = List.of(" the", "ing", " and", "</tool>", "\u00e9\u00e8", " stop");

    private static final int MARKS = WORDS + WORD_TEXTS.size();

    /** Special tokens of Mistral's models for tool calls and thinking, and those of OpenAI's harmony format. */
    private static final List<String> MARK_TEXTS = List.of(
            "[TOOL_CALLS]",
            "[ARGS]",
            "[THINK]",
            "[/THINK]",
            "<|start|>",
            "<|channel|>",
            "<|constrain|>",
            "<|message|>",
            "<|end|>",
            "<|return|>",
            "<|call|>");

    /** Ids, special ones included. */
    public static final int SIZE = MARKS + MARK_TEXTS.size();

    private final boolean strips;
    private final boolean marks;

    /** One that keeps texts as they are. */
    public ByteTokenizer() {
        this(false);
    }

    /** @param strips whether a space goes with which a text begins */
    public ByteTokenizer(boolean strips) {
        this(strips, false);
    }

    private ByteTokenizer(boolean strips, boolean marks) {
        this.strips = strips;
        this.marks = marks;
    }

    /** One that finds special tokens in texts, as those of models do. */
    public static ByteTokenizer marking() {
        return new ByteTokenizer(false, true);
    }

    private String stripped(String text) {
        return strips && text.startsWith(" ") ? text.substring(1) : text;
    }

    @Override
    public int[] encode(String text, boolean addSpecialTokens) {
        if (marks) {
            return marked(text);
        }
        byte[] bytes = text.getBytes(StandardCharsets.UTF_8);
        IntStream ids = IntStream.range(0, bytes.length).map(i -> Byte.toUnsignedInt(bytes[i]));
        return (addSpecialTokens ? IntStream.concat(IntStream.of(BOS), ids) : ids).toArray();
    }

    private static int[] marked(String text) {
        ByteTokenizer plain = new ByteTokenizer();
        return Arrays.stream(text.split("(?=<\\|)|(?<=\\|>)"))
                .flatMapToInt(part -> MARK_TEXTS.contains(part)
                        ? IntStream.of(plain.id(part))
                        : IntStream.of(plain.encode(part, false)))
                .toArray();
    }

    @Override
    public int[] encodePair(String first, String second) {
        return encode(first + "\n" + second, true);
    }

    @Override
    public String decode(int[] ids, boolean skipSpecialTokens) {
        ByteArrayOutputStream out = new ByteArrayOutputStream();
        for (int id : ids) {
            out.writeBytes(bytes(id, skipSpecialTokens));
        }
        return stripped(out.toString(StandardCharsets.UTF_8));
    }

    private byte[] bytes(int id, boolean skipSpecialTokens) {
        if (id < 256) {
            return new byte[] {(byte) id};
        }
        if (special(id)) {
            return skipSpecialTokens ? new byte[0] : token(id).getBytes(StandardCharsets.UTF_8);
        }
        return token(id).getBytes(StandardCharsets.UTF_8);
    }

    @Override
    public String token(int id) {
        return switch (id) {
            case EOS -> "<eos>";
            case BOS -> "<bos>";
            default -> {
                if (id < 256) {
                    yield "<0x%02X>".formatted(id);
                }
                yield id < MARKS ? WORD_TEXTS.get(id - WORDS) : id < SIZE ? MARK_TEXTS.get(id - MARKS) : "";
            }
        };
    }

    @Override
    public int id(String token) {
        return IntStream.range(0, SIZE)
                .filter(id -> token(id).equals(token))
                .findFirst()
                .orElse(-1);
    }

    @Override
    public boolean special(int id) {
        return id == EOS || id == BOS || id >= MARKS && id < SIZE;
    }

    @Override
    public int vocabularySize() {
        return SIZE;
    }

    @Override
    public Optional<GrammarVocabulary> grammarVocabulary(int size) {
        return Optional.of(
                new GrammarVocabulary(size, id -> id < SIZE ? bytes(id, false) : new byte[0], this::special, strips));
    }

    @Override
    public Detokenizer detokenizer(boolean skipSpecialTokens) {
        return new Incremental(skipSpecialTokens);
    }

    @Override
    public void close() {}

    private final class Incremental implements Detokenizer {
        private final boolean skipSpecialTokens;
        private final CharsetDecoder decoder = StandardCharsets.UTF_8
                .newDecoder()
                .onMalformedInput(CodingErrorAction.REPLACE)
                .onUnmappableCharacter(CodingErrorAction.REPLACE);
        private final ByteBuffer pending = ByteBuffer.allocate(64);
        private boolean begun;

        Incremental(boolean skipSpecialTokens) {
            this.skipSpecialTokens = skipSpecialTokens;
        }

        @Override
        public String add(int token) {
            pending.put(bytes(token, skipSpecialTokens));
            return decode(false);
        }

        @Override
        public String finish() {
            return decode(true);
        }

        private String decode(boolean end) {
            CharBuffer out = CharBuffer.allocate(128);
            pending.flip();
            decoder.decode(pending, out, end);
            if (end) {
                decoder.flush(out);
            }
            pending.compact();
            String text = out.flip().toString();
            String kept = begun ? text : stripped(text);
            begun |= !text.isEmpty();
            return kept;
        }
    }
}
