package dev.jeton.accounting;

import java.util.ArrayList;
import java.util.Comparator;
import java.util.Currency;
import java.util.EnumMap;
import java.util.List;
import java.util.Map;
import java.util.TreeMap;

/** Adds up what {@link Repriced} says. Confined to one thread. */
final class RepricingSums {

    private record UsageKey(String tenant, String model) {}

    private record DeviceKey(String node, String device) {}

    private static final class UsageCell {
        private long requests;
        private Repriced.Amounts list = Repriced.Amounts.NONE;
        private Repriced.Amounts egress = Repriced.Amounts.NONE;
        private Repriced.Amounts metered = Repriced.Amounts.NONE;
    }

    private static final class DeviceCell {
        private long nanos;
        private long microjoules;
        private long booked;
        private long capital;
        private long energy;
    }

    private final Scope scope;
    private final Map<UsageKey, UsageCell> usage =
            new TreeMap<>(Comparator.comparing(UsageKey::tenant).thenComparing(UsageKey::model));
    private final Map<DeviceKey, DeviceCell> devices =
            new TreeMap<>(Comparator.comparing(DeviceKey::node).thenComparing(DeviceKey::device));
    private final Map<Posting.Account, Repriced.Amounts> own = new EnumMap<>(Posting.Account.class);
    private long unexplained;

    /** Sums of what a scope may see; the rest is left out. */
    RepricingSums(Scope scope) {
        this.scope = scope;
    }

    void list(String tenant, String model, long requests, Repriced.Amounts amounts) {
        if (sees(tenant)) {
            UsageCell cell = cell(tenant, model);
            cell.requests = Money.add(cell.requests, requests);
            cell.list = cell.list.plus(amounts);
        }
    }

    void egress(String tenant, String model, Repriced.Amounts amounts) {
        if (sees(tenant)) {
            UsageCell cell = cell(tenant, model);
            cell.egress = cell.egress.plus(amounts);
        }
    }

    void metered(String tenant, String model, Repriced.Amounts amounts) {
        if (sees(tenant)) {
            UsageCell cell = cell(tenant, model);
            cell.metered = cell.metered.plus(amounts);
        }
    }

    /** Adds metered money of an account that is no tenant's and no device's. */
    void own(Posting.Account account, Repriced.Amounts amounts) {
        own.merge(account, amounts, Repriced.Amounts::plus);
    }

    void unexplained(long requests) {
        unexplained += requests;
    }

    /** Adds what the books say of a device: nanoseconds, microjoules, nano-units of cost. */
    void booked(String node, String device, long nanos, long microjoules, long money) {
        DeviceCell cell = device(node, device);
        cell.nanos = Money.add(cell.nanos, nanos);
        cell.microjoules = Money.add(cell.microjoules, microjoules);
        cell.booked = Money.add(cell.booked, money);
    }

    /** Adds what a device costs by the other book. */
    void other(String node, String device, long capital, long energy) {
        DeviceCell cell = device(node, device);
        cell.capital = Money.add(cell.capital, capital);
        cell.energy = Money.add(cell.energy, energy);
    }

    private boolean sees(String tenant) {
        return switch (scope) {
            case Scope.Operator operator -> true;
            case Scope.Tenant only -> only.id().equals(tenant);
        };
    }

    private UsageCell cell(String tenant, String model) {
        return usage.computeIfAbsent(new UsageKey(tenant, model), added -> new UsageCell());
    }

    private DeviceCell device(String node, String device) {
        return devices.computeIfAbsent(new DeviceKey(node, device), added -> new DeviceCell());
    }

    Repriced result(String priceBook, Currency currency) {
        List<Repriced.Usage> rows = new ArrayList<>();
        usage.forEach((key, cell) -> rows.add(
                new Repriced.Usage(key.tenant(), key.model(), cell.requests, cell.list, cell.egress, cell.metered)));
        if (!(scope instanceof Scope.Operator)) {
            return new Repriced(priceBook, currency, rows, Map.of(), List.of(), unexplained);
        }
        List<Repriced.Device> costs = new ArrayList<>();
        devices.forEach((key, cell) -> costs.add(new Repriced.Device(
                key.node(),
                key.device(),
                cell.nanos,
                cell.microjoules,
                new Repriced.Amounts(cell.booked, Money.add(cell.capital, cell.energy)),
                cell.capital,
                cell.energy)));
        return new Repriced(priceBook, currency, rows, own, costs, unexplained);
    }
}
