package dev.jeton.accounting;

/**
 * Who pays for a request.
 *
 * @param tenant id of the tenant; {@link #NOBODY} where no tenants are configured
 * @param project id of the tenant's project; empty for none
 * @param key id of the key, never the key itself; empty where no key was asked for
 */
public record Payer(String tenant, String project, String key) {

    /** The tenant of requests where no tenants are configured. */
    public static final String NOBODY = "default";

    /** Who pays where no tenants are configured. */
    public static final Payer UNKNOWN = new Payer(NOBODY, "", "");
}
