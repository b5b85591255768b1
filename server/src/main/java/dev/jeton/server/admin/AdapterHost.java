package dev.jeton.server.admin;

import java.util.List;
import java.util.Optional;

/** Who serves adapters. One load or unload at a time, but for {@link #served}. */
public interface AdapterHost {

    /**
     * An adapter as it is served.
     *
     * @param what it is
     * @param ofFile whether the configuration names it
     * @param bytes of memory that it takes; 0 where that is not known, of those of the configuration
     */
    record Served(AdapterPolicy what, boolean ofFile, long bytes) {}

    /** An adapter that was read and is not served yet. */
    interface Reading extends AutoCloseable {

        /** What is read, with the model that was meant. */
        AdapterPolicy what();

        /**
         * Serves it from now on, in place of one of the same name, whose requests end as they would.
         *
         * @throws dev.jeton.server.api.ApiException 503 where the engine can compute no more
         */
        void serve();

        /** Lets go of it, if it is not served. */
        @Override
        void close();
    }

    /** All of them, those of the configuration first. Any thread. */
    List<Served> served();

    /** Whether a model or an adapter of the configuration has this name. Any thread. */
    boolean ofFile(String name);

    /**
     * Reads an adapter.
     *
     * @param model served name; empty for the only one
     * @throws dev.jeton.server.api.ApiException saying why it cannot be
     */
    Reading read(String name, Optional<String> model, String folder);

    /** Serves it no longer; its requests end as they would. Nothing where it is not served. */
    void unload(String name);

    /** Serves what was loaded before a restart, as far as that can be; what cannot is logged. */
    void restore(List<AdapterPolicy> adapters);
}
