package dev.jeton.server;

import java.io.IOException;
import java.io.InputStream;
import java.util.Properties;

/** The version of this build. */
public final class Version {

    private Version() {}

    /** As in {@code jeton version} and {@code /version}. */
    public static String text() {
        Properties properties = new Properties();
        try (InputStream in = Version.class.getResourceAsStream("version.properties")) {
            if (in != null) {
                properties.load(in);
            }
        } catch (IOException e) {
            throw new IllegalStateException("the distribution's version.properties cannot be read", e);
        }
        return properties.getProperty("version", "unknown");
    }
}
