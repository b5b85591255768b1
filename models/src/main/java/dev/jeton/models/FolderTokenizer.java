package dev.jeton.models;

import ai.djl.huggingface.tokenizers.HuggingFaceTokenizer;
import dev.jeton.models.grammar.GrammarVocabulary;
import java.io.ByteArrayInputStream;
import java.io.IOException;
import java.nio.charset.StandardCharsets;
import java.nio.file.Path;
import java.util.Arrays;
import java.util.HashMap;
import java.util.Map;
import java.util.Optional;
import java.util.function.IntPredicate;

/**
 * The tokenizer of a model: encoding and decoding by Hugging Face's tokenizers library (through DJL, natives in its
 * jar), detokenizing of streams by {@link PieceDetokenizer} wherever the decoder's kind is known.
 */
public final class FolderTokenizer implements Tokenizer {

    private final HuggingFaceTokenizer backing;
    private final TokenizerFile file;
    private final boolean specialTokens;
    private final Optional<PieceDecoder> pieces;

    private FolderTokenizer(HuggingFaceTokenizer backing, TokenizerFile file, boolean specialTokens) {
        this.backing = backing;
        this.file = file;
        this.specialTokens = specialTokens;
        pieces = PieceDecoder.of(file);
    }

    /**
     * Loads {@code tokenizer.json} of a folder, or the tokenizer of a GGUF file. Where the folder's serving.properties
     * names one of DJL's translators, what it says of lower case and special tokens counts.
     *
     * @throws ModelException if there is none or it is broken
     */
    public static FolderTokenizer load(Path model) {
        byte[] json = ModelFiles.tokenizer(model);
        TokenizerFile file = TokenizerFile.parse(model, json);
        ServingProperties serving = ServingProperties.read(model);
        boolean djl = DjlTranslator.isNamed(serving);
        // DJL otherwise looks for newer natives and reports its use to a server
        System.setProperty("ai.djl.offline", "true");
        System.setProperty("OPT_OUT_TRACKING", "true");
        try {
            Map<String, String> options =
                    new HashMap<>(Map.of("truncation", "false", "padding", "false", "addSpecialTokens", "true"));
            if (djl) {
                serving.text("doLowerCase").ifPresent(value -> options.put("doLowerCase", value));
            }
            return new FolderTokenizer(
                    HuggingFaceTokenizer.newInstance(new ByteArrayInputStream(json), options),
                    file,
                    !djl || serving.flag("addSpecialTokens", true));
        } catch (IOException | RuntimeException e) {
            throw new ModelException("the tokenizer of %s cannot be loaded: %s".formatted(model, e.getMessage()), e);
        }
    }

    @Override
    public int[] encode(String text, boolean addSpecialTokens) {
        return narrow(
                backing.encode(text, addSpecialTokens && specialTokens, false).getIds());
    }

    @Override
    public int[] encodePair(String first, String second) {
        return narrow(backing.encode(first, second, specialTokens, false).getIds());
    }

    private static int[] narrow(long[] ids) {
        int[] out = new int[ids.length];
        Arrays.setAll(out, i -> (int) ids[i]);
        return out;
    }

    @Override
    public String decode(int[] ids, boolean skipSpecialTokens) {
        long[] longs = new long[ids.length];
        Arrays.setAll(longs, i -> ids[i]);
        return backing.decode(longs, skipSpecialTokens);
    }

    @Override
    public String token(int id) {
        return file.piece(id);
    }

    @Override
    public int id(String token) {
        return file.id(token);
    }

    @Override
    public boolean special(int id) {
        return file.special(id);
    }

    @Override
    public int vocabularySize() {
        return file.size();
    }

    @Override
    public Optional<GrammarVocabulary> grammarVocabulary(int size) {
        return pieces.map(known -> new GrammarVocabulary(
                size,
                id -> file.special(id) ? file.piece(id).getBytes(StandardCharsets.UTF_8) : known.bytes(id),
                file::special,
                known.start() != PieceDecoder.Start.KEEP));
    }

    @Override
    public Detokenizer detokenizer(boolean skipSpecialTokens) {
        IntPredicate skipped = skipSpecialTokens ? file::special : id -> false;
        return pieces.<Detokenizer>map(p -> new PieceDetokenizer(p, skipped))
                .orElseGet(() -> new WindowDetokenizer(this, skipSpecialTokens));
    }

    @Override
    public void close() {
        backing.close();
    }
}
