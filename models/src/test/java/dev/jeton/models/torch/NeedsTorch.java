package dev.jeton.models.torch;

import static org.junit.jupiter.api.Assumptions.assumeTrue;

import org.junit.jupiter.api.extension.BeforeAllCallback;
import org.junit.jupiter.api.extension.ExtensionContext;

/** Skips a class where libtorch is not to be had for this platform, and says what is missing. */
final class NeedsTorch implements BeforeAllCallback {

    @Override
    public void beforeAll(ExtensionContext context) {
        String missing = new TorchEngineProvider().missing();
        assumeTrue(missing.isEmpty(), missing);
    }
}
