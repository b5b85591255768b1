package dev.jeton.server.api;

import java.util.List;

/** Who is told of a response's output while it comes. */
interface OutputEvents {

    /** Nobody. */
    OutputEvents NONE = new OutputEvents() {
        @Override
        public void added(OutputItem item) {}

        @Override
        public void grown(OutputItem item, CharSequence more, List<TokenScore> scores) {}

        @Override
        public void done(OutputItem item, OutputItem.Status status) {}
    };

    /** One begins, and has nothing in it. */
    void added(OutputItem item);

    /**
     * It has more text.
     *
     * @param scores log-probabilities of the tokens that begin in it, where they are wanted and it is a message
     */
    void grown(OutputItem item, CharSequence more, List<TokenScore> scores);

    /** It is whole, or was cut. */
    void done(OutputItem item, OutputItem.Status status);
}
