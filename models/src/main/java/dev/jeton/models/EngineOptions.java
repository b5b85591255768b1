package dev.jeton.models;

import java.nio.file.Path;
import java.util.List;

/**
 * How a model is loaded.
 *
 * @param maxModelLength most tokens of a sequence; 0 takes the model's own
 * @param kvBytes bytes of KV memory, of each device where several share the model; 0 lets the engine choose
 * @param maxSequences most sequences in a batch
 * @param maxBatchedTokens most tokens in a step
 * @param blockSize tokens of a block
 * @param threads compute threads; 0 takes the machine's cores, the torch engine one less
 * @param quantize {@code none}, or a format of weights that the engine knows: {@code q8_0}, {@code int8}, {@code fp8}
 * @param device how a GPU is used; engines without one refuse the choice of a device, the torch engine takes
 *     {@code cpu}, too
 * @param hostKvBytes bytes of the host's memory to which K and V are offloaded; 0 for none
 * @param adapters folders of the model's {@linkplain AdapterFolder adapters}: the first is adapter 1 of a batch's rows
 */
public record EngineOptions(
        int maxModelLength,
        long kvBytes,
        int maxSequences,
        int maxBatchedTokens,
        int blockSize,
        int threads,
        String quantize,
        DeviceOptions device,
        long hostKvBytes,
        List<Path> adapters) {

    /** Most adapters that a model may have. */
    public static final int MOST_ADAPTERS = 256;

    /** Checks that there are not more adapters than are thinkable. */
    public EngineOptions {
        adapters = List.copyOf(adapters);
        if (adapters.size() > MOST_ADAPTERS) {
            throw new ModelException("%d adapters: a model has at most %d".formatted(adapters.size(), MOST_ADAPTERS));
        }
    }

    /** With the first GPU, where there is one. */
    public EngineOptions(
            int maxModelLength,
            long kvBytes,
            int maxSequences,
            int maxBatchedTokens,
            int blockSize,
            int threads,
            String quantize) {
        this(
                maxModelLength,
                kvBytes,
                maxSequences,
                maxBatchedTokens,
                blockSize,
                threads,
                quantize,
                DeviceOptions.DEFAULT,
                0,
                List.of());
    }

    /** The same, with another use of the GPU. */
    public EngineOptions with(DeviceOptions other) {
        return new EngineOptions(
                maxModelLength,
                kvBytes,
                maxSequences,
                maxBatchedTokens,
                blockSize,
                threads,
                quantize,
                other,
                hostKvBytes,
                adapters);
    }

    /** The same, with so much of the host's memory to offload K and V to. */
    public EngineOptions withHostKv(long bytes) {
        return new EngineOptions(
                maxModelLength,
                kvBytes,
                maxSequences,
                maxBatchedTokens,
                blockSize,
                threads,
                quantize,
                device,
                bytes,
                adapters);
    }

    /** The same, with other adapters. */
    public EngineOptions withAdapters(List<Path> folders) {
        return new EngineOptions(
                maxModelLength,
                kvBytes,
                maxSequences,
                maxBatchedTokens,
                blockSize,
                threads,
                quantize,
                device,
                hostKvBytes,
                folders);
    }

    /**
     * What an engine says that has no adapters.
     *
     * @throws ModelException where there are some
     */
    public void refuseAdapters(String engine) {
        if (!adapters.isEmpty()) {
            throw new ModelException("adapters are for the cpu and cuda engines, the %s engine has none: leave out %s"
                    .formatted(engine, adapters.getFirst()));
        }
    }

    /**
     * What an engine says that offloads nothing.
     *
     * @throws ModelException where it is asked to
     */
    public void refuseHostKv(String engine, String why) {
        if (hostKvBytes != 0) {
            throw new ModelException("kv-host-memory of %d bytes is for the cuda engine, the %s engine %s; leave it out"
                    .formatted(hostKvBytes, engine, why));
        }
    }

    /** What a server starts with when nothing is configured. */
    public static final EngineOptions DEFAULT = new EngineOptions(0, 0, 64, 512, 16, 0, "none");
}
