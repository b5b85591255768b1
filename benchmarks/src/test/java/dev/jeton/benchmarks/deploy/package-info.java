/**
 * Holds what {@code deploy/} says against what a server exports: rules, dashboards and runbook. Whatever else
 * Prometheus thinks of it, {@code deploy/check} asks.
 */
@NullMarked
package dev.jeton.benchmarks.deploy;

import org.jspecify.annotations.NullMarked;
