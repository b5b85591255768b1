package dev.jeton.server.cli;

import static org.assertj.core.api.Assertions.assertThat;

import dev.jeton.server.testing.Eventually;
import dev.jeton.server.testing.RawClient;
import dev.jeton.server.testing.TestServer;
import java.io.BufferedReader;
import java.io.IOException;
import java.io.UncheckedIOException;
import java.nio.file.Path;
import java.util.concurrent.TimeUnit;
import org.junit.jupiter.api.Test;

class ShutdownTest {

    /** What the child prints before its port; logging may print before that. */
    private static final String PORT = "port ";

    private static final String HELD = "{'model':'test-model','prompt':'say:to the end'}";

    /** The child process: a server whose engine is held until a line comes on standard input. */
    public static final class Child {
        private Child() {}

        public static void main(String[] arguments) throws Exception {
            TestServer server = TestServer.start();
            server.engine().hold();
            Shutdown.drainOnSignal(server.server());
            System.out.println(PORT + server.port());
            while (System.in.read() != '\n') {
                Thread.onSpinWait();
            }
            server.engine().release();
        }
    }

    @Test
    void shouldFinishWhatRunsAtSigtermAndExitWithZero() throws Exception {
        Process child = new ProcessBuilder(
                        Path.of(System.getProperty("java.home"), "bin", "java").toString(),
                        "-cp",
                        System.getProperty("java.class.path"),
                        Child.class.getName())
                .redirectError(ProcessBuilder.Redirect.DISCARD)
                .start();
        try (BufferedReader output = child.inputReader()) {
            int port = output.lines()
                    .filter(line -> line.startsWith(PORT))
                    .mapToInt(line -> Integer.parseInt(line.substring(PORT.length())))
                    .findFirst()
                    .orElseThrow();
            try (RawClient running = new RawClient(port);
                    RawClient other = new RawClient(port)) {
                running.post("/v1/completions", HELD);
                Eventually.until("it runs", () -> get(other, "/metrics").contains("jeton_requests_running 1.0"));
                assertThat(get(other, "/health/ready")).startsWith("HTTP/1.1 200");
                child.toHandle().destroy();
                Eventually.until(
                        "readiness fails", () -> get(other, "/health/ready").startsWith("HTTP/1.1 503"));
                other.post("/v1/completions", HELD);
                assertThat(other.response()).startsWith("HTTP/1.1 503").contains("draining");
                child.outputWriter().append('\n').flush();
                assertThat(running.response()).startsWith("HTTP/1.1 200").contains("to the end");
            }
            assertThat(child.waitFor(20, TimeUnit.SECONDS)).isTrue();
            assertThat(child.exitValue()).isZero();
        } finally {
            child.destroyForcibly();
        }
    }

    private static String get(RawClient client, String path) {
        try {
            return client.send("GET " + path + " HTTP/1.1\r\nhost: t\r\n\r\n").response();
        } catch (IOException e) {
            throw new UncheckedIOException(e);
        }
    }
}
