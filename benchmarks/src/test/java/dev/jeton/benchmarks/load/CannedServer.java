package dev.jeton.benchmarks.load;

import java.io.BufferedInputStream;
import java.io.IOException;
import java.io.InputStream;
import java.net.InetAddress;
import java.net.ServerSocket;
import java.net.Socket;
import java.nio.charset.StandardCharsets;
import java.util.List;
import java.util.Locale;
import java.util.concurrent.CopyOnWriteArrayList;
import java.util.concurrent.atomic.AtomicInteger;

/** Answers the k-th request on the j-th connection with given bytes, then closes that connection. */
final class CannedServer implements AutoCloseable {

    private final ServerSocket server = new ServerSocket(0, 50, InetAddress.getLoopbackAddress());
    private final AtomicInteger connections = new AtomicInteger();
    private final List<String> requests = new CopyOnWriteArrayList<>();
    private final Thread thread;

    CannedServer(String[]... answers) throws IOException {
        thread = Thread.ofVirtual().start(() -> serve(answers));
    }

    Target target() {
        return Target.of("http://127.0.0.1:" + server.getLocalPort() + "/v1/", "m", "key");
    }

    int connections() {
        return connections.get();
    }

    /** Heads of the requests so far. */
    List<String> requests() {
        return requests;
    }

    private void serve(String[][] answers) {
        for (String[] connection : answers) {
            try (Socket socket = server.accept()) {
                connections.incrementAndGet();
                InputStream in = new BufferedInputStream(socket.getInputStream());
                for (String answer : connection) {
                    requests.add(readRequest(in));
                    socket.getOutputStream().write(answer.getBytes(StandardCharsets.UTF_8));
                }
            } catch (IOException e) {
                // the test has ended
                return;
            }
        }
    }

    private static String readRequest(InputStream in) throws IOException {
        StringBuilder head = new StringBuilder();
        while (head.indexOf("\r\n\r\n") < 0) {
            int b = in.read();
            if (b < 0) {
                throw new IOException("the client has gone");
            }
            head.append((char) b);
        }
        String lower = head.toString().toLowerCase(Locale.ROOT);
        int length = lower.indexOf("content-length:");
        String value = lower.substring(length + 15, lower.indexOf('\r', length)).strip();
        in.readNBytes(Integer.parseInt(value));
        return head.toString();
    }

    @Override
    public void close() throws IOException {
        server.close();
        thread.interrupt();
    }
}
