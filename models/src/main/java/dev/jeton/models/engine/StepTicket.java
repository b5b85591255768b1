package dev.jeton.models.engine;

/**
 * Names a step in flight.
 *
 * @param number counts an engine's launches from 0
 */
public record StepTicket(long number) {}
