package dev.jeton.server.testing;

import dev.jeton.server.config.Configuration.TlsSettings;
import io.netty.pkitesting.CertificateBuilder;
import io.netty.pkitesting.X509Bundle;
import java.io.IOException;
import java.nio.file.Files;
import java.nio.file.Path;
import java.security.KeyStore;
import java.security.SecureRandom;
import java.time.Duration;
import java.time.Instant;
import javax.net.ssl.KeyManager;
import javax.net.ssl.KeyManagerFactory;
import javax.net.ssl.SSLContext;
import javax.net.ssl.TrustManager;

/** An authority, certificates that it issues, and files of them. */
public final class PemFiles {

    private static final char[] NO_PASSWORD = {};

    public final Path certificate;
    public final Path key;
    public final Path ca;
    private final X509Bundle authority;

    public PemFiles(Path folder) throws Exception {
        certificate = folder.resolve("tls.crt");
        key = folder.resolve("tls.key");
        ca = folder.resolve("ca.crt");
        authority = authority();
        write(server("localhost"));
        Files.writeString(ca, authority.getCertificatePEM());
    }

    private static CertificateBuilder of(String name) {
        Instant now = Instant.now();
        return new CertificateBuilder()
                .ecp256()
                .subject("CN=" + name)
                .notBefore(now.minus(Duration.ofDays(1)))
                .notAfter(now.plus(Duration.ofDays(90)));
    }

    public static X509Bundle authority() throws Exception {
        return of("Jeton's authority").setIsCertificateAuthority(true).buildSelfSigned();
    }

    public static CertificateBuilder serverCertificate(String name) {
        return of(name).addSanDnsName("localhost").addSanIpAddress("127.0.0.1").addExtendedKeyUsageServerAuth();
    }

    public X509Bundle server(String name) throws Exception {
        return serverCertificate(name).buildIssuedBy(authority);
    }

    public X509Bundle issued(CertificateBuilder certificate) throws Exception {
        return certificate.buildIssuedBy(authority);
    }

    public static CertificateBuilder clientCertificate(String name) {
        return of(name).addExtendedKeyUsageClientAuth();
    }

    public void write(X509Bundle bundle) throws IOException {
        Files.writeString(certificate, bundle.getCertificatePathPEM());
        Files.writeString(key, bundle.getPrivateKeyPEM());
    }

    public TlsSettings settings(boolean askingClients) {
        return new TlsSettings(
                certificate.toString(), key.toString(), askingClients ? ca.toString() : "", Duration.ofDays(1));
    }

    /** What a client trusts. */
    public SSLContext trusting() throws Exception {
        return context(new KeyManager[0]);
    }

    /** The same with a certificate of its own. */
    public SSLContext showing(X509Bundle own) throws Exception {
        KeyStore store = KeyStore.getInstance("PKCS12");
        store.load(null, NO_PASSWORD);
        store.setKeyEntry("own", own.getKeyPair().getPrivate(), NO_PASSWORD, own.getCertificatePath());
        KeyManagerFactory managers = KeyManagerFactory.getInstance(KeyManagerFactory.getDefaultAlgorithm());
        managers.init(store, NO_PASSWORD);
        return context(managers.getKeyManagers());
    }

    private SSLContext context(KeyManager[] own) throws Exception {
        SSLContext context = SSLContext.getInstance("TLS");
        context.init(own, new TrustManager[] {authority.toTrustManager()}, new SecureRandom());
        return context;
    }
}
