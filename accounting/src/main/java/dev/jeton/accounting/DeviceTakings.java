package dev.jeton.accounting;

import dev.jeton.accounting.Posting.Account;
import java.util.ArrayList;
import java.util.EnumMap;
import java.util.LinkedHashMap;
import java.util.List;
import java.util.Map;
import java.util.TreeMap;

/**
 * Sums of what was taken of each device. What a transaction adds counts once it is committed. The projection's thread
 * writes; any thread asks. Bounded by the device groups of a process.
 */
final class DeviceTakings {

    private final Map<String, Map<Account, DeviceTaking>> pending = new LinkedHashMap<>();
    /** Replaced whole. */
    private volatile Map<String, Map<Account, DeviceTaking>> taken = Map.of();

    /** A transaction begins; what the last one left, since it was rolled back, is dropped. */
    void begin() {
        pending.clear();
    }

    /** A window's postings. */
    void add(String device, List<Posting> postings) {
        Map<Account, DeviceTaking> sums = pending.computeIfAbsent(device, DeviceTakings::none);
        for (Posting posting : postings) {
            Account account = posting.account();
            if (account != Account.DEVICE) {
                long amount = account == Account.ROUNDING ? Math.abs(posting.amount()) : posting.amount();
                DeviceTaking taking = switch (posting.unit()) {
                    case NANOS -> new DeviceTaking(device, account, amount, 0);
                    case MONEY -> new DeviceTaking(device, account, 0, amount);
                    case MICROJOULES -> new DeviceTaking(device, account, 0, 0);
                };
                sums.merge(account, taking, DeviceTaking::plus);
            }
        }
    }

    /** Every account, so that one which takes nothing yet shows 0 and not nothing. */
    private static Map<Account, DeviceTaking> none(String device) {
        Map<Account, DeviceTaking> sums = new EnumMap<>(Account.class);
        for (Account account : Account.values()) {
            if (account != Account.DEVICE) {
                sums.put(account, new DeviceTaking(device, account, 0, 0));
            }
        }
        return sums;
    }

    /** The transaction is committed. */
    void commit() {
        if (!pending.isEmpty()) {
            Map<String, Map<Account, DeviceTaking>> next = new TreeMap<>(taken);
            pending.forEach((device, sums) -> next.merge(device, sums, DeviceTakings::sum));
            taken = next;
            pending.clear();
        }
    }

    private static Map<Account, DeviceTaking> sum(Map<Account, DeviceTaking> a, Map<Account, DeviceTaking> b) {
        Map<Account, DeviceTaking> sum = new EnumMap<>(a);
        b.forEach((account, taking) -> sum.merge(account, taking, DeviceTaking::plus));
        return sum;
    }

    /** All sums, by device and account. */
    List<DeviceTaking> all() {
        List<DeviceTaking> all = new ArrayList<>();
        taken.values().forEach(sums -> all.addAll(sums.values()));
        return all;
    }
}
