package dev.jeton.accounting;

/** Whose rows a question to the ledger may see. */
public sealed interface Scope {

    /** Everything. */
    Scope OPERATOR = new Operator();

    /** A tenant sees the rows of its own requests only. */
    record Tenant(String id) implements Scope {}

    /** The operator sees everything. */
    record Operator() implements Scope {}
}
