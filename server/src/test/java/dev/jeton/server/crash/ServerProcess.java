package dev.jeton.server.crash;

import java.io.BufferedReader;
import java.io.IOException;
import java.nio.file.Path;
import java.util.ArrayList;
import java.util.List;
import java.util.Optional;
import java.util.concurrent.TimeUnit;

/** A {@link CrashServer} under way. */
final class ServerProcess {

    private static final long PATIENCE_SECONDS = 60;

    private final Process process;
    private final int port;

    private ServerProcess(Process process, int port) {
        this.process = process;
        this.port = port;
    }

    /** Starts one and waits until it listens. */
    static ServerProcess start(List<String> settings) throws IOException {
        List<String> command = new ArrayList<>(List.of(
                Path.of(System.getProperty("java.home"), "bin", "java").toString(),
                // It lives for a second or two: optimizing it would cost more than it brings.
                "-XX:TieredStopAtLevel=1",
                "-XX:+UseSerialGC",
                "-Xmx256m",
                "-ea",
                "--add-modules=jdk.incubator.vector",
                "--enable-native-access=ALL-UNNAMED",
                "--sun-misc-unsafe-memory-access=allow",
                "-cp",
                System.getProperty("java.class.path"),
                CrashServer.class.getName()));
        command.addAll(settings);
        Process process = new ProcessBuilder(command).redirectErrorStream(true).start();
        BufferedReader out = process.inputReader();
        List<String> said = new ArrayList<>();
        Optional<Integer> port = Optional.empty();
        for (String line = out.readLine();
                port.isEmpty() && line != null;
                line = port.isEmpty() ? out.readLine() : "") {
            said.add(line);
            port = line.startsWith(CrashServer.PORT)
                    ? Optional.of(Integer.parseInt(line.substring(CrashServer.PORT.length())))
                    : port;
        }
        if (port.isEmpty()) {
            throw new AssertionError("the server did not start: " + String.join("\n", said));
        }
        // What it says from here on is not wanted, but it must not block on saying it.
        Thread.ofVirtual().start(() -> out.lines().forEach(line -> {}));
        return new ServerProcess(process, port.get());
    }

    int port() {
        return port;
    }

    /** SIGKILL: nothing in the process gets to run any more. */
    void kill() throws InterruptedException {
        process.destroyForcibly();
        await();
    }

    /** Lets it end in good order. */
    void end() throws InterruptedException, IOException {
        process.getOutputStream().close();
        await();
        if (process.exitValue() != 0) {
            throw new AssertionError("the server ended with " + process.exitValue());
        }
    }

    private void await() throws InterruptedException {
        if (!process.waitFor(PATIENCE_SECONDS, TimeUnit.SECONDS)) {
            process.destroyForcibly();
            throw new AssertionError("the server did not end");
        }
    }

    /** Leaves no process behind where a test failed. */
    void abandon() {
        process.destroyForcibly();
    }
}
