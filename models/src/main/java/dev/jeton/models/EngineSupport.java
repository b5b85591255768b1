package dev.jeton.models;

import dev.jeton.models.engine.Capability;
import java.util.List;
import java.util.Set;

/**
 * What an engine runs on, reads and can do, for people.
 *
 * @param device what it would run on here, as {@code 2 cores}; empty where something is missing for that
 * @param formats what it reads, as {@code safetensors (f32, bf16, f16)}
 * @param quantizations what {@code --quantize} takes beside {@code none}
 * @param capabilities beyond plain sampling
 */
public record EngineSupport(
        String device, List<String> formats, List<String> quantizations, Set<Capability> capabilities) {

    /** With lists of its own. */
    public EngineSupport {
        formats = List.copyOf(formats);
        quantizations = List.copyOf(quantizations);
        capabilities = Set.copyOf(capabilities);
    }
}
