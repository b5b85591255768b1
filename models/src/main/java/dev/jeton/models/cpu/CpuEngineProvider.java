package dev.jeton.models.cpu;

import dev.jeton.models.EngineOptions;
import dev.jeton.models.EngineProvider;
import dev.jeton.models.engine.Engine;
import java.nio.file.Path;

/** Brings the cpu engine: any machine, no native library. */
public final class CpuEngineProvider implements EngineProvider {

    /** For the service loader. */
    public CpuEngineProvider() {}

    @Override
    public String name() {
        return "cpu";
    }

    @Override
    public String missing() {
        boolean vectors = ModuleLayer.boot().findModule("jdk.incubator.vector").isPresent();
        return vectors ? "" : "the Vector API; start java with --add-modules jdk.incubator.vector";
    }

    @Override
    public Engine open(Path folder, EngineOptions options) {
        return CpuEngine.load(folder, options);
    }
}
