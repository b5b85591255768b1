package dev.jeton.server.webhooks;

import com.sun.net.httpserver.HttpExchange;
import com.sun.net.httpserver.HttpServer;
import java.io.IOException;
import java.io.UncheckedIOException;
import java.net.InetAddress;
import java.net.InetSocketAddress;
import java.nio.charset.StandardCharsets;
import java.util.List;
import java.util.concurrent.CopyOnWriteArrayList;
import java.util.concurrent.CountDownLatch;
import java.util.concurrent.ExecutorService;
import java.util.concurrent.Executors;

/** A real HTTP server that is told things. */
final class TestReceiver implements AutoCloseable {

    /** What came. */
    record Got(String path, String id, String timestamp, String signature, String body) {}

    /** Answers a request. */
    @FunctionalInterface
    interface Behaviour {
        /**
         * Says with which status.
         *
         * @param earlier requests that came before
         */
        int status(Got got, int earlier) throws InterruptedException;
    }

    private final HttpServer server;
    private final ExecutorService threads = Executors.newVirtualThreadPerTaskExecutor();
    private final List<Got> all = new CopyOnWriteArrayList<>();
    private final CountDownLatch end = new CountDownLatch(1);

    TestReceiver(Behaviour behaviour) {
        try {
            server = HttpServer.create(new InetSocketAddress(InetAddress.getLoopbackAddress(), 0), 0);
        } catch (IOException e) {
            throw new UncheckedIOException(e);
        }
        server.setExecutor(threads);
        server.createContext("/", exchange -> answer(exchange, behaviour));
        server.start();
    }

    private void answer(HttpExchange exchange, Behaviour behaviour) throws IOException {
        try (exchange) {
            var headers = exchange.getRequestHeaders();
            Got got = new Got(
                    exchange.getRequestURI().getPath(),
                    headers.getFirst("webhook-id"),
                    headers.getFirst("webhook-timestamp"),
                    headers.getFirst("webhook-signature"),
                    new String(exchange.getRequestBody().readAllBytes(), StandardCharsets.UTF_8));
            int earlier;
            synchronized (all) {
                earlier = all.size();
                all.add(got);
            }
            int status = behaviour.status(got, earlier);
            if (status == 302) {
                exchange.getResponseHeaders().set("location", url("/elsewhere"));
            }
            exchange.sendResponseHeaders(status, -1);
        } catch (InterruptedException e) {
            Thread.currentThread().interrupt();
        }
    }

    /** Never answers; for {@link Behaviour}. */
    int never() throws InterruptedException {
        end.await();
        return 500;
    }

    String url(String path) {
        return "http://127.0.0.1:" + server.getAddress().getPort() + path;
    }

    List<Got> got() {
        return List.copyOf(all);
    }

    @Override
    public void close() {
        end.countDown();
        server.stop(0);
        threads.close();
    }
}
