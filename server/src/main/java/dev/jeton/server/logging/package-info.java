/**
 * How log lines are written: JSON for machines, a readable line on a terminal.
 *
 * <p>Called by the command line once at start. It must never know what is logged.
 */
@NullMarked
package dev.jeton.server.logging;

import org.jspecify.annotations.NullMarked;
