package dev.jeton.server.batch;

/**
 * What is wrong with a batch.
 *
 * @param code a word for programs
 * @param line of its file, from 1; 0 where it is none of them
 * @param message for people
 */
public record BatchProblem(String code, long line, String message) {}
