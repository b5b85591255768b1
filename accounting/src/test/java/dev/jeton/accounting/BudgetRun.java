package dev.jeton.accounting;

import java.util.ArrayList;
import java.util.List;
import java.util.Objects;
import java.util.Optional;
import java.util.Random;
import org.jspecify.annotations.Nullable;

/**
 * A simulation of clients, a step loop and a journal around {@link Budgets}, in one thread and in virtual time: any
 * interleaving of admissions, grants becoming durable, steps, hang-ups and ends, drawn from a seed.
 */
final class BudgetRun {

    static final String PRICES = """
            currency: USD
            tariffs:
              - model: "*"
                input: 3
                cached-input: 0.75
                output: 15
            """;

    /** A client's request. */
    final class Client {
        final String id;
        final Payer payer;
        final long prompt;
        final int sequences;
        final long most;
        /** Tokens after which it ends by itself. */
        final long stops;

        @Nullable
        Grant grant;

        @Nullable
        BudgetHold hold;

        @Nullable
        BudgetWaiter waiter;

        long computed;
        boolean done;
        boolean began;
        Optional<BudgetRefusal> refusal = Optional.empty();
        long list;
        final List<Runnable> landings = new ArrayList<>();

        Client(String id, Payer payer, long prompt, int sequences, long most, long stops) {
            this.id = id;
            this.payer = payer;
            this.prompt = prompt;
            this.sequences = sequences;
            this.most = most;
            this.stops = stops;
        }

        boolean runs() {
            return began && !done && refusal.isEmpty() && waiter != null && waiter.admitted.isDone();
        }

        boolean waits() {
            return began && !done && refusal.isEmpty() && waiter != null && !waiter.admitted.isDone();
        }
    }

    static final long LEASE_NANOS = 60_000_000_000L;

    final Random random;
    private final String names;
    final List<Fact> facts = new ArrayList<>();
    final List<Client> clients = new ArrayList<>();
    final PriceBook prices = PriceBook.parse("prices", PRICES);
    final Budgets budgets;
    long now = 1_000_000_000_000L;
    /** Nanoseconds of device time of a token, for budgets that count it. */
    long stepNanos;
    /** Of a hundred renewals, how many find no room in the journal. */
    int refusedRenewals;
    /** Tokens computed and delivered, and when. */
    final List<long[]> delivered = new ArrayList<>();

    BudgetRun(long seed, List<Budget> definitions) {
        this(Facts.random(seed), "r", definitions);
    }

    /** @param names how ids of requests begin */
    BudgetRun(Random random, String names, List<Budget> definitions) {
        this.random = random;
        this.names = names;
        budgets = new Budgets(new Budgets.Limits(0, 10_000_000_000L, 1_000, 10_000, LEASE_NANOS), () -> now);
        budgets.define(definitions);
    }

    Client client(Payer payer, long prompt, int sequences, long most, long stops) {
        Client client = new Client(names + clients.size(), payer, prompt, sequences, most, stops);
        clients.add(client);
        return client;
    }

    /** Wants to begin; again, where it was told that others have reserved what it needs. */
    void begin(Client client) {
        Fact.Opened opened = new Fact.Opened(
                now,
                client.id,
                client.payer,
                "m",
                Tags.NONE,
                prices.version(),
                "",
                client.sequences,
                Zones.UNKNOWN,
                Work.GENERATION,
                1,
                client.prompt);
        client.began = true;
        client.refusal = Optional.empty();
        client.waiter = null;
        BudgetHold hold = budgets.hold(opened, prices, List.of());
        Grant grant = new Grant(grant2 -> asked(client), hold, client.most, () -> {});
        hold.grant = grant;
        client.hold = hold;
        client.grant = grant;
        try {
            client.waiter = budgets.begin(hold, grant.asked(), total -> {
                facts.add(opened);
                append(client, total);
            });
        } catch (BudgetRefusal e) {
            client.refusal = Optional.of(e);
        }
    }

    private void append(Client client, long total) {
        Grant grant = Objects.requireNonNull(client.grant);
        facts.add(grant.give(total, now));
        client.landings.add(grant::landed);
    }

    private final List<Client> asking = new ArrayList<>();

    private void asked(Client client) {
        asking.add(client);
    }

    /** Takes note of refusals of those who waited. */
    private static void hear(Client client) {
        BudgetWaiter waiter = client.waiter;
        if (client.refusal.isEmpty() && waiter != null && waiter.admitted.isCompletedExceptionally()) {
            client.refusal = Optional.of((BudgetRefusal) waiter.admitted.exceptionNow());
        }
    }

    /** Lets something happen to somebody. */
    void step() {
        now += random.nextInt(2_000);
        clients.forEach(BudgetRun::hear);
        Client client = clients.get(random.nextInt(clients.size()));
        switch (random.nextInt(6)) {
            case 0 -> {
                if (!client.began || client.refusal.isPresent() && retries(client)) {
                    begin(client);
                }
            }
            case 1 -> land(client);
            case 2 -> renew();
            case 3 -> budgets.tick();
            default -> compute(client);
        }
    }

    /** Lets a client go on, whose grants become durable and are renewed at once. */
    void stepOf(Client client) {
        now += 100;
        hear(client);
        land(client);
        renew();
        budgets.tick();
        compute(client);
    }

    private static boolean retries(Client client) {
        BudgetRefusal.Reason reason = client.refusal.orElseThrow().reason();
        return reason == BudgetRefusal.Reason.RESERVED_BY_OTHERS || reason == BudgetRefusal.Reason.UNREACHABLE;
    }

    private static void land(Client client) {
        client.landings.forEach(Runnable::run);
        client.landings.clear();
    }

    private void renew() {
        for (Client client : List.copyOf(asking)) {
            if (client.done
                    || budgets.renew(
                            Objects.requireNonNull(client.grant), total -> appendIfThereIsRoom(client, total))) {
                asking.remove(client);
            }
        }
    }

    private void appendIfThereIsRoom(Client client, long total) {
        if (random.nextInt(100) < refusedRenewals) {
            Objects.requireNonNull(client.grant).give(total, now);
            throw new AccountingException("the journal is full");
        }
        append(client, total);
    }

    /** One token, or the end. */
    private void compute(Client client) {
        if (!client.runs()) {
            return;
        }
        Grant grant = Objects.requireNonNull(client.grant);
        if (client.computed == Math.min(client.stops, client.most)) {
            end(client, Fact.Outcome.COMPLETED);
        } else if (grant.grant(1) == 0) { // as the step loop: it takes first, and asks only where there is nothing
            if (grant.exhausted()) {
                end(client, Fact.Outcome.COMPLETED);
            }
        } else {
            client.computed++;
            delivered.add(new long[] {now, 1});
            Objects.requireNonNull(client.hold).device(stepNanos);
        }
    }

    void end(Client client, Fact.Outcome outcome) {
        BudgetHold hold = Objects.requireNonNull(client.hold);
        Objects.requireNonNull(client.grant).end();
        long cached = client.prompt == 0 ? 0 : random.nextLong(client.prompt + 1);
        Tokens tokens = new Tokens(client.prompt - cached, cached, client.computed);
        client.list = new ListPricing(prices)
                .price("m", client.payer.tenant(), tokens, hold.opened.at(), Work.GENERATION)
                .total();
        Fact.Closed closed =
                new Fact.Closed(now, client.id, outcome, tokens, 0, client.list, 0, 0, 0, (now - hold.opened.at()), 0);
        client.done = true;
        budgets.settle(hold, closed, () -> {
            facts.add(closed);
            return facts.size();
        });
    }

    /** Until everybody has ended or was refused for good; fails where that never comes. */
    void run() {
        long bound = 4_000_000;
        while (clients.stream().anyMatch(c -> !c.done && (c.refusal.isEmpty() || retries(c)))) {
            step();
            if (--bound == 0) {
                throw new AssertionError("it does not end: " + budgets.views() + " " + budgets.stats());
            }
        }
    }

    long computed() {
        return clients.stream().mapToLong(c -> c.computed).sum();
    }

    long list() {
        return clients.stream().mapToLong(c -> c.list).sum();
    }

    BudgetView view(String budget) {
        return budgets.views().stream()
                .filter(view -> view.budget().id().equals(budget))
                .findFirst()
                .orElseThrow();
    }

    static Payer payer(String tenant, String project, String key) {
        return new Payer(tenant, project, key);
    }
}
