package dev.jeton.models.cpu;

import static org.assertj.core.api.Assertions.assertThat;

import dev.jeton.models.AdapterFolder.Place;
import dev.jeton.models.TensorType;
import dev.jeton.models.reference.Configs;
import dev.jeton.models.reference.TinyAdapter;
import dev.jeton.models.reference.TinyModel;
import dev.jeton.models.rows.StepRows;
import java.io.IOException;
import java.nio.file.Path;
import java.util.List;
import java.util.regex.Pattern;
import org.junit.jupiter.api.Test;
import org.junit.jupiter.api.io.TempDir;

class StepAdaptersTest {

    private static final int TOKENS = 60;

    @TempDir
    private Path files;

    @Test
    void shouldComputeAsBeforeOnceAWideAdapterHasLeft() throws IOException {
        TinyModel model = new TinyModel(files.resolve("m"), Configs.llama(""), TensorType.F32, 1);
        Path narrow = new TinyAdapter(files.resolve("a"), model, Pattern.compile("q_proj"), 9, 4, false, 2).folder;
        Path wide = new TinyAdapter(files.resolve("b"), model, Pattern.compile("q_proj"), 200, 4, false, 3).folder;
        StepRows rows = new StepRows(1, 1, TOKENS);
        rows.rows = 1;
        rows.tokenCount = TOKENS;
        rows.adapter[0] = 1;
        rows.inputStart[1] = TOKENS;
        try (StepAdapters adapters = StepAdapters.load(List.of(narrow), model.spec, rows, TOKENS, 2)) {
            adapters.begin();
            assertThat(adapters.alone(0, Place.QUERY_KEY_VALUE)).isTrue();

            adapters.add(2, PackedAdapter.load(wide, model.spec, Long.MAX_VALUE));
            adapters.begin();
            assertThat(adapters.alone(0, Place.QUERY_KEY_VALUE)).isFalse();

            adapters.remove(2);
            adapters.begin();
            assertThat(adapters.alone(0, Place.QUERY_KEY_VALUE)).isTrue();
        }
    }
}
