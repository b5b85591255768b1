package dev.jeton.server.metrics;

/**
 * Questions to the ledger over HTTP.
 *
 * @param open callers who ask, those who wait included
 * @param bound most of them
 * @param waiting questions that wait for a thread
 * @param refused callers turned away
 * @param nanos time that answering took
 */
public record QuestionStats(int open, int bound, int waiting, long refused, long nanos) {}
