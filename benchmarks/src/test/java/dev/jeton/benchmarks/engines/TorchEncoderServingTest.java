package dev.jeton.benchmarks.engines;

import dev.jeton.models.reference.TinyEncoder;
import dev.jeton.models.torch.EncoderArchive;
import java.io.IOException;
import java.nio.file.Files;
import java.nio.file.Path;
import org.junit.jupiter.api.Test;

/** Encoders as TorchScript modules. */
class TorchEncoderServingTest extends EncoderServingContract {

    TorchEncoderServingTest() {
        super("torch");
    }

    @Override
    void export(TinyEncoder encoder, Path model, String architecture, String more) throws IOException {
        new EncoderArchive(encoder).write(model, "model.pt", architecture, more);
    }

    @Test
    void ranksDocumentsByWhatAFolderOfDjlsModelZooHolds() throws Exception {
        TinyEncoder encoder = new TinyEncoder(new TinyEncoder.Shape(64, 32, 2, 4, 48, 48, 1, -1), 14);
        new EncoderArchive(encoder).write(folder, "my-ranker.pt", "BertForSequenceClassification", "");
        Files.writeString(folder.resolve("serving.properties"), """
                engine=PyTorch
                option.modelName=my-ranker
                option.mapLocation=true
                padding=true
                includeTokenTypes=true
                reranking=true
                translatorFactory=ai.djl.huggingface.translator.TextClassificationTranslatorFactory
                """);
        try (Serving serving = new Serving()) {
            ranked(serving, encoder);
        }
    }
}
