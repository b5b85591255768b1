package dev.jeton.natives;

import static org.assertj.core.api.Assertions.assertThat;
import static org.assertj.core.api.Assertions.assertThatThrownBy;

import dev.jeton.natives.testing.NvmlStandIn;
import java.io.IOException;
import java.nio.file.Files;
import java.nio.file.Path;
import java.util.List;
import java.util.Optional;
import java.util.OptionalLong;
import org.junit.jupiter.api.Assumptions;
import org.junit.jupiter.api.BeforeAll;
import org.junit.jupiter.api.Test;
import org.junit.jupiter.api.io.CleanupMode;
import org.junit.jupiter.api.io.TempDir;

/** Against a library compiled here, which has NVML's names and layouts: most machines that build this have no GPU. */
class NvmlTest {

    @TempDir(cleanup = CleanupMode.ALWAYS)
    private Path folder;

    @BeforeAll
    static void needsACompiler() {
        Assumptions.assumeTrue(
                NvmlStandIn.possible(), "there is no C compiler (cc), so NVML's bindings are not tested");
    }

    private static Nvml open(NvmlStandIn library) {
        return Nvml.open(Optional.of(library.file()));
    }

    @Test
    void everyFigureIsReadFromWhereTheDriverWritesIt() throws IOException {
        try (Nvml nvml = open(NvmlStandIn.compile(folder))) {
            assertThat(nvml.driver()).isEqualTo("570.86.15");
            assertThat(nvml.devices()).hasSize(2);
            NvmlDevice device = nvml.devices().get(1);
            assertThat(device.index()).isEqualTo(1);
            assertThat(device.uuid()).isEqualTo("GPU-11111111-standin");
            assertThat(device.name()).isEqualTo("Stand-in H200");
            assertThat(device.pciBusId()).contains("00000000:66:00.0");
            assertThat(device.utilization()).contains(new GpuUtilization(41, 20));
            assertThat(device.memory()).contains(new GpuMemory(150754820096L, 606076928L, 100000000000L, 50148743168L));
            assertThat(device.watts()).hasValue(512.345);
            assertThat(device.wattsLimit()).hasValue(700);
            assertThat(device.millijoules()).hasValue(2000);
            assertThat(device.celsius()).hasValue(61);
            assertThat(device.megahertz(GpuClock.GRAPHICS)).hasValue(1980);
            assertThat(device.megahertz(GpuClock.SM)).hasValue(1975);
            assertThat(device.megahertz(GpuClock.MEMORY)).hasValue(3201);
            assertThat(device.megahertz(GpuClock.VIDEO)).hasValue(1545);
            assertThat(device.mig()).isEqualTo(MigMode.ON);
            assertThat(nvml.devices().getFirst().mig()).isEqualTo(MigMode.OFF);
        }
    }

    @Test
    void countersAreWholeNumbersOfSixtyFourBits() throws IOException {
        NvmlStandIn library = NvmlStandIn.compile(folder);
        try (Nvml nvml = open(library)) {
            library.energy(1L << 40);
            assertThat(nvml.devices().getFirst().millijoules()).hasValue(1L << 40);
        }
    }

    @Test
    void allProcessesAreListedHoweverMany() throws IOException {
        NvmlStandIn library = NvmlStandIn.compile(folder);
        try (Nvml nvml = open(library)) {
            for (int count : new int[] {0, 16, 17, 100}) {
                library.processes(count);
                List<GpuProcess> processes = nvml.devices().getFirst().processes();
                assertThat(processes).hasSize(count);
                for (int i = 0; i < count; i++) {
                    OptionalLong used = i == 0 ? OptionalLong.empty() : OptionalLong.of(1000L * i);
                    assertThat(processes.get(i)).isEqualTo(new GpuProcess(3_000_000_000L + i, used));
                }
            }
        }
    }

    @Test
    void whatADeviceDoesNotHaveIsEmpty() throws IOException {
        NvmlStandIn library = NvmlStandIn.compile(folder);
        try (Nvml nvml = open(library)) {
            for (int code : new int[] {Nvml.NOT_SUPPORTED, Nvml.NO_PERMISSION}) {
                library.result(code);
                NvmlDevice device = nvml.devices().getFirst();
                assertThat(device.pciBusId()).isEmpty();
                assertThat(device.utilization()).isEmpty();
                assertThat(device.memory()).isEmpty();
                assertThat(device.watts()).isEmpty();
                assertThat(device.wattsLimit()).isEmpty();
                assertThat(device.millijoules()).isEmpty();
                assertThat(device.celsius()).isEmpty();
                assertThat(device.megahertz(GpuClock.SM)).isEmpty();
                assertThat(device.mig()).isEqualTo(MigMode.UNSUPPORTED);
            }
        }
    }

    @Test
    void aLostDeviceIsNamed() throws IOException {
        NvmlStandIn library = NvmlStandIn.compile(folder);
        try (Nvml nvml = open(library)) {
            library.result(15);
            assertThatThrownBy(() -> nvml.devices().get(1).millijoules())
                    .isInstanceOfSatisfying(
                            NvmlException.class, e -> assertThat(e.deviceLost()).isTrue())
                    .hasMessage("nvmlDeviceGetTotalEnergyConsumption (GPU 1, GPU-11111111-standin) failed with 15:"
                            + " GPU is lost");
        }
    }

    @Test
    void aDriverThatIsNotLoadedIsAnError() throws IOException {
        NvmlStandIn library = NvmlStandIn.compile(folder, "INIT=9");
        assertThatThrownBy(() -> open(library))
                .isInstanceOf(NvmlException.class)
                .hasMessage("nvmlInit_v2 failed with 9: Driver Not Loaded");
    }

    @Test
    void aMachineWithoutDevicesHasNone() throws IOException {
        try (Nvml nvml = open(NvmlStandIn.compile(folder, "DEVICES=0"))) {
            assertThat(nvml.devices()).isEmpty();
        }
    }

    @Test
    void aLibraryThatIsTooOldIsNamedWithTheFunctionThatItLacksAndLetGo() throws IOException {
        NvmlStandIn library = NvmlStandIn.compile(folder, "OLD");
        assertThatThrownBy(() -> open(library))
                .isInstanceOf(NativeException.class)
                .hasMessage("%s has no function nvmlDeviceGetMigMode: it is too old; update the driver or toolkit"
                        .formatted(library.file()));
        assertThat(library.shutdowns()).isEqualTo(1);
    }

    @Test
    void closingLetsGo() throws IOException {
        NvmlStandIn library = NvmlStandIn.compile(folder);
        open(library).close();
        assertThat(library.shutdowns()).isEqualTo(1);
    }

    @Test
    void whatWasLookedForIsListedWhereNothingIsFound() throws IOException {
        Path broken = Files.writeString(folder.resolve("libfirst.so"), "no library");
        assertThatThrownBy(() -> NativeLibrary.find(
                        "The library",
                        Optional.empty(),
                        List.of("libfirst.so", "libsecond.so"),
                        List.of(folder, folder.resolve("missing"))))
                .isInstanceOf(LibraryMissingException.class)
                .hasMessageStartingWith("The library is not there")
                .hasMessageContaining("libfirst.so (the system's loader does not find it)")
                .hasMessageContaining(broken + " (it cannot be loaded")
                .hasMessageContaining(folder.resolve("libsecond.so") + " (no such file)")
                .hasMessageContaining(folder.resolve("missing").resolve("libfirst.so") + " (no such file)");
    }

    @Test
    void aConfiguredFileIsTheOnlyOneThatIsTried() {
        assertThatThrownBy(() -> Nvml.open(Optional.of(folder.resolve("elsewhere.so"))))
                .isInstanceOf(LibraryMissingException.class)
                .hasMessageContaining(folder.resolve("elsewhere.so") + " (no such file)")
                .hasMessageNotContaining("libnvidia-ml.so");
    }

    @Test
    void aLibraryInOneOfTheFoldersIsFound() throws IOException {
        NvmlStandIn library = NvmlStandIn.compile(folder);
        NativeLibrary found = NativeLibrary.find(
                "It", Optional.empty(), List.of("libnvidia-ml.so.1.standin", "libnvidia-ml.so.1"), List.of(folder));
        // Where the machine has a driver, the system's loader is first.
        assertThat(found.place()).isIn(library.file().toString(), "libnvidia-ml.so.1");
    }
}
