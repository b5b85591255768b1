package dev.jeton.server.tls;

/**
 * The certificate in use, for metrics.
 *
 * @param expires when it expires, seconds since 1970
 * @param renewals times that renewed files were taken
 * @param failedRenewals times that changed files could not be taken
 * @param failedHandshakes connections that ended before they were encrypted
 */
public record TlsStats(long expires, long renewals, long failedRenewals, long failedHandshakes) {}
