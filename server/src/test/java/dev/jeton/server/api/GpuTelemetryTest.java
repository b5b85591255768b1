package dev.jeton.server.api;

import static org.assertj.core.api.Assertions.assertThat;

import dev.jeton.natives.testing.NvmlStandIn;
import dev.jeton.server.testing.Eventually;
import dev.jeton.server.testing.PrometheusText;
import dev.jeton.server.testing.TestServer;
import java.io.IOException;
import java.nio.file.Path;
import org.junit.jupiter.api.Assumptions;
import org.junit.jupiter.api.BeforeAll;
import org.junit.jupiter.api.Test;
import org.junit.jupiter.api.io.TempDir;

/** A server on a machine whose NVML is a library compiled by the test. */
class GpuTelemetryTest {

    private static final String SECOND = "{gpu=\"1\",name=\"Stand-in H200\",uuid=\"GPU-11111111-standin\"}";
    private static final String DCGM = "{Hostname=\"";

    @TempDir
    private Path folder;

    @BeforeAll
    static void needsACompiler() {
        Assumptions.assumeTrue(NvmlStandIn.possible(), "there is no C compiler (cc), so GPU telemetry is not tested");
    }

    private static void awaitGpus(TestServer server) {
        Eventually.until(
                "the GPUs are watched", () -> server.get("/metrics").body().contains("jeton_gpu_lost" + SECOND));
    }

    private static double value(TestServer server, String series) {
        return PrometheusText.parse(server.get("/metrics").body()).value(series);
    }

    @Test
    void gpusAreInTheMetrics() throws IOException {
        NvmlStandIn library = NvmlStandIn.compile(folder);
        try (TestServer server = TestServer.builder()
                .set("metrics.nvml", library.file().toString())
                .start()) {
            awaitGpus(server);
            assertThat(value(server, "jeton_gpu_utilization_ratio" + SECOND)).isEqualTo(0.41);
            assertThat(value(server, "jeton_gpu_power_watts" + SECOND)).isEqualTo(512.345);
            assertThat(value(server, "jeton_gpu_energy_joules_total" + SECOND)).isEqualTo(2);
            assertThat(server.get("/metrics").body())
                    .contains("jeton_gpu_clock_hertz{clock=\"sm\",gpu=\"1\"")
                    .contains("jeton_gpu_memory_bytes{gpu=\"1\",name=\"Stand-in H200\",state=\"used\"")
                    .doesNotContain("DCGM");
            library.energy(5_000);
            Eventually.until(
                    "they are looked at again", () -> value(server, "jeton_gpu_energy_joules_total" + SECOND) == 10);
        }
        assertThat(library.shutdowns()).isEqualTo(1);
    }

    @Test
    void dcgmExportersNamesComeOnRequest() throws IOException {
        NvmlStandIn library = NvmlStandIn.compile(folder);
        try (TestServer server = TestServer.builder()
                .set("metrics.nvml", library.file().toString())
                .set("metrics.dcgm-names", "true")
                .start()) {
            awaitGpus(server);
            String metrics = server.get("/metrics").body();
            for (String name : new String[] {
                "GPU_UTIL",
                "MEM_COPY_UTIL",
                "SM_CLOCK",
                "MEM_CLOCK",
                "GPU_TEMP",
                "POWER_USAGE",
                "TOTAL_ENERGY_CONSUMPTION",
                "FB_USED",
                "FB_FREE"
            }) {
                assertThat(metrics).contains("DCGM_FI_DEV_" + name + DCGM);
            }
            assertThat(metrics)
                    .contains("UUID=\"GPU-11111111-standin\",device=\"nvidia1\",gpu=\"1\",modelName=\"Stand-in H200\","
                            + "pci_bus_id=\"00000000:66:00.0\"");
        }
    }

    @Test
    void aGpuThatIsLostIsShownAsSuchAndTheServerServesOn() throws IOException {
        NvmlStandIn library = NvmlStandIn.compile(folder);
        try (TestServer server = TestServer.builder()
                .set("metrics.nvml", library.file().toString())
                .start()) {
            awaitGpus(server);
            library.result(15);
            Eventually.until("it is noticed", () -> value(server, "jeton_gpu_lost" + SECOND) == 1);
            assertThat(value(server, "jeton_gpu_power_watts" + SECOND)).isNaN();
            library.result(0);
            Eventually.until("it is back", () -> value(server, "jeton_gpu_lost" + SECOND) == 0);
        }
    }

    @Test
    void aMachineWithoutNvmlServesWithoutTelemetry() throws IOException {
        try (TestServer server = TestServer.builder()
                .set("metrics.nvml", folder.resolve("none.so").toString())
                .start()) {
            assertThat(server.get("/health/ready").status()).isEqualTo(200);
            assertThat(server.get("/metrics").body()).doesNotContain("jeton_gpu");
        }
    }
}
