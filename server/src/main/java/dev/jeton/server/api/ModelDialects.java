package dev.jeton.server.api;

import dev.jeton.models.ChatTemplate;
import dev.jeton.models.ModelException;
import dev.jeton.models.Tokenizer;
import dev.jeton.models.reasoning.ReasoningDialect;
import dev.jeton.models.reasoning.ReasoningFormat;
import dev.jeton.models.tools.HarmonyFormat;
import dev.jeton.models.tools.ToolDialect;
import dev.jeton.models.tools.ToolFormat;
import java.util.Optional;
import java.util.stream.IntStream;

/**
 * How a model writes what is no text of its answers. Where thinking and calls are channels of one format, either
 * setting says that answers are read so; the other one then says whether its part is taken out.
 *
 * @param tools how it calls tools
 * @param reasoning how it thinks before it answers; empty where thinking is left in its answers as it is
 */
public record ModelDialects(ModelTools tools, Optional<ReasoningDialect> reasoning) {

    /**
     * Those of a model.
     *
     * @param toolSetting one of {@link ToolFormat#choices}
     * @param reasoningSetting one of {@link ReasoningFormat#choices}
     * @param template the model's; without one it has no chats, and so neither
     * @throws ModelException where the settings contradict one another
     */
    public static ModelDialects of(
            String toolSetting, String reasoningSetting, Optional<ChatTemplate> template, Tokenizer tokenizer) {
        if (template.isEmpty()) {
            return new ModelDialects(ModelTools.NONE, Optional.empty());
        }
        String source = template.get().source();
        Optional<ToolFormat> calls = ToolFormat.chosen(toolSetting, source);
        Optional<ReasoningFormat> thinks = ReasoningFormat.chosen(reasoningSetting, source);
        boolean channels = calls.filter(HarmonyFormat.class::isInstance).isPresent()
                || thinks.filter(ReasoningFormat::channels).isPresent();
        if (channels && toolSetting.equals(ToolFormat.AUTO)) {
            calls = Optional.of(new HarmonyFormat());
        }
        if (channels && reasoningSetting.equals(ReasoningFormat.AUTO)) {
            thinks = Optional.of(ReasoningFormat.HARMONY);
        }
        boolean contradict =
                calls.filter(format -> !(format instanceof HarmonyFormat)).isPresent()
                        || thinks.filter(format -> !format.channels()).isPresent();
        if (channels && contradict) {
            throw new ModelException(
                    "the tool-call-parser '%s' and the reasoning-parser '%s' cannot read one answer: 'openai' goes with"
                                    .formatted(toolSetting, reasoningSetting)
                            + " 'openai_gptoss'; set the other one to that, or to 'auto' or 'none'");
        }
        boolean apart = thinks.isPresent();
        return new ModelDialects(
                ModelTools.of(calls.map(format -> new ToolDialect(format, tokenizer)), template.get()),
                (channels ? Optional.of(ReasoningFormat.HARMONY) : thinks)
                        .map(format -> new ReasoningDialect(format, tokenizer, apart)));
    }

    /** Tokens with which its answers end: those that its files name, and those of its format. */
    public int[] ends(int[] named) {
        return IntStream.concat(
                        IntStream.of(named), reasoning.stream().flatMapToInt(dialect -> IntStream.of(dialect.ends())))
                .distinct()
                .toArray();
    }
}
