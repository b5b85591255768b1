package dev.jeton.accounting;

import dev.jeton.scheduler.DeviceState;
import java.util.Map;

/**
 * Where the time and the cost of a device went.
 *
 * @param node whose device
 * @param device the device group
 * @param windows how many windows
 * @param states nanoseconds by state
 * @param imbalance nanoseconds that no state accounts for; 0 in sound books
 * @param microjoules energy
 * @param money metered money by account, nano-units; they sum to 0
 */
public record DeviceTotal(
        String node,
        String device,
        long windows,
        Map<DeviceState, Long> states,
        long imbalance,
        long microjoules,
        Map<Posting.Account, Long> money) {

    /** With maps of its own. */
    public DeviceTotal {
        states = Map.copyOf(states);
        money = Map.copyOf(money);
    }
}
