package dev.jeton.server.tls;

import dev.jeton.server.config.ConfigException;
import java.io.IOException;
import java.nio.file.Path;
import java.security.GeneralSecurityException;
import java.security.KeyStore;
import java.security.cert.X509Certificate;
import javax.net.ssl.SSLContext;
import javax.net.ssl.TrustManagerFactory;

/** For clients of a server whose certificate is of an authority that Java does not know. */
public final class Authorities {

    private Authorities() {}

    /**
     * Trusts the certificates of a PEM file, and no others.
     *
     * @param option what named the file, for errors
     * @throws ConfigException where there are none
     */
    public static SSLContext trusting(String option, Path file) {
        try {
            KeyStore store = KeyStore.getInstance(KeyStore.getDefaultType());
            store.load(null, null);
            int number = 0;
            for (X509Certificate authority : TlsFiles.certificates(option, file)) {
                store.setCertificateEntry("authority-" + number++, authority);
            }
            TrustManagerFactory trust = TrustManagerFactory.getInstance(TrustManagerFactory.getDefaultAlgorithm());
            trust.init(store);
            SSLContext context = SSLContext.getInstance("TLS");
            context.init(null, trust.getTrustManagers(), null);
            return context;
        } catch (GeneralSecurityException | IOException e) {
            throw new ConfigException("%s, the file %s: %s".formatted(option, file, e.getMessage()));
        }
    }
}
