/**
 * Administration while the server runs: tenants, projects, keys, budgets, prices, reservations and adapters as they are
 * changed over an HTTP API of its own, and the append-only audit log that is the record of every change.
 *
 * <p>{@link dev.jeton.server.admin.PolicyStore} is what is decided, {@link dev.jeton.server.admin.AdminApi} how it is
 * asked for. Called by the assembly. It must never know how requests are served: what changes is told to a
 * {@link dev.jeton.server.admin.PolicyListener}, and adapters are an {@link dev.jeton.server.admin.AdapterHost}'s.
 */
@NullMarked
package dev.jeton.server.admin;

import org.jspecify.annotations.NullMarked;
