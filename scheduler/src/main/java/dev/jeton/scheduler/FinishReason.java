package dev.jeton.scheduler;

/** Why a sequence ended. */
public enum FinishReason {
    /** A stop token was sampled, or the reader found a stop string. */
    STOP,
    /** {@code maxTokens} or the context's end was reached. */
    LENGTH,
    /** The client hung up or the reader cancelled. */
    CANCELLED,
    /** The deadline passed. */
    DEADLINE,
    /** The reader did not read for {@code stream.stall-timeout}. */
    STALLED,
    /** The server drained past its deadline or was closed. */
    SHUTDOWN,
    /** The engine failed this sequence; the event carries no token. */
    ERROR
}
