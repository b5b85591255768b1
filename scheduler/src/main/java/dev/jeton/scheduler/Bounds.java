package dev.jeton.scheduler;

import dev.jeton.models.engine.Capability;
import dev.jeton.models.engine.EngineInfo;
import dev.jeton.models.engine.LayerGroup;

/**
 * What one scheduler keeps to: what its configuration allows and its engine can do.
 *
 * @param contextLength most tokens of a sequence: the engine's context, or what the whole cache holds if that is less
 * @param maxSequences most sequences that have blocks at once, and rows of a step
 * @param maxTokens most tokens of a step; at least one prompt where prompts are not cut
 * @param wholePrompts whether a prompt is never cut into chunks
 */
record Bounds(int contextLength, int maxSequences, int maxTokens, boolean wholePrompts) {

    static Bounds of(SchedulerConfig config, EngineInfo info) {
        int context = info.contextLength();
        for (LayerGroup group : info.groups()) {
            context = (int) Math.min(context, (long) group.blockCount() * group.blockSize());
        }
        boolean whole = info.supports(Capability.WHOLE_PROMPTS);
        if (whole) {
            context = Math.min(context, info.maxTokens());
        }
        int tokens = Math.min(config.maxBatchedTokens(), info.maxTokens());
        return new Bounds(
                context,
                Math.min(config.maxSequences(), info.maxRows()),
                whole ? Math.max(tokens, context) : tokens,
                whole);
    }
}
