package dev.jeton.models;

import java.nio.file.Files;
import java.nio.file.Path;
import java.util.ArrayList;
import java.util.Arrays;
import java.util.List;
import java.util.Optional;
import java.util.Set;

/**
 * What a model that gives vectors, an encoder or a decoder, is for by its folder, and how long texts may be.
 *
 * <p>A folder of sentence-transformers is known by its modules.json, one for pairs or classes by its architecture
 * ({@code ...ForSequenceClassification}). An encoder without modules.json pools by the mean and does not normalise, as
 * sentence-transformers does with such a folder; a decoder without it takes its last token's state and normalises, as
 * vLLM does. Where serving.properties names one of DJL's translators, that alone says what an encoder is for.
 *
 * @param kind what comes out
 * @param architecture as in config.json
 * @param vocabulary token ids are 0 until this
 * @param maxTokens most tokens of a text, special ones included
 * @param hidden width of hidden states
 * @param width values of a result: the embedding's elements, or the labels
 * @param stages from hidden states to an embedding; empty where labels come out
 * @param labels names by id; empty for an embedding
 * @param scores what makes scores of a label's logits; {@code NONE} for an embedding
 * @param padding the token that fills up texts of a batch; -1 for none, of decoders, which need none
 * @param separator the token that ends the first text of a pair where the model tells both by token types; else -1
 * @param prompt what sentence-transformers puts in front of each text, or tells a ranking decoder's template as the
 *     system's message; empty for nothing
 */
public record VectorSpec(
        Kind kind,
        String architecture,
        int vocabulary,
        int maxTokens,
        int hidden,
        int width,
        List<VectorStage> stages,
        List<String> labels,
        Scores scores,
        int padding,
        int separator,
        String prompt) {

    /** What comes out. */
    public enum Kind {
        /** A vector. */
        EMBEDDING,
        /** One logit for a pair of texts: how well the second answers the first. */
        RERANKER,
        /** A logit for each of several labels. */
        CLASSIFIER
    }

    /** What makes scores of logits. */
    public enum Scores {
        /** Logits are the scores. */
        NONE,
        /** The logistic function of each. */
        SIGMOID,
        /** Shares of 1. */
        SOFTMAX
    }

    /** How architectures end whose results are logits of labels. */
    static final String LABELS = "ForSequenceClassification";

    private static final String SENTENCES = "config_sentence_transformers.json";

    private static final VectorStage LAST = new VectorStage.Pool(List.of(VectorStage.Pooling.LAST));

    /** llama.cpp's number for pooling by the last token. */
    private static final int LAST_TOKEN = 3;

    /** Families whose positions begin after the padding token's id. */
    private static final Set<String> SHIFTED = Set.of(
            "roberta", "xlm-roberta", "xlm-roberta-xl", "camembert", "mpnet", "longformer", "data2vec-text", "ibert");

    private static final int MOST_LABELS = 100_000;

    /** Copies the lists. */
    public VectorSpec {
        stages = List.copyOf(stages);
        labels = List.copyOf(labels);
    }

    /**
     * Whether a folder holds an encoder: something whose architecture is not one that generates, or what one of DJL's
     * translators is named for.
     */
    public static boolean describes(Path folder) {
        Path config = folder.resolve("config.json");
        if (!Files.isRegularFile(config) || Files.exists(folder.resolve("genai_config.json"))) {
            return false;
        }
        if (DjlTranslator.isNamed(ServingProperties.read(folder))) {
            return true;
        }
        String architecture = architecture(JsonObject.read(config));
        boolean generates = architecture.endsWith("ForCausalLM")
                || architecture.endsWith("LMHeadModel")
                || architecture.endsWith("ForConditionalGeneration");
        return Files.exists(folder.resolve("modules.json"))
                || architecture.endsWith(LABELS)
                || (!architecture.isEmpty() && !generates);
    }

    /**
     * Reads an encoder's folder.
     *
     * @throws ModelException naming the file and what is wrong with it
     */
    public static VectorSpec read(Path folder) {
        JsonObject config = JsonObject.read(folder.resolve("config.json"));
        int hidden = config.optionalInteger("hidden_size", 1, 1 << 20)
                .or(() -> config.optionalInteger("dim", 1, 1 << 20))
                .orElseThrow(() -> new ModelException(config.source() + ": \"hidden_size\" is missing"));
        Optional<DjlTranslator> translator = DjlTranslator.read(folder);
        boolean labelled = translator
                .map(named -> named.kind() != Kind.EMBEDDING)
                .orElse(architecture(config).endsWith(LABELS) && !Files.exists(folder.resolve("modules.json")));
        List<String> labels = labelled ? labels(config, translator.map(DjlTranslator::kind)) : List.of();
        List<VectorStage> stages = labelled
                ? List.of()
                : translator
                        .map(named -> named.stages(folder, hidden))
                        .orElseGet(() -> SentenceModules.read(folder, hidden));
        if (stages.stream().anyMatch(VectorStage.TokenLogit.class::isInstance)) {
            throw new ModelException(
                    folder + ": LogitScore in modules.json is for decoders, and this is served as an encoder");
        }
        Kind unnamed = !labelled ? Kind.EMBEDDING : labels.size() == 1 ? Kind.RERANKER : Kind.CLASSIFIER;
        int padding = config.optionalInteger("pad_token_id", 0, 1 << 24).orElse(0);
        int most = maxTokens(folder, config, padding);
        return new VectorSpec(
                translator.map(DjlTranslator::kind).orElse(unnamed),
                architecture(config),
                config.integer("vocab_size", 1, 1 << 24),
                Math.min(most, translator.flatMap(DjlTranslator::maxLength).orElse(most)),
                hidden,
                labelled ? labels.size() : SentenceModules.width(stages, hidden),
                stages,
                labels,
                translator
                        .map(named -> named.scores(config, labels.size()))
                        .orElseGet(() -> labelled ? scores(folder, config, labels.size()) : Scores.NONE),
                padding,
                separator(folder, config),
                prompt(folder));
    }

    /**
     * What a decoder is for that gives vectors; empty where it generates.
     *
     * @throws ModelException naming what decoders do not do
     */
    public static Optional<VectorSpec> ofDecoder(Path model) {
        return ofDecoder(model, ModelFiles.config(model));
    }

    /** @param config of the model */
    static Optional<VectorSpec> ofDecoder(Path model, JsonObject config) {
        if (GgufFile.is(model)) {
            int pooling = config.optionalInteger("pooling_type", -1, 1 << 16).orElse(0);
            if (pooling > 0 && pooling != LAST_TOKEN) {
                throw new ModelException(
                        "%s: pooling type %d is not supported; decoders give vectors by their last token (%d)"
                                .formatted(config.source(), pooling, LAST_TOKEN));
            }
            return pooling == LAST_TOKEN ? Optional.of(lastToken(config, "")) : Optional.empty();
        }
        if (!describes(model)) {
            return Optional.empty();
        }
        if (!Files.exists(model.resolve("modules.json"))) {
            boolean labelled = architecture(config).endsWith(LABELS);
            return Optional.of(labelled ? labelled(model, config) : lastToken(config, prompt(model)));
        }
        int hidden = config.integer("hidden_size", 1, 1 << 20);
        List<VectorStage> stages = SentenceModules.read(model, hidden);
        boolean ranks = stages.getFirst() instanceof VectorStage.TokenLogit;
        if (!ranks && !stages.getFirst().equals(LAST)) {
            throw new ModelException("%s: decoders pool by the last token, and not by %s"
                    .formatted(model.resolve("modules.json"), stages.getFirst()));
        }
        return Optional.of(ofDecoder(
                config,
                ranks ? Kind.RERANKER : Kind.EMBEDDING,
                sentenceTokens(model, maxTokens(config)),
                stages,
                ranks ? List.of("relevance") : List.of(),
                ranks ? scores(model, config, 1) : Scores.NONE,
                prompt(model)));
    }

    private static VectorSpec lastToken(JsonObject config, String prompt) {
        List<VectorStage> stages = List.of(LAST, new VectorStage.Normalize());
        return ofDecoder(config, Kind.EMBEDDING, maxTokens(config), stages, List.of(), Scores.NONE, prompt);
    }

    private static VectorSpec labelled(Path folder, JsonObject config) {
        List<String> labels = labels(config, 2);
        return ofDecoder(
                config,
                labels.size() == 1 ? Kind.RERANKER : Kind.CLASSIFIER,
                maxTokens(config),
                List.of(new VectorStage.LabelLogits(labels.size())),
                labels,
                scores(folder, config, labels.size()),
                prompt(folder));
    }

    private static VectorSpec ofDecoder(
            JsonObject config,
            Kind kind,
            int maxTokens,
            List<VectorStage> stages,
            List<String> labels,
            Scores scores,
            String prompt) {
        int hidden = config.integer("hidden_size", 1, 1 << 20);
        return new VectorSpec(
                kind,
                architecture(config),
                config.integer("vocab_size", 1, 1 << 24),
                maxTokens,
                hidden,
                SentenceModules.width(stages, hidden),
                stages,
                labels,
                scores,
                config.optionalInteger("pad_token_id", 0, 1 << 24).orElse(-1),
                -1,
                prompt);
    }

    private static int maxTokens(JsonObject config) {
        return config.optionalInteger("max_position_embeddings", 1, 1 << 28).orElse(2048);
    }

    /**
     * A text as it is read: transformers takes a decoder's labels at the last token that is no padding, even where the
     * tokenizer puts that token at the end of each text.
     */
    public int[] read(int[] tokens) {
        int end = tokens.length;
        boolean labelled = stages.stream().anyMatch(VectorStage.LabelLogits.class::isInstance);
        while (labelled && end > 1 && tokens[end - 1] == padding) {
            end--;
        }
        return end == tokens.length ? tokens : Arrays.copyOf(tokens, end);
    }

    /** The prompt that sentence-transformers takes where none is named. */
    private static String prompt(Path folder) {
        Path file = folder.resolve(SENTENCES);
        if (!Files.exists(file)) {
            return "";
        }
        JsonObject config = JsonObject.read(file);
        return config.string("default_prompt_name")
                .map(name -> config.object("prompts")
                        .flatMap(prompts -> prompts.string(name))
                        .orElseThrow(() ->
                                new ModelException("%s: there is no prompt \"%s\"".formatted(config.source(), name))))
                .orElse("");
    }

    private static String architecture(JsonObject config) {
        List<Object> named = config.list("architectures");
        return named.isEmpty() ? "" : String.valueOf(named.getFirst());
    }

    private static int maxTokens(Path folder, JsonObject config, int padding) {
        int positions =
                config.optionalInteger("max_position_embeddings", 1, 1 << 28).orElse(512);
        if (SHIFTED.contains(config.string("model_type").orElse(""))) {
            positions -= padding + 1;
        }
        positions = sentenceTokens(folder, positions);
        if (positions < 1) {
            throw new ModelException(config.source() + ": max_position_embeddings leaves no position for a token");
        }
        return positions;
    }

    /** What sentence-transformers cuts texts to, in its own file or, since version 6, in the tokenizer's. */
    private static int sentenceTokens(Path folder, int positions) {
        Path sentences = folder.resolve("sentence_bert_config.json");
        Optional<Integer> most = Files.exists(sentences)
                ? JsonObject.read(sentences).optionalInteger("max_seq_length", 1, 1 << 28)
                : Optional.empty();
        Path tokenizer = folder.resolve("tokenizer_config.json");
        if (most.isEmpty() && Files.exists(folder.resolve("modules.json")) && Files.exists(tokenizer)) {
            // a number beyond all models where it was not set
            most = JsonObject.read(tokenizer)
                    .number("model_max_length")
                    .filter(number -> number >= 1 && number < positions)
                    .map(Double::intValue);
        }
        return Math.min(positions, most.orElse(positions));
    }

    private static List<String> labels(JsonObject config, Optional<Kind> kind) {
        List<String> labels = labels(config, kind.equals(Optional.of(Kind.RERANKER)) ? 1 : 2);
        if (kind.equals(Optional.of(Kind.RERANKER)) && labels.size() != 1) {
            throw new ModelException("%s names %d labels, where a reranker's score is one logit"
                    .formatted(config.source(), labels.size()));
        }
        return labels;
    }

    private static List<String> labels(JsonObject config, int unsaid) {
        Optional<JsonObject> named = config.object("id2label");
        if (named.isEmpty()) {
            int count = config.optionalInteger("num_labels", 1, MOST_LABELS).orElse(unsaid);
            List<String> labels = new ArrayList<>();
            for (int i = 0; i < count; i++) {
                labels.add("LABEL_" + i);
            }
            return labels;
        }
        JsonObject map = named.get();
        List<String> labels = new ArrayList<>();
        while (map.has(String.valueOf(labels.size()))) {
            labels.add(map.string(String.valueOf(labels.size())).orElseThrow());
        }
        int count = 0;
        for (String _ : map.keys()) {
            count++;
        }
        if (labels.isEmpty() || labels.size() != count || count > MOST_LABELS) {
            throw new ModelException(
                    "%s: %d labels, of which %d are numbered from 0 on".formatted(map.source(), count, labels.size()));
        }
        return labels;
    }

    /** As the cross-encoders of sentence-transformers and the pipelines of transformers choose it. */
    private static Scores scores(Path folder, JsonObject config, int labels) {
        Path sentences = folder.resolve(SENTENCES);
        Optional<String> named =
                Files.exists(sentences) ? JsonObject.read(sentences).string("activation_fn") : Optional.empty();
        named = named.or(() -> config.object("sentence_transformers").flatMap(o -> o.string("activation_fn")))
                .or(() -> config.string("sbert_ce_default_activation_function"));
        if (named.isPresent()) {
            String function = named.get().substring(named.get().lastIndexOf('.') + 1);
            return switch (function) {
                case "Identity" -> Scores.NONE;
                case "Sigmoid" -> Scores.SIGMOID;
                case "Softmax" -> Scores.SOFTMAX;
                default ->
                    throw new ModelException("%s: scores by \"%s\" are not supported; Identity, Sigmoid and Softmax are"
                            .formatted(config.source(), named.get()));
            };
        }
        return switch (config.string("problem_type").orElse("")) {
            case "regression" -> Scores.NONE;
            case "multi_label_classification" -> Scores.SIGMOID;
            default -> labels == 1 ? Scores.SIGMOID : Scores.SOFTMAX;
        };
    }

    /** The separator where token types tell the texts of a pair apart. */
    private static int separator(Path folder, JsonObject config) {
        if (config.optionalInteger("type_vocab_size", 0, 1 << 16).orElse(0) < 2
                || SHIFTED.contains(config.string("model_type").orElse(""))) {
            return -1;
        }
        Optional<Integer> given = config.optionalInteger("sep_token_id", 0, 1 << 24);
        Path tokenizer = folder.resolve("tokenizer.json");
        if (given.isPresent() || !Files.exists(tokenizer)) {
            return given.orElse(-1);
        }
        String piece = "[SEP]";
        Path settings = folder.resolve("tokenizer_config.json");
        if (Files.exists(settings)) {
            JsonObject read = JsonObject.read(settings);
            Object named = read.value("sep_token").orElse(piece);
            piece = named instanceof String text
                    ? text
                    : read.object("sep_token").flatMap(o -> o.string("content")).orElse(piece);
        }
        return TokenizerFile.parse(tokenizer, TokenizerFile.bytes(tokenizer)).id(piece);
    }
}
