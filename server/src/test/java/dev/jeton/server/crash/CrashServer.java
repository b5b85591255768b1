package dev.jeton.server.crash;

import dev.jeton.server.testing.ByteTokenizer;
import dev.jeton.server.testing.TestServer;
import java.io.IOException;
import java.nio.file.Files;
import java.nio.file.Path;
import java.util.regex.Matcher;
import java.util.regex.Pattern;

/**
 * The server that is killed, a process of its own: arguments are settings as {@code key=value}. It prints {@code port
 * N} once it listens, and ends in good order when its input does.
 */
public final class CrashServer {

    /** What it prints before its port. */
    static final String PORT = "port ";
    /** In place of a setting: a file of what has no setting. */
    static final String YAML = "yaml";

    private static final Pattern LENGTH = Pattern.compile("give:([0-9]+)");

    private CrashServer() {}

    public static void main(String[] settings) throws IOException {
        TestServer.Builder builder = TestServer.builder().replies(CrashServer::reply);
        for (String setting : settings) {
            String[] parts = setting.split("=", 2);
            if (parts[0].equals(YAML)) {
                builder.yaml(Files.readString(Path.of(parts[1])));
            } else {
                builder.set(parts[0], parts[1]);
            }
        }
        try (TestServer server = builder.start()) {
            System.out.println(PORT + server.port());
            while (System.in.read() >= 0) {
                // Whoever started this process holds its input open, and so takes it along when dying.
            }
        }
    }

    /** As many letters as the prompt asks for: each is one token and one character. */
    private static int[] reply(int[] prompt) {
        ByteTokenizer tokenizer = new ByteTokenizer();
        Matcher length = LENGTH.matcher(tokenizer.decode(prompt, true));
        int letters = length.find() ? Integer.parseInt(length.group(1)) : 0;
        return tokenizer.encode("a".repeat(letters), false);
    }
}
