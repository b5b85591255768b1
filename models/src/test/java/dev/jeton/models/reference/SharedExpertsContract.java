package dev.jeton.models.reference;

import static org.assertj.core.api.Assertions.assertThat;

import dev.jeton.models.EngineOptions;
import dev.jeton.models.TensorType;
import dev.jeton.models.engine.Engine;
import java.io.IOException;
import java.nio.file.Files;
import java.nio.file.Path;
import org.junit.jupiter.api.Test;
import org.junit.jupiter.api.io.TempDir;

/**
 * Families with experts that all tokens go through, and experts chosen by corrected sigmoids out of the best groups,
 * against the float64 reference.
 */
public abstract class SharedExpertsContract {

    private static final long SEED = 20_261_201;
    private static final EngineOptions OPTIONS = new EngineOptions(0, 1 << 22, 4, 64, 16, 2, "none");
    /** As in {@link ExpertFamiliesContract}; margins here are lower bounds of it. */
    private static final double CLEAR = 0.03;

    @TempDir
    Path folder;

    /** Loads a model folder onto the engine. */
    protected abstract Engine load(Path model, EngineOptions options);

    /** Most that a log-probability may be off with weights of a type; the average is an eighth. */
    protected double tolerance(TensorType weights) {
        return 3e-4;
    }

    /** Whether the engine rounds inputs of products with weights of a type, see {@link ExpertFamiliesContract}. */
    protected boolean roundsInputs(TensorType weights) {
        return false;
    }

    /** The type of weights to test with in place of another: those that the engine keeps exactly. */
    protected TensorType exactly(TensorType type) {
        return type;
    }

    @Test
    void shouldMatchTheReferenceForQwen2WithExperts() throws IOException {
        check(Configs.qwen2Moe(""), TensorType.F32, 16);
    }

    @Test
    void shouldMatchTheReferenceForQwen2WithExpertsInBf16() throws IOException {
        check(Configs.qwen2Moe("\"norm_topk_prob\": true, \"mlp_only_layers\": [1]"), TensorType.BF16, 16);
    }

    @Test
    void shouldMatchTheReferenceForGlm4WithExperts() throws IOException {
        TinyModel model = check(Configs.glm4Moe(""), TensorType.F32, 16);
        assertThat(model.spec.experts().layers()).containsExactly(false, true, true);
        assertThat(model.spec.headNorms()).isFalse();
    }

    @Test
    void shouldMatchTheReferenceForGlm4WithExpertsAndHeadNormsInBf16() throws IOException {
        String more = "\"use_qk_norm\": true, \"first_k_dense_replace\": 0";
        TinyModel model = check(Configs.glm4Moe(more), TensorType.BF16, 16);
        assertThat(model.spec.headNorms()).isTrue();
        assertThat(model.spec.outputBias()).isFalse();
    }

    @Test
    void shouldMatchTheReferenceForGlm4WithoutGroupsAndWhatIsShared() throws IOException {
        String more = "\"n_shared_experts\": 0, \"norm_topk_prob\": false";
        String config = Configs.glm4Moe(more)
                .replace("\"n_group\": 4, \"topk_group\": 2", "\"n_group\": 1")
                .replace("\"n_shared_experts\": 2, ", "");
        TinyModel model = check(config, TensorType.F32, 16);
        assertThat(model.spec.experts().shared().exists()).isFalse();
    }

    /** @param turned elements of a head that are turned */
    private TinyModel check(String config, TensorType asked, int turned) throws IOException {
        TensorType type = exactly(asked);
        TinyModel model = new TinyModel(Files.createTempDirectory(folder, "model"), config, type, SEED);
        ReferenceDecoder reference = new ReferenceDecoder(model.spec, model.weights, FamilyContract.plain(turned), 1);
        if (roundsInputs(type)) {
            ReferenceCheck.checkClear(this::load, model, reference, tolerance(type), OPTIONS, CLEAR);
        } else {
            ReferenceCheck.check(this::load, model, reference, tolerance(type), OPTIONS, SEED);
        }
        return model;
    }
}
