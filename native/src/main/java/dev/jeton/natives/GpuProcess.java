package dev.jeton.natives;

import java.util.OptionalLong;

/**
 * A process that has a context on a GPU.
 *
 * @param pid as the driver's process namespace has it: in a container not this one's
 * @param usedBytes of the GPU's memory; empty where the driver does not tell
 */
public record GpuProcess(long pid, OptionalLong usedBytes) {}
