package dev.jeton.scheduler;

import dev.jeton.models.engine.EngineInfo;
import dev.jeton.models.engine.LayerGroup;

/**
 * What one scheduler keeps to: what its configuration allows and its engine can do.
 *
 * @param contextLength most tokens of a sequence: the engine's context, or what the whole cache holds if that is less
 * @param maxSequences most sequences that have blocks at once, and rows of a step
 * @param maxTokens most tokens of a step
 */
record Bounds(int contextLength, int maxSequences, int maxTokens) {

    static Bounds of(SchedulerConfig config, EngineInfo info) {
        int context = info.contextLength();
        for (LayerGroup group : info.groups()) {
            context = (int) Math.min(context, (long) group.blockCount() * group.blockSize());
        }
        return new Bounds(
                context,
                Math.min(config.maxSequences(), info.maxRows()),
                Math.min(config.maxBatchedTokens(), info.maxTokens()));
    }
}
