package dev.jeton.models.cpu;

import dev.jeton.models.DeviceOptions;
import dev.jeton.models.EngineOptions;
import java.time.Duration;

/** Options with a type of K and V. */
final class KvTypes {

    private KvTypes() {}

    static EngineOptions with(EngineOptions options, String type) {
        return options.with(new DeviceOptions("", false, type, Duration.ZERO));
    }

    /** What is compared with references that keep K and V as they are computed. */
    static EngineOptions precise(EngineOptions options) {
        return with(options, "f32");
    }
}
