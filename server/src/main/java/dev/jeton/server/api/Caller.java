package dev.jeton.server.api;

import dev.jeton.accounting.Payer;
import dev.jeton.server.config.Tenant;

/**
 * Who calls.
 *
 * @param payer who pays
 * @param scope what the key is for
 * @param zone where it is; empty where that is not known
 * @param salt separates the tenant's prefix cache from others'; 0 where no tenants are configured
 */
record Caller(Payer payer, Tenant.Scope scope, String zone, long salt) {

    /** Whoever calls a server that asks for no key: it is its own operator. */
    static final Caller ANYONE = new Caller(Payer.UNKNOWN, Tenant.Scope.OPERATOR, "", 0);

    /** Whether the key may see what work costs to compute and everybody's rows. */
    boolean operator() {
        return scope == Tenant.Scope.OPERATOR;
    }
}
