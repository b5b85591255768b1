package dev.jeton.accounting;

/**
 * Finds how windows are costed under the documents in force when they were journaled: replaying an old journal must use
 * the prices of its day.
 */
@FunctionalInterface
public interface Costings {

    /**
     * The costing under these documents. Called once for each pair while it is in force.
     *
     * @param priceBook content of the price book in force, empty where none was adopted yet
     * @param policy content of the policy in force, empty where none was adopted yet
     */
    WindowCosting inForce(String priceBook, String policy);
}
