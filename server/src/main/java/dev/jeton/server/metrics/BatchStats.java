package dev.jeton.server.metrics;

/**
 * Files and batches that are kept.
 *
 * @param files how many files
 * @param filesBound most of them
 * @param bytes bytes of them, and of what batches are writing
 * @param bytesBound most of them
 * @param open batches that are not at their end
 * @param openBound most of them
 * @param running requests of batches that are being answered
 * @param runningBound most of them
 * @param answered requests of batches that were answered since the start
 * @param failed those that were not
 */
public record BatchStats(
        int files,
        int filesBound,
        long bytes,
        long bytesBound,
        int open,
        int openBound,
        int running,
        int runningBound,
        long answered,
        long failed) {}
