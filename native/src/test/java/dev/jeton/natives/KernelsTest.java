package dev.jeton.natives;

import static org.assertj.core.api.Assertions.assertThat;
import static org.assertj.core.api.Assertions.assertThatThrownBy;

import java.nio.charset.StandardCharsets;
import java.util.HashMap;
import java.util.List;
import java.util.Map;
import java.util.Optional;
import org.junit.jupiter.api.Test;

class KernelsTest {

    private final Map<String, byte[]> resources = new HashMap<>(Map.of(
            "jeton.cuh", "#define N 1".getBytes(StandardCharsets.UTF_8),
            "rows.cu", "#include \"jeton.cuh\"".getBytes(StandardCharsets.UTF_8)));

    private final Kernels kernels =
            new Kernels(Optional.empty(), Optional.empty(), name -> Optional.ofNullable(resources.get(name)));

    @Test
    void sourceComesWithItsHeader() {
        KernelSource source = kernels.source("rows.cu", List.of("-DM=2"));
        assertThat(source.text()).startsWith("#include");
        assertThat(source.headers()).containsEntry("jeton.cuh", "#define N 1");
        assertThat(source.options()).containsExactly("-DM=2");
    }

    @Test
    void sourceComesWithTheHeadersOfItsHeaders() {
        resources.put("plan.cuh", "#include \"jeton.cuh\"\n#define P 1".getBytes(StandardCharsets.UTF_8));
        resources.put("latent.cu", "// by\n#include \"plan.cuh\"".getBytes(StandardCharsets.UTF_8));
        assertThat(kernels.source("latent.cu", List.of()).headers()).containsOnlyKeys("jeton.cuh", "plan.cuh");
        assertThat(kernels.source("rows.cu", List.of()).headers()).containsOnlyKeys("jeton.cuh");
    }

    @Test
    void shippedCubinIsTakenForItsArchitectureAndOptionsOnly() {
        byte[] cubin = {1, 2, 3};
        KernelSource source = kernels.source("rows.cu", List.of("-DM=2"));
        resources.put(Kernels.shipped(source, "sm_90a"), cubin);
        assertThat(kernels.cubin("rows.cu", List.of("-DM=2"), "sm_90a")).isEqualTo(cubin);
        assertThatThrownBy(() -> kernels.cubin("rows.cu", List.of("-DM=2"), "sm_80"))
                .isInstanceOf(NativeException.class)
                .hasMessageContaining("rows.cu for sm_80 with [-DM=2] is not shipped compiled");
        assertThatThrownBy(() -> kernels.cubin("rows.cu", List.of(), "sm_90a")).isInstanceOf(NativeException.class);
    }

    @Test
    void missingSourceIsNamed() {
        assertThatThrownBy(() -> kernels.source("nothing.cu", List.of())).hasMessageContaining("nothing.cu");
    }
}
