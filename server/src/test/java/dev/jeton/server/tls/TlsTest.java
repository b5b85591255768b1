package dev.jeton.server.tls;

import static org.assertj.core.api.Assertions.assertThat;
import static org.assertj.core.api.Assertions.assertThatThrownBy;

import dev.jeton.server.config.ConfigException;
import dev.jeton.server.config.Configuration;
import dev.jeton.server.testing.PemFiles;
import io.netty.pkitesting.X509Bundle;
import java.nio.file.Files;
import java.nio.file.Path;
import java.nio.file.attribute.FileTime;
import java.time.Instant;
import java.time.InstantSource;
import java.util.LinkedHashMap;
import java.util.Map;
import org.junit.jupiter.api.BeforeEach;
import org.junit.jupiter.api.Test;
import org.junit.jupiter.api.io.TempDir;
import org.junit.jupiter.params.ParameterizedTest;
import org.junit.jupiter.params.provider.CsvSource;

/** Files of certificates: what is taken, when, and what is said of those that cannot be. */
class TlsTest {

    @TempDir
    private Path folder;

    private PemFiles files;

    @BeforeEach
    void write() throws Exception {
        files = new PemFiles(folder);
    }

    private Tls open() {
        return new Tls(files.settings(false), InstantSource.fixed(Instant.now()));
    }

    private void assertRefused(String... words) {
        assertThatThrownBy(this::open)
                .isInstanceOf(ConfigException.class)
                .message()
                .contains(words);
        assertThatThrownBy(() -> Tls.check(files.settings(false))).isInstanceOf(ConfigException.class);
    }

    @Test
    void tellsWhenItsCertificateExpires() throws Exception {
        X509Bundle server = files.server("localhost");
        files.write(server);
        try (Tls tls = open()) {
            assertThat(tls.stats().expires())
                    .isEqualTo(server.getCertificate().getNotAfter().toInstant().getEpochSecond());
        }
    }

    @Test
    void renewedFilesAreTakenOnce() throws Exception {
        try (Tls tls = open()) {
            var before = tls.context();
            tls.look();
            assertThat(tls.context()).isSameAs(before);
            files.write(files.server("renewed"));
            tls.look();
            tls.look();
            assertThat(tls.context()).isNotSameAs(before);
            assertThat(tls.stats().renewals()).isEqualTo(1);
        }
    }

    @Test
    void filesThatCannotBeUsedLeaveTheOldOnesInUseUntilTheyCan() throws Exception {
        try (Tls tls = open()) {
            var before = tls.context();
            X509Bundle next = files.server("renewed");
            Files.writeString(files.certificate, next.getCertificatePathPEM());
            tls.look();
            assertThat(tls.context()).isSameAs(before);
            assertThat(tls.stats().failedRenewals()).isEqualTo(1);
            Files.writeString(files.key, next.getPrivateKeyPEM());
            tls.look();
            assertThat(tls.context()).isNotSameAs(before);
            assertThat(tls.stats().renewals()).isEqualTo(1);
        }
    }

    @Test
    void filesThatCouldNotBeUsedAreTriedAgainThoughTheyLookTheSame() throws Exception {
        // as where a file's owner or mode is set a moment after it was written, which its times do not tell
        try (Tls tls = open()) {
            X509Bundle next = files.server("renewed");
            Files.writeString(files.certificate, next.getCertificatePathPEM());
            Files.writeString(files.key, " ".repeat(next.getPrivateKeyPEM().length()));
            FileTime time = Files.getLastModifiedTime(files.key);
            tls.look();
            tls.look();
            assertThat(tls.stats().failedRenewals()).as("told once").isEqualTo(1);
            Files.writeString(files.key, next.getPrivateKeyPEM());
            Files.setLastModifiedTime(files.key, time);
            tls.look();
            assertThat(tls.stats().renewals()).isEqualTo(1);
        }
    }

    @Test
    void linkThatLeadsElsewhereIsARenewal() throws Exception {
        Path mounted = folder.resolve("mounted");
        Files.createDirectories(mounted);
        Path first = Files.createDirectory(folder.resolve("first"));
        Path second = Files.createDirectory(folder.resolve("second"));
        PemFiles old = new PemFiles(first);
        PemFiles renewed = new PemFiles(second);
        Files.setLastModifiedTime(renewed.certificate, Files.getLastModifiedTime(old.certificate));
        Path data = Files.createSymbolicLink(mounted.resolve("data"), first);
        Path certificate = Files.createSymbolicLink(mounted.resolve("tls.crt"), Path.of("data/tls.crt"));
        Path key = Files.createSymbolicLink(mounted.resolve("tls.key"), Path.of("data/tls.key"));
        var settings = new Configuration.TlsSettings(
                certificate.toString(),
                key.toString(),
                "",
                files.settings(false).reloadInterval());
        try (Tls tls = new Tls(settings, InstantSource.fixed(Instant.now()))) {
            Files.delete(data);
            Files.createSymbolicLink(data, second);
            tls.look();
            assertThat(tls.stats().renewals()).isEqualTo(1);
        }
    }

    @Test
    void filesThatAreNotThereAreNamed() throws Exception {
        Files.delete(files.key);
        assertRefused("tls.key", files.key.toString(), "cannot be read");
    }

    @Test
    void keyOfAnotherCertificateIsRefused() throws Exception {
        Files.writeString(files.key, files.server("other").getPrivateKeyPEM());
        assertRefused("tls.key", "CN=localhost", "begins with the server's own");
    }

    @Test
    void fileWithoutACertificateIsRefused() throws Exception {
        Files.writeString(files.certificate, "");
        assertRefused("tls.certificate", files.certificate.toString(), "there is no certificate in it");
        Files.writeString(files.certificate, "nonsense\n");
        assertRefused("tls.certificate", "no certificates in PEM");
    }

    @Test
    void oneFileMayHoldKeyAndCertificates() throws Exception {
        String both = Files.readString(files.key) + Files.readString(files.certificate);
        Files.writeString(files.certificate, both);
        Files.writeString(files.key, both);
        open().close();
    }

    @Test
    void hugeFileIsRefused() throws Exception {
        Files.write(files.certificate, new byte[(1 << 20) + 1]);
        assertRefused("tls.certificate", "longer than 1048576 bytes");
    }

    @Test
    void fileWithoutAuthoritiesIsRefused() throws Exception {
        Files.writeString(files.ca, "");
        assertThatThrownBy(() -> Tls.check(files.settings(true))).hasMessageContaining("tls.client-ca");
    }

    @Test
    void expiredCertificateIsServedAllTheSame() throws Exception {
        Instant now = Instant.now();
        files.write(files.issued(PemFiles.serverCertificate("old")
                .notBefore(now.minusSeconds(200))
                .notAfter(now.minusSeconds(100))));
        try (Tls tls = open()) {
            assertThat(tls.stats().expires()).isLessThan(now.getEpochSecond());
        }
    }

    @ParameterizedTest
    @CsvSource({
        "tls.certificate,tls.key' is not given",
        "tls.key,tls.certificate' is not given",
        "tls.client-ca,only TLS has"
    })
    void settingsThatGoTogetherAreToldApart(String key, String message) {
        Map<String, String> settings = new LinkedHashMap<>(Map.of(key, "file.pem"));
        assertThatThrownBy(() -> Configuration.of(settings))
                .isInstanceOf(ConfigException.class)
                .hasMessageContaining(message);
    }
}
