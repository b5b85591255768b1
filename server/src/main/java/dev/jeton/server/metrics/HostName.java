package dev.jeton.server.metrics;

import java.net.InetAddress;
import java.net.UnknownHostException;

/** This machine's name. */
public final class HostName {

    private HostName() {}

    /** As the system has it; {@code jeton} where it has none. */
    public static String text() {
        try {
            return InetAddress.getLocalHost().getHostName();
        } catch (UnknownHostException e) {
            return "jeton";
        }
    }
}
