/**
 * Questions to the ledger and how their answers are written, the same for {@code jeton report} and for the API.
 *
 * <p>Called by the command line and the API. It must never know of HTTP, of commands, or of who asks: a
 * {@link dev.jeton.accounting.Scope} says whose rows are asked for, a {@link dev.jeton.server.reports.Audience} what of
 * them may be shown.
 */
@NullMarked
package dev.jeton.server.reports;

import org.jspecify.annotations.NullMarked;
