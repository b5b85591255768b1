package dev.jeton.models.engine;

/** An adapter takes more memory than it may; what it had taken is given back. */
public final class AdapterMemoryException extends EngineException {

    /** @param most bytes that it may take */
    public AdapterMemoryException(long most) {
        super("the adapter takes more than %,d bytes of memory".formatted(most));
    }
}
