package dev.jeton.benchmarks.engines;

/** The cpu engine. */
class CpuGenerationTest extends EngineGenerationContract {

    CpuGenerationTest() {
        super("cpu");
    }
}
