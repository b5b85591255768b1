package dev.jeton.models.engine;

/**
 * An adapter that was read for an engine which has not got it yet. Whoever has it closes it, or hands it to
 * {@link Engine#addAdapter}, which closes it from then on.
 */
public interface PreparedAdapter extends AutoCloseable {

    /** Bytes of memory that it takes; 0 once it is closed. Any thread. */
    long bytes();

    @Override
    void close();
}
