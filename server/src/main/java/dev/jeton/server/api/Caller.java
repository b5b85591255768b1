package dev.jeton.server.api;

import dev.jeton.accounting.Payer;

/**
 * Who calls.
 *
 * @param payer who pays
 * @param operator whether the key may see what work costs to compute and everybody's rows
 * @param zone where it is; empty where that is not known
 * @param salt separates the tenant's prefix cache from others'; 0 where no tenants are configured
 */
record Caller(Payer payer, boolean operator, String zone, long salt) {

    /** Whoever calls a server that asks for no key: it is its own operator. */
    static final Caller ANYONE = new Caller(Payer.UNKNOWN, true, "", 0);
}
