package dev.jeton.models.reference;

import dev.jeton.models.EngineOptions;
import dev.jeton.models.TensorType;
import dev.jeton.models.engine.Engine;
import java.io.IOException;
import java.nio.file.Path;
import java.util.regex.Pattern;
import org.junit.jupiter.api.Test;
import org.junit.jupiter.api.io.TempDir;

/**
 * Rows of several adapters, and of none, in one batch, each against the float64 reference with its adapter merged into
 * the weights. An engine subclasses this and states its tolerance.
 */
public abstract class AdapterContract {

    private static final Pattern ALL = Pattern.compile("_proj\\.weight$");
    private static final Pattern SOME = Pattern.compile("layers\\.[02]\\..*(v_proj|o_proj|up_proj)\\.weight$");
    private static final Pattern ATTENTION = Pattern.compile("self_attn\\..*_proj\\.weight$");

    @TempDir
    Path folder;

    /** Loads a model folder onto the engine. */
    protected abstract Engine load(Path model, EngineOptions options);

    /** The type of weights to test with in place of another: those that the engine keeps exactly. */
    protected TensorType exactly(TensorType type) {
        return type;
    }

    /** Most that a log-probability may be off, as given for float32. */
    protected double tolerance(double ofFloat32) {
        return ofFloat32;
    }

    @Test
    void shouldMatchTheReferenceForLlama() throws IOException {
        check(Configs.llama(""), ALL, SOME, FamilyContract.plain(24));
    }

    @Test
    void shouldMatchTheReferenceWithBiases() throws IOException {
        check(Configs.qwen2(""), SOME, ALL, FamilyContract.plain(16));
    }

    @Test
    void shouldMatchTheReferenceForMatricesThatAreOneInFiles() throws IOException {
        check(Configs.phi3(""), ALL, Pattern.compile("qkv_proj"), FamilyContract.plain(24));
    }

    @Test
    void shouldMatchTheReferenceWithNormsAfterEachHalf() throws IOException {
        check(Configs.gemma2(""), ALL, Pattern.compile("(o|down)_proj"), FamilyContract.plain(24));
    }

    @Test
    void shouldMatchTheReferenceWhereNeighboursAreTurned() throws IOException {
        check(Configs.glm4(""), ATTENTION, Pattern.compile("(q|k)_proj"), FamilyContract.plain(12));
    }

    @Test
    void shouldMatchTheReferenceForAttentionBesideExperts() throws IOException {
        check(
                Configs.mixtral(""),
                ATTENTION,
                Pattern.compile("layers\\.[02]\\..*self_attn\\.(v|o)_proj"),
                FamilyContract.plain(16));
    }

    private void check(String config, Pattern one, Pattern other, double[] frequencies) throws IOException {
        TinyModel model = new TinyModel(folder.resolve("model"), config, exactly(TensorType.F32), AdapterCheck.SEED);
        AdapterCheck.check(this::load, model, one, other, frequencies, tolerance(2e-4));
    }
}
