package dev.jeton.server.batch;

/**
 * A file that is kept.
 *
 * @param id its name in the API
 * @param owner whose it is
 * @param name as it was sent, without a path
 * @param purpose {@link #INPUT} or {@link #OUTPUT}
 * @param bytes how many it has
 * @param created seconds since 1970
 * @param expires seconds since 1970 from which on it is not there any more; 0 for never
 */
public record StoredFile(
        String id, BatchOwner owner, String name, String purpose, long bytes, long created, long expires) {

    /** Purpose of a file with requests of a batch. */
    public static final String INPUT = "batch";

    /** Purpose of a file with what came of them. */
    public static final String OUTPUT = "batch_output";

    boolean expired(long now) {
        return expires > 0 && now >= expires;
    }
}
