package dev.jeton.models.encoder;

import dev.jeton.models.TensorType;
import dev.jeton.models.engine.EngineException;
import java.lang.foreign.MemorySegment;

/**
 * A loaded encoder, as a library runs it: a rectangle of texts in, hidden states or vectors out.
 *
 * <p>Owned by one thread at a time; the one that loads is another than the one that runs.
 */
public interface EncoderModel extends AutoCloseable {

    /** Name of the engine that it belongs to. */
    String engine();

    /** What it runs on, in words. */
    String device();

    /** Whether it brings a hidden state of each token, to be pooled; otherwise a vector of each text. */
    boolean byToken();

    /** Whether it is told which text of a pair a token belongs to. */
    boolean tokenTypes();

    /** Type of the elements that it brings: one that is not quantised. */
    TensorType type();

    /** Elements of a hidden state or vector. */
    int width();

    /**
     * Runs the texts.
     *
     * @return elements of [texts, tokens, width] or [texts, width], row-major in the machine's byte order; valid until
     *     the next call
     * @throws EngineException if the run failed; another one may go well
     */
    MemorySegment run(TextRun texts);

    @Override
    void close();
}
