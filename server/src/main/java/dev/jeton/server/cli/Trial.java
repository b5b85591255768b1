package dev.jeton.server.cli;

import java.io.IOException;
import java.net.InetAddress;
import java.net.Socket;
import java.nio.charset.StandardCharsets;

/**
 * A short run of the server against itself, from which the JVM learns what to load and compile first: the launcher
 * makes its start-up cache from it, once per installation.
 */
final class Trial {

    private static final int ROUNDS = 3;
    private static final int TIMEOUT_MILLIS = 20_000;

    private Trial() {}

    /** Sends a few requests of each kind to a server on this machine and reads the answers. */
    static void run(int port, String model) throws IOException {
        String completion = "{\"model\":\"%s\",\"prompt\":\"What is a token?\",\"max_tokens\":16%s}";
        String chat =
                "{\"model\":\"%s\",\"messages\":[{\"role\":\"user\",\"content\":\"Hello!\"}],\"max_tokens\":16%s}";
        String response = "{\"model\":\"%s\",\"input\":\"Hello!\",\"max_output_tokens\":16,\"store\":false%s}";
        for (int i = 0; i < ROUNDS; i++) {
            for (String stream : new String[] {"", ",\"stream\":true,\"stream_options\":{\"include_usage\":true}"}) {
                exchange(port, "POST", "/v1/completions", completion.formatted(model, stream));
                exchange(port, "POST", "/v1/chat/completions", chat.formatted(model, stream));
            }
            for (String stream : new String[] {"", ",\"stream\":true"}) {
                exchange(port, "POST", "/v1/responses", response.formatted(model, stream));
                exchange(port, "POST", "/v1/messages", chat.formatted(model, stream));
            }
            exchange(port, "GET", "/v1/models", "");
            exchange(port, "GET", "/health/ready", "");
            exchange(port, "GET", "/metrics", "");
        }
    }

    private static void exchange(int port, String method, String path, String body) throws IOException {
        try (Socket socket = new Socket(InetAddress.getLoopbackAddress(), port)) {
            socket.setSoTimeout(TIMEOUT_MILLIS);
            String request = "%s %s HTTP/1.1\r\nhost: localhost\r\nconnection: close\r\ncontent-length: %d\r\n\r\n%s"
                    .formatted(method, path, body.length(), body);
            socket.getOutputStream().write(request.getBytes(StandardCharsets.US_ASCII));
            socket.getInputStream().readAllBytes();
        }
    }
}
