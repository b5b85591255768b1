package dev.jeton.accounting;

import static org.assertj.core.api.Assertions.assertThat;

import dev.jeton.accounting.ListPricing.ListPrice;
import java.util.Random;
import org.junit.jupiter.api.Test;

class ListPricingTest {

    private static final ListPricing PRICING = new ListPricing(PriceBook.parse("p", """
            currency: EUR
            tariffs:
              - {model: m, input: 0.5, cached-input: 0.05, output: 1.5, embeddings: 0.02, batch-discount: 50}
              - {model: odd, input: 0.000333, output: 0.000777, batch-discount: 33.3}
            """));

    @Test
    void shouldPriceEachKindOnce() {
        ListPrice price = PRICING.price("m", "t", new Tokens(1_000, 2_000, 3_000), 0, Work.GENERATION);
        assertThat(price).isEqualTo(new ListPrice(500_000, 100_000, 4_500_000));
        assertThat(price.total()).isEqualTo(5_100_000);
    }

    @Test
    void shouldGiveTheDiscountForBatchWorkBeforeRounding() {
        assertThat(PRICING.price("m", "t", new Tokens(1_000, 2_000, 3_000), 0, Work.BATCH))
                .isEqualTo(new ListPrice(250_000, 50_000, 2_250_000));
        // 7 * 0.000333 * 0.667 / 1e6 = 1.554777e-9
        assertThat(PRICING.price("odd", "t", new Tokens(7, 0, 0), 0, Work.BATCH).input())
                .isEqualTo(2);
        assertThat(PRICING.price("odd", "t", new Tokens(7, 0, 0), 0, Work.GENERATION)
                        .input())
                .isEqualTo(2);
        assertThat(PRICING.price("odd", "t", new Tokens(6, 0, 0), 0, Work.BATCH).input())
                .isEqualTo(1);
    }

    @Test
    void shouldPriceEmbeddingsOfAllInputAlike() {
        assertThat(PRICING.price("m", "t", new Tokens(1_000, 500, 0), 0, Work.EMBEDDINGS)
                        .total())
                .isEqualTo(30_000);
        assertThat(PRICING.price("odd", "t", new Tokens(1_000_000, 0, 0), 0, Work.EMBEDDINGS)
                        .total())
                .isEqualTo(333_000);
    }

    @Test
    void shouldGiveTheDiscountForBatchEmbeddingsToo() {
        assertThat(PRICING.price("m", "t", new Tokens(1_000, 500, 0), 0, Work.BATCH_EMBEDDINGS)
                        .total())
                .isEqualTo(15_000);
    }

    @Test
    void shouldPriceNothingThatTheListDoesNotName() {
        assertThat(PRICING.price("other", "t", new Tokens(9, 9, 9), 0, Work.GENERATION))
                .isEqualTo(ListPrice.NONE);
    }

    @Test
    void shouldPriceASumWithinHalfANanoUnitForEachPriceOfAPart() {
        for (int seed = 0; seed < 200; seed++) {
            Random random = new Random(seed);
            int parts = 1 + random.nextInt(100);
            long sum = 0;
            Tokens all = Tokens.NONE;
            for (int i = 0; i < parts; i++) {
                Tokens tokens = new Tokens(random.nextInt(9_000), random.nextInt(9_000), random.nextInt(9_000));
                all = all.plus(tokens);
                sum += PRICING.price("odd", "t", tokens, 0, Work.GENERATION).total();
            }
            long whole = PRICING.price("odd", "t", all, 0, Work.GENERATION).total();
            assertThat(Math.abs(whole - sum)).as("seed " + seed).isLessThanOrEqualTo(3L * (parts + 1) / 2 + 1);
        }
    }
}
