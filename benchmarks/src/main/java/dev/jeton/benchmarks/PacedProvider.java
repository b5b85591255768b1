package dev.jeton.benchmarks;

import dev.jeton.models.EngineOptions;
import dev.jeton.models.EngineSupport;
import dev.jeton.models.FolderTokenizer;
import dev.jeton.models.StepEngineProvider;
import dev.jeton.models.engine.Engine;
import dev.jeton.models.engine.StepTimeModel;
import java.nio.file.Path;
import java.util.List;
import java.util.Set;
import java.util.stream.IntStream;

/** Makes {@link PacedEngine}s; known to {@code jeton bench front} alone, so that no server has it among its engines. */
final class PacedProvider implements StepEngineProvider {

    private static final int CONTEXT = 8_192;
    private static final int BLOCK = 16;

    private final StepTimeModel.Coefficients coefficients;

    /** @param coefficients what steps take */
    PacedProvider(StepTimeModel.Coefficients coefficients) {
        this.coefficients = coefficients;
    }

    @Override
    public String name() {
        return "paced";
    }

    @Override
    public String missing() {
        return "";
    }

    @Override
    public EngineSupport support() {
        return new EngineSupport("none", List.of(), List.of(), Set.of());
    }

    @Override
    public String refusal(Path model) {
        return "";
    }

    /** Every sequence has room for the whole context; tokens given are all that are text. */
    @Override
    public Engine open(Path model, EngineOptions options) {
        try (FolderTokenizer tokenizer = FolderTokenizer.load(model)) {
            int[] pieces = IntStream.range(0, tokenizer.vocabularySize())
                    .filter(id -> !tokenizer.special(id))
                    .filter(id ->
                            tokenizer.decode(new int[] {id}, false).chars().allMatch(c -> c >= ' ' && c < 127))
                    .toArray();
            return new PacedEngine(
                    tokenizer.vocabularySize(),
                    CONTEXT,
                    options.maxSequences() * CONTEXT / BLOCK,
                    options.maxSequences(),
                    options.maxBatchedTokens(),
                    coefficients,
                    pieces);
        }
    }
}
