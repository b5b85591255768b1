package dev.jeton.accounting;

/**
 * What one account has taken of a device since the process began to book: for dashboards and alerts. Amounts never
 * fall. Prices that were corrected later are not in it; the ledger has those.
 *
 * @param device device group
 * @param account who took; never {@code DEVICE}, which gives. {@code ROUNDING} is summed without signs: its time is 0
 *     in sound books
 * @param nanos device time
 * @param money nano-units, energy included
 */
public record DeviceTaking(String device, Posting.Account account, long nanos, long money) {

    DeviceTaking plus(DeviceTaking other) {
        return new DeviceTaking(device, account, Math.addExact(nanos, other.nanos), Math.addExact(money, other.money));
    }
}
