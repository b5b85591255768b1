package dev.jeton.server;

import java.util.concurrent.Callable;

/**
 * A command of {@code jeton} that another module adds: found by {@link java.util.ServiceLoader}, and annotated with
 * picocli's {@code @CommandLine.Command}, which gives its name, help and options. {@link #call} returns the exit code.
 */
public interface Command extends Callable<Integer> {}
