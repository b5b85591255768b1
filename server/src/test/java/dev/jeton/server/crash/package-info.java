/**
 * Kills real server processes and asks the books what they know: the durability promise from end to end.
 * {@link dev.jeton.server.crash.CrashTest} is the way in.
 */
package dev.jeton.server.crash;
