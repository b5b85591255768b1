package dev.jeton.server.http;

import static org.assertj.core.api.Assertions.assertThat;

import ch.qos.logback.classic.Logger;
import ch.qos.logback.classic.spi.ILoggingEvent;
import ch.qos.logback.core.read.ListAppender;
import dev.jeton.server.testing.Eventually;
import dev.jeton.server.testing.PemFiles;
import dev.jeton.server.testing.RawClient;
import dev.jeton.server.testing.TestServer;
import java.io.IOException;
import java.net.Socket;
import java.nio.file.Path;
import javax.net.ssl.SSLSocket;
import org.junit.jupiter.api.AfterEach;
import org.junit.jupiter.api.BeforeEach;
import org.junit.jupiter.api.Test;
import org.junit.jupiter.api.io.TempDir;

/** Clients that break off before they have asked anything: the log is not theirs to fill. */
class ResetConnectionsTest {

    private final Logger netty = (Logger) org.slf4j.LoggerFactory.getLogger("io.netty.channel");
    private final ListAppender<ILoggingEvent> logged = new ListAppender<>();

    @BeforeEach
    void listen() {
        logged.start();
        netty.addAppender(logged);
    }

    @AfterEach
    void stop() {
        netty.detachAppender(logged);
    }

    private static void reset(Socket socket) throws IOException {
        socket.setSoLinger(true, 0);
        socket.close();
    }

    @Test
    void connectionThatIsResetIsNoMatterForTheLog() throws IOException {
        try (TestServer server = TestServer.start()) {
            for (int i = 0; i < 20; i++) {
                reset(new RawClient(server.port()).send("PRI").socket());
            }
            Eventually.until("all are gone", () -> server.get("/metrics").body().contains("jeton_connections 1.0"));
        }
        assertThat(logged.list).isEmpty();
    }

    @Test
    void connectionThatIsNotToBeEncryptedAnyMoreIsNoMatterForTheLog(@TempDir Path folder) throws Exception {
        PemFiles files = new PemFiles(folder);
        try (TestServer server = TestServer.builder()
                .set("tls.certificate", files.certificate.toString())
                .set("tls.key", files.key.toString())
                .start()) {
            for (int i = 0; i < 10; i++) {
                Socket plain = new Socket("127.0.0.1", server.port());
                SSLSocket socket = (SSLSocket)
                        files.trusting().getSocketFactory().createSocket(plain, "localhost", server.port(), true);
                socket.setEnabledProtocols(new String[] {"TLSv1.2"});
                socket.startHandshake();
                if (i % 2 == 0) {
                    socket.startHandshake();
                    assertThat(plain.getInputStream().readAllBytes()).isNotNull();
                }
                reset(plain);
            }
            try (RawClient client = RawClient.encrypted(files.trusting(), server.port(), 0, "TLSv1.3")) {
                assertThat(client.send("GET /health HTTP/1.1\r\nhost: t\r\n\r\n")
                                .response())
                        .startsWith("HTTP/1.1 200");
            }
        }
        assertThat(logged.list).isEmpty();
    }
}
