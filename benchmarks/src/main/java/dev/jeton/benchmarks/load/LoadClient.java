package dev.jeton.benchmarks.load;

import java.io.IOException;
import java.nio.charset.StandardCharsets;
import java.util.Arrays;
import java.util.Optional;
import java.util.regex.Matcher;
import java.util.regex.Pattern;

/** One client: sends a request at a time over its own connection and times the answer. */
final class LoadClient implements AutoCloseable {

    private static final Pattern PROMPT_TOKENS = Pattern.compile("\"prompt_tokens\"\\s*:\\s*(\\d+)");
    private static final Pattern OUTPUT_TOKENS = Pattern.compile("\"completion_tokens\"\\s*:\\s*(\\d+)");

    private final Target target;
    private final boolean stream;
    private final boolean ignoreEos;
    private final HttpConnection connection;
    private long[] gaps = new long[256];

    LoadClient(Target target, boolean stream, boolean ignoreEos) {
        this.target = target;
        this.stream = stream;
        this.ignoreEos = ignoreEos;
        connection = new HttpConnection(target);
    }

    /** Sends one request; its times count from {@code start}, when it was due. */
    Sample run(int[] prompt, int output, long start) {
        try {
            int status = connection.send("POST", "/completions", body(prompt, output));
            if (status != 200) {
                connection.readAll();
                return failed("HTTP " + status, start);
            }
            return stream ? readStream(start) : readWhole(start);
        } catch (IOException | RuntimeException e) {
            closeQuietly();
            return failed(String.valueOf(e.getMessage()), start);
        }
    }

    private static Sample failed(String error, long start) {
        return new Sample(error.isEmpty() ? "failed" : error, start, 0, System.nanoTime() - start, 0, 0, new long[0]);
    }

    private byte[] body(int[] prompt, int output) {
        StringBuilder json = new StringBuilder(prompt.length * 5 + 200);
        json.append("{\"model\":\"").append(target.model()).append("\",\"prompt\":[");
        for (int i = 0; i < prompt.length; i++) {
            json.append(i == 0 ? "" : ",").append(prompt[i]);
        }
        json.append("],\"max_tokens\":").append(output).append(",\"temperature\":0");
        json.append(ignoreEos ? ",\"ignore_eos\":true" : "");
        json.append(stream ? ",\"stream\":true,\"stream_options\":{\"include_usage\":true}" : "");
        return json.append('}').toString().getBytes(StandardCharsets.UTF_8);
    }

    private Sample readStream(long start) throws IOException {
        long first = 0;
        long last = start;
        int pieces = 0;
        boolean done = false;
        String usage = "";
        for (Optional<String> line = connection.readLine(); line.isPresent(); line = connection.readLine()) {
            String text = line.get();
            done |= text.equals("data: [DONE]") || text.equals("data:[DONE]");
            if (done || !text.startsWith("data:")) {
                continue;
            }
            if (text.contains("\"error\"") && !text.contains("\"choices\"")) {
                connection.readAll();
                return failed(text.substring(0, Math.min(200, text.length())), start);
            }
            if (text.contains("\"completion_tokens\"")) {
                usage = text;
            }
            if (!text.contains("\"choices\":[]") && !text.contains("\"choices\": []")) {
                long now = System.nanoTime();
                if (first == 0) {
                    first = now - start;
                } else {
                    gap(pieces - 1, now - last);
                }
                last = now;
                pieces++;
            }
        }
        if (pieces == 0) {
            return failed("an empty stream", start);
        }
        if (!done) {
            return failed("a stream without [DONE] at its end", start);
        }
        int output = number(OUTPUT_TOKENS, usage, pieces);
        return new Sample(
                "",
                start,
                first,
                last - start,
                number(PROMPT_TOKENS, usage, 0),
                output,
                Arrays.copyOf(gaps, pieces - 1));
    }

    private void gap(int index, long nanos) {
        if (index == gaps.length) {
            gaps = Arrays.copyOf(gaps, 2 * index);
        }
        gaps[index] = nanos;
    }

    private Sample readWhole(long start) throws IOException {
        String answer = connection.readAll();
        long total = System.nanoTime() - start;
        return new Sample(
                "",
                start,
                total,
                total,
                number(PROMPT_TOKENS, answer, 0),
                number(OUTPUT_TOKENS, answer, 0),
                new long[0]);
    }

    private static int number(Pattern pattern, String text, int otherwise) {
        Matcher matcher = pattern.matcher(text);
        return matcher.find() ? Integer.parseInt(matcher.group(1)) : otherwise;
    }

    private void closeQuietly() {
        try {
            close();
        } catch (IOException e) {
            // the request that broke the connection is counted as failed already
            return;
        }
    }

    @Override
    public void close() throws IOException {
        connection.close();
    }
}
