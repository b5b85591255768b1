package dev.jeton.server.batch;

/**
 * Whose files and batches they are. Those of one project of a tenant are known to its keys alone.
 *
 * @param tenant its id
 * @param project of the tenant; empty for none
 * @param key that asked, by which requests of a batch are paid
 */
public record BatchOwner(String tenant, String project, String key) {

    /** Whether it is the same project. */
    boolean shares(BatchOwner other) {
        return tenant.equals(other.tenant) && project.equals(other.project);
    }
}
