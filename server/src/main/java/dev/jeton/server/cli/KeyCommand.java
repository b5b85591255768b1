package dev.jeton.server.cli;

import dev.jeton.server.config.Tenant;
import java.io.PrintWriter;
import java.nio.charset.StandardCharsets;
import java.security.SecureRandom;
import java.util.concurrent.Callable;
import picocli.CommandLine.Command;
import picocli.CommandLine.Model.CommandSpec;
import picocli.CommandLine.Option;
import picocli.CommandLine.Spec;

/** {@code jeton key}. */
@Command(
        name = "key",
        description = "Makes an API key and prints it once, with the digest that goes into jeton.yaml.",
        mixinStandardHelpOptions = true,
        footer = {
            "",
            "Example: jeton key",
            "Then, in jeton.yaml:",
            "  tenants:",
            "    - id: search",
            "      keys:",
            "        - id: laptop",
            "          sha256: THE DIGEST"
        })
final class KeyCommand implements Callable<Integer> {

    @Option(
            names = "--of",
            paramLabel = "KEY",
            description = "Print the digest of a key there is already; '-' reads it from standard input.")
    private String given = "";

    @Spec
    private CommandSpec spec = CommandSpec.create();

    @Override
    public Integer call() throws java.io.IOException {
        PrintWriter out = spec.commandLine().getOut();
        String key = given;
        if (given.equals("-")) {
            key = new String(System.in.readNBytes(4_096), StandardCharsets.UTF_8).strip();
        } else if (given.isEmpty()) {
            key = Tenant.Key.secret(new SecureRandom());
            out.println("key:    " + key + "   (shown this once)");
        }
        out.println("sha256: " + Tenant.Key.digest(key));
        out.flush();
        return 0;
    }
}
