package dev.jeton.natives;

/**
 * A GPU's memory, bytes.
 *
 * @param total all of it
 * @param reserved by the driver and firmware
 * @param free left
 * @param used by processes
 */
public record GpuMemory(long total, long reserved, long free, long used) {}
