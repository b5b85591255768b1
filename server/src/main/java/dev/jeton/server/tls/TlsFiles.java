package dev.jeton.server.tls;

import dev.jeton.server.config.ConfigException;
import dev.jeton.server.config.Configuration.TlsSettings;
import io.netty.handler.codec.http2.Http2SecurityUtil;
import io.netty.handler.ssl.ApplicationProtocolConfig;
import io.netty.handler.ssl.ApplicationProtocolConfig.Protocol;
import io.netty.handler.ssl.ApplicationProtocolConfig.SelectedListenerFailureBehavior;
import io.netty.handler.ssl.ApplicationProtocolConfig.SelectorFailureBehavior;
import io.netty.handler.ssl.ApplicationProtocolNames;
import io.netty.handler.ssl.ClientAuth;
import io.netty.handler.ssl.SslContext;
import io.netty.handler.ssl.SslContextBuilder;
import io.netty.handler.ssl.SslProvider;
import io.netty.handler.ssl.SupportedCipherSuiteFilter;
import java.io.ByteArrayInputStream;
import java.io.IOException;
import java.nio.charset.StandardCharsets;
import java.nio.file.Files;
import java.nio.file.Path;
import java.nio.file.attribute.BasicFileAttributes;
import java.security.GeneralSecurityException;
import java.security.PrivateKey;
import java.security.PublicKey;
import java.security.Signature;
import java.security.cert.CertificateFactory;
import java.security.cert.X509Certificate;
import java.time.Instant;
import java.util.ArrayList;
import java.util.List;
import java.util.Optional;
import java.util.stream.Stream;
import javax.net.ssl.SSLException;
import org.jspecify.annotations.Nullable;

/** The files of a certificate, its key, and of the authorities of clients. Immutable. */
final class TlsFiles {

    private static final String[] PROTOCOLS = {"TLSv1.3", "TLSv1.2"};
    private static final int MOST_BYTES = 1 << 20;

    private final Path certificate;
    private final Path key;
    private final Optional<Path> clientAuthorities;

    TlsFiles(TlsSettings settings) {
        certificate = Path.of(settings.certificate());
        key = Path.of(settings.key());
        clientAuthorities =
                Optional.of(settings.clientCa()).filter(file -> !file.isEmpty()).map(Path::of);
    }

    /**
     * What was read.
     *
     * @param context for new connections
     * @param subject whose certificate it is
     * @param expires when it expires
     */
    record Loaded(SslContext context, String subject, Instant expires) {}

    /** What tells that a file is another now: also where a link leads elsewhere, as with mounted Secrets. */
    String fingerprint() {
        StringBuilder all = new StringBuilder();
        Stream.concat(Stream.of(certificate, key), clientAuthorities.stream()).forEach(file -> {
            try {
                BasicFileAttributes now = Files.readAttributes(file, BasicFileAttributes.class);
                all.append(now.fileKey())
                        .append(' ')
                        .append(now.lastModifiedTime())
                        .append(' ')
                        .append(now.size());
            } catch (IOException e) {
                all.append("gone");
            }
            all.append(';');
        });
        return all.toString();
    }

    /**
     * Reads the files.
     *
     * @throws ConfigException naming the setting and the file that is wrong
     */
    Loaded read() {
        List<X509Certificate> chain = certificates("tls.certificate", certificate);
        PrivateKey own = privateKey();
        requirePair(chain.getFirst(), own);
        SslContextBuilder builder = SslContextBuilder.forServer(own, chain)
                .sslProvider(SslProvider.JDK)
                .protocols(PROTOCOLS)
                .ciphers(Http2SecurityUtil.CIPHERS, SupportedCipherSuiteFilter.INSTANCE)
                .applicationProtocolConfig(new ApplicationProtocolConfig(
                        Protocol.ALPN,
                        SelectorFailureBehavior.NO_ADVERTISE,
                        SelectedListenerFailureBehavior.ACCEPT,
                        ApplicationProtocolNames.HTTP_2,
                        ApplicationProtocolNames.HTTP_1_1));
        clientAuthorities.ifPresent(file ->
                builder.trustManager(certificates("tls.client-ca", file)).clientAuth(ClientAuth.REQUIRE));
        try {
            return new Loaded(
                    builder.build(),
                    chain.getFirst().getSubjectX500Principal().getName(),
                    chain.getFirst().getNotAfter().toInstant());
        } catch (SSLException e) {
            throw wrong("tls.certificate", certificate, e.getMessage(), e);
        }
    }

    private static String text(String setting, Path file) {
        try {
            if (Files.size(file) > MOST_BYTES) {
                throw wrong(setting, file, "it is longer than %d bytes".formatted(MOST_BYTES), null);
            }
            return Files.readString(file, StandardCharsets.ISO_8859_1);
        } catch (IOException e) {
            throw wrong(setting, file, "it cannot be read (%s)".formatted(e), e);
        }
    }

    /**
     * The certificates of a PEM file, at least one.
     *
     * @throws ConfigException naming setting and file
     */
    static List<X509Certificate> certificates(String setting, Path file) {
        String pem = PrivateKeys.without(text(setting, file));
        List<X509Certificate> found = new ArrayList<>();
        try {
            CertificateFactory factory = CertificateFactory.getInstance("X.509");
            for (var certificate :
                    factory.generateCertificates(new ByteArrayInputStream(pem.getBytes(StandardCharsets.ISO_8859_1)))) {
                found.add((X509Certificate) certificate);
            }
        } catch (GeneralSecurityException e) {
            throw wrong(setting, file, "it holds no certificates in PEM (%s)".formatted(e.getMessage()), e);
        }
        if (found.isEmpty()) {
            throw wrong(setting, file, "there is no certificate in it", null);
        }
        return found;
    }

    private PrivateKey privateKey() {
        try {
            return PrivateKeys.read(text("tls.key", key));
        } catch (GeneralSecurityException e) {
            throw wrong("tls.key", key, e.getMessage(), e);
        }
    }

    /** Java would find out with the first client. */
    private void requirePair(X509Certificate first, PrivateKey own) {
        String algorithm = switch (own.getAlgorithm()) {
            case "RSA" -> "SHA256withRSA";
            case "EC" -> "SHA256withECDSA";
            default -> "EdDSA";
        };
        boolean pair;
        try {
            byte[] message = {1, 2, 3};
            Signature signing = Signature.getInstance(algorithm);
            signing.initSign(own);
            signing.update(message);
            PublicKey shown = first.getPublicKey();
            Signature verifying = Signature.getInstance(algorithm);
            verifying.initVerify(shown);
            verifying.update(message);
            pair = verifying.verify(signing.sign());
        } catch (GeneralSecurityException e) {
            pair = false;
        }
        if (!pair) {
            throw wrong(
                    "tls.key",
                    key,
                    "it is not the key of the first certificate of %s (%s): that file begins with the server's own"
                                    .formatted(certificate, first.getSubjectX500Principal())
                            + " certificate, and those who issued it follow",
                    null);
        }
    }

    private static ConfigException wrong(String setting, Path file, @Nullable String what, @Nullable Throwable cause) {
        ConfigException failure = new ConfigException("%s, the file %s: %s".formatted(setting, file, what));
        if (cause != null) {
            failure.initCause(cause);
        }
        return failure;
    }
}
