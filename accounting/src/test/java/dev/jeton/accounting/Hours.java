package dev.jeton.accounting;

import java.util.List;
import java.util.Map;
import java.util.Random;

/** Hours of the ledger for tests. */
final class Hours {

    static final long HOUR = 1_763_625_600_000_000L - 1_763_625_600_000_000L % 3_600_000_000L;

    static final PriceBook BOOK = PriceBook.parse("prices.yaml", """
            currency: EUR
            tariffs:
              - {model: llama, input: 0.51, cached-input: 0.0513, output: 1.5, embeddings: 0.02, batch-discount: 33.3}
              - {model: llama, tenant: acme, input: 0.3333, output: 0.777777}
            egress:
              - {from: here, to: far, per-gb: 0.0213}
              - {from: here, to: near, per-gb: 0}
            """);

    static final FocusExport.Issuer ISSUER =
            new FocusExport.Issuer("house-1", "Compute, \"central\"", "Example GmbH", "LLM inference");

    private static final List<Zones> ZONES =
            List.of(Zones.UNKNOWN, new Zones("here", "near"), new Zones("here", "far"));

    private Hours() {}

    static HourRow row(long hour, String tenant, Map<String, String> labels, long requests, Tokens tokens, long list) {
        return row(hour, tenant, labels, requests, tokens, list, 3_000_000_007L, 12_345_678L, 70, 11);
    }

    static HourRow row(
            long hour,
            String tenant,
            Map<String, String> labels,
            long requests,
            Tokens tokens,
            long list,
            long payable,
            long metered,
            long house,
            long houseMoney) {
        return row(
                hour,
                tenant,
                labels,
                requests,
                tokens,
                list,
                payable,
                metered,
                house,
                houseMoney,
                Zones.UNKNOWN,
                Work.UNKNOWN,
                999,
                0);
    }

    /** An hour of one request, of bytes alone. */
    static HourRow bytes(String tenant, Zones zones, long bytes, long money) {
        return row(HOUR, tenant, Map.of(), 1, Tokens.NONE, 0, 0, 0, 0, 0, zones, Work.GENERATION, bytes, money);
    }

    private static HourRow row(
            long hour,
            String tenant,
            Map<String, String> labels,
            long requests,
            Tokens tokens,
            long list,
            long payable,
            long metered,
            long house,
            long houseMoney,
            Zones zones,
            Work work,
            long egressBytes,
            long egress) {
        return new HourRow(
                hour,
                tenant,
                "project",
                "key",
                "llama",
                labels,
                BOOK.version(),
                zones,
                work,
                requests,
                requests,
                0,
                0,
                tokens,
                egressBytes,
                payable,
                house,
                0,
                house,
                0,
                5,
                6,
                7_000_001,
                list,
                egress,
                metered,
                houseMoney,
                "",
                0,
                0);
    }

    /** An hour of steps of tasks. */
    static HourRow steps(String tenant, TaskStep.Kind kind, long steps, long money) {
        return new HourRow(
                HOUR,
                tenant,
                "project",
                "key",
                "",
                Map.of(),
                BOOK.version(),
                Zones.UNKNOWN,
                Work.UNKNOWN,
                0,
                0,
                0,
                0,
                Tokens.NONE,
                0,
                0,
                0,
                0,
                0,
                0,
                0,
                0,
                0,
                0,
                0,
                0,
                0,
                kind.text(),
                steps,
                money);
    }

    /** An hour of one request of a kind of work. */
    static HourRow work(String tenant, Work work, Tokens tokens, long list) {
        return row(HOUR, tenant, Map.of(), 1, tokens, list, 0, 0, 0, 0, Zones.UNKNOWN, work, 0, 0);
    }

    /** An hour whose list money is the sum of what its requests were priced at. */
    static HourRow priced(Random random, long hour, String tenant, boolean batch) {
        ListPricing pricing = new ListPricing(BOOK);
        Zones zones = ZONES.get(random.nextInt(ZONES.size()));
        Tokens all = Tokens.NONE;
        long bytes = 0;
        long egress = 0;
        long list = 0;
        int requests = 1 + random.nextInt(50);
        for (int i = 0; i < requests; i++) {
            Tokens tokens = new Tokens(random.nextInt(5_000), random.nextInt(2_000), random.nextInt(900));
            all = all.plus(tokens);
            long answer = random.nextInt(1 << 20);
            bytes += answer;
            egress += BOOK.egress(zones, answer);
            list += pricing.price("llama", tenant, tokens, hour, batch ? Work.BATCH : Work.GENERATION)
                    .total();
        }
        long payable = random.nextInt(5) == 0 ? 0 : 1 + random.nextLong(3_600_000_000_000L);
        long metered = random.nextInt(5) == 0 ? 0 : random.nextLong(3_000_000_000L);
        long house = random.nextBoolean() ? 0 : random.nextLong(1_000_000_000L);
        return row(
                hour,
                tenant,
                Map.of("team", "a,b", "note", "say \"hi\"\n"),
                requests,
                all,
                list,
                payable,
                metered,
                house,
                house / 7,
                zones,
                random.nextBoolean() ? Work.UNKNOWN : batch ? Work.BATCH : Work.GENERATION,
                bytes,
                egress);
    }
}
