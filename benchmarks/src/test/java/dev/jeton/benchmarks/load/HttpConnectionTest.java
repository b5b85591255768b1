package dev.jeton.benchmarks.load;

import static org.assertj.core.api.Assertions.assertThat;
import static org.assertj.core.api.Assertions.assertThatThrownBy;

import java.io.EOFException;
import java.io.IOException;
import java.nio.charset.StandardCharsets;
import java.util.Optional;
import org.junit.jupiter.api.Test;
import org.junit.jupiter.api.Timeout;

@Timeout(60)
class HttpConnectionTest {

    private static final byte[] NOTHING = new byte[0];

    @Test
    void readsABodyOfStatedLengthAndKeepsTheConnection() throws IOException {
        try (CannedServer server = new CannedServer(new String[] {
                    "HTTP/1.1 200 OK\r\nContent-Length: 8\r\n\r\none\r\ntwo",
                    "HTTP/1.1 404 No\r\ncontent-length: 0\r\n\r\n"
                });
                HttpConnection connection = new HttpConnection(server.target())) {
            assertThat(connection.send("POST", "/a", "{}".getBytes(StandardCharsets.UTF_8)))
                    .isEqualTo(200);
            assertThat(connection.readLine()).isEqualTo(Optional.of("one"));
            assertThat(connection.readLine()).isEqualTo(Optional.of("two"));
            assertThat(connection.readLine()).isEmpty();
            assertThat(connection.send("GET", "/b", NOTHING)).isEqualTo(404);
            assertThat(connection.readAll()).isEmpty();
            assertThat(server.connections()).isEqualTo(1);
            assertThat(server.requests()).hasSize(2);
            assertThat(server.requests().getFirst())
                    .startsWith("POST /v1/a HTTP/1.1")
                    .contains("authorization: Bearer key");
        }
    }

    @Test
    void readsChunksWhoseEndsAreInTheMiddleOfLinesAndSkipsTrailers() throws IOException {
        String chunked =
                "HTTP/1.1 200 OK\r\nTransfer-Encoding: chunked\r\n\r\n3\r\non\u0065\r\n5;name=x\r\n\r\ntwo\r\n0\r\n"
                        + "Checksum: 1\r\nOther: 2\r\n\r\n";
        try (CannedServer server = new CannedServer(new String[] {chunked, chunked});
                HttpConnection connection = new HttpConnection(server.target())) {
            for (int i = 0; i < 2; i++) {
                connection.send("GET", "/", NOTHING);
                assertThat(connection.readAll()).isEqualTo("one\ntwo\n");
            }
            assertThat(server.connections()).isEqualTo(1);
        }
    }

    @Test
    void anEmptyChunkedBodyIsEmpty() throws IOException {
        try (CannedServer server = new CannedServer(
                        new String[] {"HTTP/1.1 200 OK\r\nTransfer-Encoding: chunked\r\n\r\n0\r\n\r\n"});
                HttpConnection connection = new HttpConnection(server.target())) {
            connection.send("GET", "/", NOTHING);
            assertThat(connection.readLine()).isEmpty();
        }
    }

    @Test
    void readsToTheEndOfTheConnectionWhereNoLengthIsStated() throws IOException {
        try (CannedServer server = new CannedServer(
                        new String[] {"HTTP/1.1 200 OK\r\n\r\nall\nof it"},
                        new String[] {"HTTP/1.1 204 Ok\r\nContent-Length: 0\r\n\r\n"});
                HttpConnection connection = new HttpConnection(server.target())) {
            connection.send("GET", "/", NOTHING);
            assertThat(connection.readAll()).isEqualTo("all\nof it\n");
            assertThat(connection.send("GET", "/", NOTHING)).isEqualTo(204);
            assertThat(server.connections()).isEqualTo(2);
        }
    }

    @Test
    void opensAnotherConnectionWhereTheServerSaysClose() throws IOException {
        String close = "HTTP/1.1 200 OK\r\nConnection: close\r\nContent-Length: 1\r\n\r\nx";
        String old = "HTTP/1.0 200 OK\r\nContent-Length: 1\r\n\r\ny";
        try (CannedServer server = new CannedServer(new String[] {close}, new String[] {old}, new String[] {close});
                HttpConnection connection = new HttpConnection(server.target())) {
            for (String expected : new String[] {"x\n", "y\n", "x\n"}) {
                connection.send("GET", "/", NOTHING);
                assertThat(connection.readAll()).isEqualTo(expected);
            }
            assertThat(server.connections()).isEqualTo(3);
        }
    }

    @Test
    void sendsOnceMoreWhereTheServerHasClosedAnIdleConnection() throws IOException {
        String answer = "HTTP/1.1 200 OK\r\nContent-Length: 1\r\n\r\nx";
        try (CannedServer server = new CannedServer(new String[] {answer}, new String[] {answer});
                HttpConnection connection = new HttpConnection(server.target())) {
            for (int i = 0; i < 2; i++) {
                assertThat(connection.send("GET", "/", NOTHING)).isEqualTo(200);
                assertThat(connection.readAll()).isEqualTo("x\n");
            }
        }
    }

    @Test
    void aTruncatedBodyIsAnError() throws IOException {
        try (CannedServer server = new CannedServer(
                        new String[] {"HTTP/1.1 200 OK\r\nContent-Length: 100\r\n\r\nhalf"},
                        new String[] {"HTTP/1.1 200 OK\r\nTransfer-Encoding: chunked\r\n\r\n9\r\nhalf"},
                        new String[] {"HTTP/1.1 200 OK\r\nTransfer-Encoding: chunked\r\n\r\n4\r\nhalf\r\n"});
                HttpConnection connection = new HttpConnection(server.target())) {
            for (int i = 0; i < 3; i++) {
                connection.send("GET", "/", NOTHING);
                assertThatThrownBy(connection::readAll).isInstanceOf(EOFException.class);
                connection.close();
            }
        }
    }

    @Test
    void whatIsNoHttpIsAnError() throws IOException {
        try (CannedServer server = new CannedServer(new String[] {"hello\r\n\r\n"});
                HttpConnection connection = new HttpConnection(server.target())) {
            assertThatThrownBy(() -> connection.send("GET", "/", NOTHING))
                    .isInstanceOf(IOException.class)
                    .hasMessageContaining("hello");
        }
    }
}
