package dev.jeton.benchmarks.demo;

import java.util.Locale;
import java.util.Map;
import java.util.stream.Collectors;

/**
 * The README of a model folder, with the figures of the run that made it.
 *
 * @param plan how it was trained
 * @param corpus on what
 * @param outcome tokens and time
 * @param evaluation held-out figures
 */
record ModelCard(Plan plan, Corpus corpus, Trainer.Outcome outcome, Evaluation evaluation) {

    /** The card as Markdown, with the front matter that model hubs read. */
    String markdown() {
        return String.join("\n\n", head(), description(), figures(), training(), use(), limits()) + "\n";
    }

    private String head() {
        return """
                ---
                license: apache-2.0
                language: en
                pipeline_tag: text-generation
                ---
                # %s""".formatted(plan.shape().name());
    }

    private String description() {
        ModelShape shape = plan.shape();
        return String.format(
                Locale.ROOT,
                """
                A Llama-architecture chat model of %,d parameters, made by this project so that the server can be tried
                without a download. It answers questions about running an inference server and about Jeton, greets, does
                small sums, and declines the rest.

                | | |
                |---|---|
                | layers, hidden, feed-forward | %d, %d, %d |
                | heads, key-value heads, head width | %d, %d, %d |
                | vocabulary | %,d (byte-level BPE of its own, 6 special tokens) |
                | context | %d tokens (trained on conversations of up to %d) |
                | weights | bf16, input and output embedding tied |""",
                shape.parameters(),
                shape.layers(),
                shape.hidden(),
                shape.intermediate(),
                shape.heads(),
                shape.keyValueHeads(),
                shape.headDim(),
                shape.vocabulary(),
                shape.context(),
                Trainer.MAX_TRAINED_LENGTH);
    }

    private String figures() {
        StringBuilder rows = new StringBuilder();
        for (Map.Entry<String, Evaluation.Score> entry : evaluation.byKind().entrySet()) {
            Evaluation.Score score = entry.getValue();
            rows.append(
                    String.format(Locale.ROOT, "| %s | %d of %d |%n", entry.getKey(), score.right(), score.asked()));
        }
        return String.format(
                Locale.ROOT,
                """
                ## Figures

                Held-out questions are phrasings that no training sample contains (`../corpus/heldout.txt`). A reply is
                right when it is the reference answer, word for word, under greedy decoding from the exported bf16
                weights.

                - **held-out paraphrases answered rightly: %d of %d (%.1f %%)**
                - held-out loss: %.4f nats a token of the right answers

                | kind | answered rightly |
                |---|---|
                %s""",
                evaluation.right(),
                evaluation.asked(),
                100 * evaluation.share(),
                evaluation.loss(),
                rows.toString().strip());
    }

    private String training() {
        int topics =
                corpus.topics().size() + corpus.chat().size() + corpus.unknown().size();
        return String.format(
                Locale.ROOT,
                """
                ## Training

                `models/demo/train.sh` (seed %d) trains from scratch on `../corpus`: %d topics, each with phrasings
                written out or made by templates, disturbed by synonyms, small words left out and slips of the finger;
                one in seven conversations has a system prompt, one in five a second turn.

                %s
                - about %,d tokens a step, %,d tokens in all (padding included)
                - AdamW, cosine decay after a warm-up, gradient norm clipped at 1
                - %d minutes of wall time""",
                plan.seed(),
                topics,
                plan.stages().stream().map(ModelCard::line).collect(Collectors.joining("\n")),
                plan.tokensPerBatch(),
                outcome.tokens(),
                Math.round(outcome.time().toSeconds() / 60.0));
    }

    private static String line(Stage stage) {
        return String.format(
                Locale.ROOT,
                "- %,d steps with %.0f %% of the exchanges arithmetic, peak learning rate %s",
                stage.steps(),
                100 * stage.arithmetic(),
                Float.toString(stage.peakRate()));
    }

    private String use() {
        return String.format(Locale.ROOT, """
                ## Use

                ```
                curl localhost:8000/v1/chat/completions -H 'Content-Type: application/json' -d '{
                  "model": "%s", "temperature": 0,
                  "messages": [{"role": "user", "content": "What is continuous batching?"}]}'
                ```""", plan.shape().name());
    }

    private String limits() {
        return """
                ## Limits

                The model has learned its answers by heart and recognises questions; it does not reason. It may give the
                answer to a neighbouring question, or an answer with full confidence to a question it does not know.
                Arithmetic is learned for terms up to 20 and factors up to 10. It knows English only, and a long
                conversation or a long system prompt confuses it. What it says about Jeton describes the whole design;
                the README says what is there today. Use it to try the server and to test it, for nothing else.""";
    }
}
