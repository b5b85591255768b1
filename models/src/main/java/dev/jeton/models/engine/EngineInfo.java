package dev.jeton.models.engine;

import java.util.List;
import java.util.Set;

/**
 * What an engine is and can do.
 *
 * @param name the engine's name as in {@code jeton engines}: {@code cpu}, {@code sim}, ...
 * @param vocabulary number of logits; token ids are 0 until this
 * @param contextLength most tokens of one sequence, prompt and generated together
 * @param devices the device group's members in words, for example {@code cpu: 2 threads}
 * @param groups the layer groups, in the order in which block tables are given; none with
 *     {@link Capability#WHOLE_PROMPTS}, otherwise at least one
 * @param maxSlots most sequences open at once
 * @param maxRows most rows in a step; at most {@code maxSlots}
 * @param maxTokens most given and drafted tokens in a step, summed over its rows
 * @param maxTickets most tickets in flight: 1 or 2
 * @param capabilities what is supported beyond plain sampling
 * @param adapters how many it was opened with: a row names one from 1 on, or 0 for none; what is added later has
 *     greater numbers
 */
public record EngineInfo(
        String name,
        int vocabulary,
        int contextLength,
        List<String> devices,
        List<LayerGroup> groups,
        int maxSlots,
        int maxRows,
        int maxTokens,
        int maxTickets,
        Set<Capability> capabilities,
        int adapters) {

    /** Without adapters. */
    public EngineInfo(
            String name,
            int vocabulary,
            int contextLength,
            List<String> devices,
            List<LayerGroup> groups,
            int maxSlots,
            int maxRows,
            int maxTokens,
            int maxTickets,
            Set<Capability> capabilities) {
        this(
                name,
                vocabulary,
                contextLength,
                devices,
                groups,
                maxSlots,
                maxRows,
                maxTokens,
                maxTickets,
                capabilities,
                0);
    }

    /** Checks the bounds named above. */
    public EngineInfo {
        devices = List.copyOf(devices);
        groups = List.copyOf(groups);
        capabilities = Set.copyOf(capabilities);
        if (groups.isEmpty() != capabilities.contains(Capability.WHOLE_PROMPTS)) {
            throw new IllegalArgumentException("an engine has layer groups, or takes whole prompts only");
        }
        boolean offloads = groups.stream().anyMatch(group -> group.hostBlocks() > 0);
        if (offloads != capabilities.contains(Capability.HOST_TIER)) {
            throw new IllegalArgumentException("an engine with a host's tier has blocks there, and others have none");
        }
        boolean goesBack = capabilities.contains(Capability.DRAFTS) || capabilities.contains(Capability.HOST_TIER);
        if (goesBack && capabilities.contains(Capability.STATE)) {
            throw new IllegalArgumentException(
                    "engine %s: a state in slots goes with neither drafts nor a host's tier".formatted(name));
        }
        if (adapters < 0 || (adapters > 0 && !capabilities.contains(Capability.ADAPTERS))) {
            throw new IllegalArgumentException("%d adapters of engine %s".formatted(adapters, name));
        }
        if (vocabulary < 1 || contextLength < 1 || maxRows < 1 || maxRows > maxSlots || maxTokens < 1) {
            throw new IllegalArgumentException(
                    "engine %s: vocabulary %d, context %d, rows %d, slots %d and tokens %d must be positive, rows <= slots"
                            .formatted(name, vocabulary, contextLength, maxRows, maxSlots, maxTokens));
        }
        if (maxTickets < 1 || maxTickets > 2) {
            throw new IllegalArgumentException("engine " + name + ": tickets in flight must be 1 or 2");
        }
    }

    /** Whether this engine can do {@code capability}. */
    public boolean supports(Capability capability) {
        return capabilities.contains(capability);
    }
}
