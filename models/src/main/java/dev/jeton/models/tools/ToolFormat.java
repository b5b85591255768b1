package dev.jeton.models.tools;

import java.util.List;
import java.util.Optional;
import java.util.stream.Stream;

/**
 * How a family of models writes tool calls. Names are those of vLLM's {@code --tool-call-parser}. Each says how one
 * call is framed, for whoever wants a grammar of it.
 */
public sealed interface ToolFormat
        permits HermesFormat,
                LlamaFormat,
                MistralFormat,
                GraniteFormat,
                TaggedFormat,
                GlmFormat,
                DeepSeekFormat,
                KimiFormat,
                PythonicFormat,
                HarmonyFormat {

    /** All formats, each version by itself; the first that recognises a template has it. */
    List<ToolFormat> ALL = List.of(
            new HarmonyFormat(),
            new DeepSeekFormat(DeepSeekFormat.Version.V3),
            new DeepSeekFormat(DeepSeekFormat.Version.V31),
            new MistralFormat(MistralFormat.Version.ARRAY),
            new MistralFormat(MistralFormat.Version.NAMED),
            new GraniteFormat(),
            new GlmFormat(GlmFormat.Version.LINES),
            new GlmFormat(GlmFormat.Version.DENSE),
            new KimiFormat(),
            new TaggedFormat(TaggedFormat.Family.QWEN3_CODER),
            new TaggedFormat(TaggedFormat.Family.SEED_OSS),
            new TaggedFormat(TaggedFormat.Family.MINIMAX_M2),
            new HermesFormat(),
            new PythonicFormat(PythonicFormat.Version.PLAIN),
            new PythonicFormat(PythonicFormat.Version.LLAMA4),
            new PythonicFormat(PythonicFormat.Version.OLMO3),
            new LlamaFormat());

    /** Setting of a model whose chat template tells its format. */
    String AUTO = "auto";

    /** Setting of a model whose calls are not taken out of its answers. */
    String OFF = "none";

    /** As in configuration. */
    String name();

    /** Literals of its frames, which are special tokens in some vocabularies. */
    List<String> marks();

    /** Literals with which a frame begins; {@link #bare} ones may do without. */
    List<String> begins();

    /** What calls may begin with in place of those literals, as text that is none may, too; negative for nothing. */
    default int bareBegin() {
        return -1;
    }

    /** Whether calls may begin without one of those literals, and text that is none with one. */
    default boolean bare() {
        return bareBegin() >= 0;
    }

    /**
     * Whether its literals are in no text: who has parted an answer before a parser reads it says with their marks
     * where calls are.
     */
    default boolean signed() {
        return false;
    }

    /** What stands around a call. */
    CallFrame frame();

    /** Whether a chat template's source is one of a model that writes calls like this. */
    boolean writtenBy(String template);

    /** What ids of calls look like, so that the model's template takes them back. */
    default CallId callId() {
        return CallId.LONG;
    }

    /** All settings: {@link #AUTO}, {@link #OFF} and the formats' names. */
    static List<String> choices() {
        return Stream.concat(Stream.of(AUTO, OFF), ALL.stream().map(ToolFormat::name))
                .distinct()
                .toList();
    }

    /**
     * The format that a setting names, or leaves to a chat template to tell.
     *
     * @param setting one of {@link #choices}
     * @param template the template's source
     */
    static Optional<ToolFormat> chosen(String setting, String template) {
        return switch (setting) {
            case AUTO -> of(template);
            case OFF -> Optional.empty();
            default -> named(setting, template);
        };
    }

    /** The format of that name; of several versions with one name that of the template, or else the first. */
    static Optional<ToolFormat> named(String name, String template) {
        List<ToolFormat> named =
                ALL.stream().filter(format -> format.name().equals(name)).toList();
        return named.stream()
                .filter(format -> format.writtenBy(template))
                .findFirst()
                .or(() -> named.stream().findFirst());
    }

    /** The format that a chat template tells its model to write, or shows it; empty where it is none of them. */
    static Optional<ToolFormat> of(String template) {
        return ALL.stream().filter(format -> format.writtenBy(template)).findFirst();
    }
}
