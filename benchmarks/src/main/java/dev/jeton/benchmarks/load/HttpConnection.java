package dev.jeton.benchmarks.load;

import java.io.BufferedInputStream;
import java.io.EOFException;
import java.io.IOException;
import java.io.InputStream;
import java.io.OutputStream;
import java.net.InetSocketAddress;
import java.net.Socket;
import java.nio.charset.StandardCharsets;
import java.util.Arrays;
import java.util.Locale;
import java.util.Optional;

/**
 * One keep-alive HTTP/1.1 connection: a request at a time, its body read line by line as it arrives. Bodies with a
 * length, chunked ones and ones that end with the connection are understood. A request on a connection that the server
 * has closed since the last answer is sent once more on a new one. Not thread-safe.
 */
final class HttpConnection implements AutoCloseable {

    private static final int MAX_LINE = 1 << 24;

    private final Target target;
    private Optional<Socket> socket = Optional.empty();
    private InputStream in = InputStream.nullInputStream();
    private OutputStream out = OutputStream.nullOutputStream();
    private byte[] line = new byte[4096];
    private long left;
    private boolean chunked;
    private boolean keepAlive;
    private boolean answering;

    HttpConnection(Target target) {
        this.target = target;
    }

    /** Sends a request; answers the status. The body is then read with {@link #readLine}. */
    int send(String method, String path, byte[] body) throws IOException {
        String head = "%s %s HTTP/1.1\r\nhost: %s:%d\r\ncontent-type: application/json\r\ncontent-length: %d\r\n%s\r\n"
                .formatted(
                        method,
                        target.path() + path,
                        target.host(),
                        target.port(),
                        body.length,
                        target.apiKey().isEmpty() ? "" : "authorization: Bearer " + target.apiKey() + "\r\n");
        byte[] headBytes = head.getBytes(StandardCharsets.US_ASCII);
        byte[] all = new byte[headBytes.length + body.length];
        System.arraycopy(headBytes, 0, all, 0, headBytes.length);
        System.arraycopy(body, 0, all, headBytes.length, body.length);
        boolean reused = socket.isPresent();
        if (!reused) {
            connect();
        }
        answering = false;
        try {
            return exchange(all);
        } catch (IOException e) {
            close();
            if (!reused || answering) {
                throw e;
            }
            connect();
            return exchange(all);
        }
    }

    private int exchange(byte[] request) throws IOException {
        out.write(request);
        out.flush();
        return readHead();
    }

    private void connect() throws IOException {
        Socket opened = new Socket();
        opened.setTcpNoDelay(true);
        opened.connect(new InetSocketAddress(target.host(), target.port()), 10_000);
        opened.setSoTimeout(600_000);
        in = new BufferedInputStream(opened.getInputStream(), 1 << 14);
        out = opened.getOutputStream();
        socket = Optional.of(opened);
    }

    private int readHead() throws IOException {
        String[] status = rawLine().split(" ", 3);
        answering = true;
        if (status.length < 2) {
            throw new IOException("not an HTTP answer: " + String.join(" ", status));
        }
        chunked = false;
        left = -1;
        keepAlive = !status[0].equals("HTTP/1.0");
        for (String header = rawLine(); !header.isEmpty(); header = rawLine()) {
            int colon = header.indexOf(':');
            String name = header.substring(0, Math.max(0, colon)).toLowerCase(Locale.ROOT);
            String value = header.substring(colon + 1).strip();
            switch (name) {
                case "content-length" -> left = Long.parseLong(value);
                case "transfer-encoding" -> chunked = value.equalsIgnoreCase("chunked");
                case "connection" -> keepAlive = !value.equalsIgnoreCase("close");
                default -> {}
            }
        }
        if (chunked) {
            left = chunkSize();
        }
        return Integer.parseInt(status[1]);
    }

    /** The next line of the body without its end, or empty at the end of the body. */
    Optional<String> readLine() throws IOException {
        int length = 0;
        while (true) {
            int b = bodyByte();
            if (b < 0 && length == 0) {
                finish();
                return Optional.empty();
            }
            if (b < 0 || b == '\n') {
                int end = length > 0 && line[length - 1] == '\r' ? length - 1 : length;
                return Optional.of(new String(line, 0, end, StandardCharsets.UTF_8));
            }
            if (length == line.length) {
                if (length >= MAX_LINE) {
                    throw new IOException("a line of the answer is longer than " + MAX_LINE + " bytes");
                }
                line = Arrays.copyOf(line, 2 * length);
            }
            line[length++] = (byte) b;
        }
    }

    /** The whole body. */
    String readAll() throws IOException {
        StringBuilder body = new StringBuilder();
        for (Optional<String> next = readLine(); next.isPresent(); next = readLine()) {
            body.append(next.get()).append('\n');
        }
        return body.toString();
    }

    private int bodyByte() throws IOException {
        if (left == 0) {
            if (!chunked) {
                return -1;
            }
            rawLine();
            left = chunkSize();
            if (left == 0) {
                return -1;
            }
        }
        int b = in.read();
        if (b < 0 && (chunked || left > 0)) {
            throw new EOFException("the server closed the connection in the middle of an answer");
        }
        left -= left > 0 ? 1 : 0;
        return b;
    }

    private long chunkSize() throws IOException {
        String size = rawLine();
        int semicolon = size.indexOf(';');
        long value = Long.parseLong((semicolon < 0 ? size : size.substring(0, semicolon)).strip(), 16);
        if (value == 0) {
            while (!rawLine().isEmpty()) {
                continue;
            }
            chunked = false;
        }
        return value;
    }

    private String rawLine() throws IOException {
        StringBuilder text = new StringBuilder();
        for (int b = in.read(); b != '\n'; b = in.read()) {
            if (b < 0) {
                throw new EOFException("the server closed the connection");
            }
            if (text.length() > 65_536) {
                throw new IOException("a header line is too long");
            }
            text.append((char) b);
        }
        int end = text.length();
        return end > 0 && text.charAt(end - 1) == '\r' ? text.substring(0, end - 1) : text.toString();
    }

    private void finish() throws IOException {
        if (!keepAlive || left < 0) {
            close();
        }
    }

    @Override
    public void close() throws IOException {
        if (socket.isPresent()) {
            socket.get().close();
            socket = Optional.empty();
        }
    }
}
