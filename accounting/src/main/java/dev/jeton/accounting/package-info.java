/**
 * The books. The meter turns steps into windows of device time by request; the journal makes facts durable; the price
 * book turns them into money; the ledger is their projection in SQL; reports and exports read the ledger.
 */
@NullMarked
package dev.jeton.accounting;

import org.jspecify.annotations.NullMarked;
