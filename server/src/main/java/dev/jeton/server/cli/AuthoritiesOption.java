package dev.jeton.server.cli;

import java.nio.file.Path;
import java.util.Optional;
import picocli.CommandLine.Option;

/** Whose certificates a command trusts that asks a server. */
final class AuthoritiesOption {

    @Option(
            names = "--ca",
            paramLabel = "FILE",
            description = "PEM file of who issued the server's certificate, where Java does not know them.")
    private Optional<Path> file = Optional.empty();

    /** The file; empty for those that Java knows. */
    Optional<Path> file() {
        return file;
    }
}
