package dev.jeton.natives;

/**
 * How much of the last sampling period (a sixth of a second to a second) a GPU was in use.
 *
 * @param gpu percent of the time in which at least one kernel ran: says nothing of how much of the GPU it used
 * @param memory percent of the time in which its memory was read or written
 */
public record GpuUtilization(int gpu, int memory) {}
