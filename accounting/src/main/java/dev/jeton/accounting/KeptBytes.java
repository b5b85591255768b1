package dev.jeton.accounting;

import java.nio.charset.StandardCharsets;

/** About how many bytes facts of tasks take where they are kept: their texts, and a little for the rest. */
final class KeptBytes {

    private static final int REST = 96;

    private KeptBytes() {}

    static long of(Fact.TaskOpened fact) {
        return of(fact.payer())
                + texts(fact.task(), fact.spec().name(), fact.spec().criterion());
    }

    static long of(Fact.TaskStepped fact) {
        TaskStep step = fact.step();
        return of(fact.payer()) + texts(fact.task(), step.id(), step.unit(), step.retryOf(), fact.priceBook());
    }

    static long of(Fact.TaskEnded fact) {
        return texts(fact.tenant(), fact.task(), fact.why());
    }

    private static long of(Payer payer) {
        return texts(payer.tenant(), payer.project(), payer.key());
    }

    private static long texts(String... texts) {
        long bytes = REST;
        for (String text : texts) {
            bytes += text.getBytes(StandardCharsets.UTF_8).length;
        }
        return bytes;
    }
}
