package dev.jeton.accounting;

/** What is billed of a request that a crash cut off. */
public enum AbortedPolicy {
    /** Nothing. */
    NOTHING,
    /** What its client got for certain. */
    CONFIRMED,
    /** All that it was granted, and so may have received. */
    GRANTED
}
