package dev.jeton.benchmarks.engines;

/** The torch engine; its logits depend on the batch within rounding. */
class TorchGenerationTest extends EngineGenerationContract {

    TorchGenerationTest() {
        super("torch");
    }

    @Override
    protected boolean sameInAnyBatch() {
        return false;
    }
}
