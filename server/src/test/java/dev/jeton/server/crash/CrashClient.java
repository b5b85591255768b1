package dev.jeton.server.crash;

import dev.jeton.server.json.Json;
import dev.jeton.server.testing.TestServer.Answer;
import java.io.BufferedInputStream;
import java.io.ByteArrayOutputStream;
import java.io.EOFException;
import java.io.IOException;
import java.io.InputStream;
import java.net.InetAddress;
import java.net.Socket;
import java.nio.charset.StandardCharsets;
import java.util.List;
import java.util.Locale;
import java.util.function.IntConsumer;

/**
 * Sends one request and takes of its answer whatever the kernel has, down to the last byte before the connection
 * breaks: client libraries drop what they had read when it does, and so would show the books in too good a light.
 */
final class CrashClient {

    private final int port;
    private final String labels;
    private final IntConsumer tokens;

    /**
     * @param labels of every request
     * @param tokens told how many more were received
     */
    CrashClient(int port, String labels, IntConsumer tokens) {
        this.port = port;
        this.labels = labels;
        this.tokens = tokens;
    }

    /**
     * Returns when the answer is whole, or the client has hung up.
     *
     * @throws IOException when the server is gone
     */
    void send(Attempt attempt) throws IOException {
        try (Socket socket = new Socket(InetAddress.getLoopbackAddress(), port)) {
            byte[] body = attempt.ask().json().getBytes(StandardCharsets.UTF_8);
            String head = """
                    POST /v1/completions HTTP/1.1
                    host: test
                    x-request-id: %s
                    x-jeton-labels: %s
                    content-length: %d

                    """.formatted(attempt.ask().id(), labels, body.length).replace("\n", "\r\n");
            socket.getOutputStream().write(head.getBytes(StandardCharsets.US_ASCII));
            socket.getOutputStream().write(body);
            receive(attempt, new BufferedInputStream(socket.getInputStream()));
        }
    }

    private void receive(Attempt attempt, InputStream in) throws IOException {
        String status = line(in);
        if (!status.contains(" 200 ")) {
            throw new IllegalStateException("%s was answered with %s".formatted(attempt.ask(), status));
        }
        int length = 0;
        for (String header = line(in); !header.isEmpty(); header = line(in)) {
            if (header.toLowerCase(Locale.ROOT).startsWith("content-length: ")) {
                length = Integer.parseInt(header.substring("content-length: ".length()));
            }
        }
        if (attempt.ask().stream()) {
            events(attempt, in);
        } else {
            byte[] body = in.readNBytes(length);
            if (body.length < length) {
                throw new EOFException("the connection ended within the answer");
            }
            event(attempt, Json.parse(new String(body, StandardCharsets.UTF_8)));
        }
    }

    /** Events in chunks of the transfer; each chunk holds whole events, as the server writes them. */
    private void events(Attempt attempt, InputStream in) throws IOException {
        for (int size = Integer.parseInt(line(in), 16); size > 0; size = Integer.parseInt(line(in), 16)) {
            byte[] chunk = in.readNBytes(size);
            String text = new String(chunk, StandardCharsets.UTF_8);
            for (String line : text.substring(0, text.lastIndexOf('\n') + 1).split("\n")) {
                if (line.startsWith("data: {")) {
                    event(attempt, Json.parse(line.substring("data: ".length())));
                }
            }
            if (chunk.length < size) {
                throw new EOFException("the connection ended within a chunk");
            }
            line(in);
            if (attempt.received() >= attempt.ask().hangUpAfter()) {
                attempt.hangUp();
                return;
            }
        }
    }

    private void event(Attempt attempt, Object event) {
        int more = 0;
        if (Answer.at(event, "choices") instanceof List<?> choices) {
            for (Object choice : choices) {
                more += Answer.at(choice, "text") instanceof String text ? text.length() : 0;
            }
        }
        attempt.receive(more);
        if (Answer.at(event, "usage.prompt_tokens") instanceof Long prompt
                && Answer.at(event, "usage.completion_tokens") instanceof Long completion) {
            attempt.answer(prompt, completion);
        }
        tokens.accept(more);
    }

    private static String line(InputStream in) throws IOException {
        ByteArrayOutputStream line = new ByteArrayOutputStream();
        for (int next = in.read(); next != '\n'; next = in.read()) {
            if (next < 0) {
                throw new EOFException("the connection ended");
            }
            line.write(next);
        }
        return line.toString(StandardCharsets.US_ASCII).strip();
    }
}
