package dev.jeton.models;

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
        long hostKvBytes) {

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
                0);
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
                hostKvBytes);
    }

    /** The same, with so much of the host's memory to offload K and V to. */
    public EngineOptions withHostKv(long bytes) {
        return new EngineOptions(
                maxModelLength, kvBytes, maxSequences, maxBatchedTokens, blockSize, threads, quantize, device, bytes);
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
