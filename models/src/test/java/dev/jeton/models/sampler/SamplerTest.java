package dev.jeton.models.sampler;

import static org.assertj.core.api.Assertions.assertThat;
import static org.assertj.core.api.Assertions.within;

import dev.jeton.models.engine.LogitBias;
import dev.jeton.models.engine.SamplingParameters;
import dev.jeton.models.engine.SequenceSpec;
import java.util.Arrays;
import java.util.Comparator;
import java.util.Random;
import java.util.stream.IntStream;
import org.junit.jupiter.api.Test;

class SamplerTest {

    private static final long SEED = 99;
    private static final int VOCABULARY = 5003;

    private final Random random = new Random(SEED);

    private static SamplingParameters sampling(double temperature, int topK, double topP, double minP, long seed) {
        return new SamplingParameters(temperature, topK, topP, minP, 1, 0, 0, LogitBias.NONE, seed, 0, new int[0], -1);
    }

    private static SequenceState state(SamplingParameters sampling, int... tokens) {
        SequenceState state = new SequenceState();
        int[] all = tokens.length == 0 ? new int[] {0} : tokens;
        state.open(new SequenceSpec(sampling, all, 1, all.length));
        return state;
    }

    private float[] logits(double scale) {
        float[] logits = new float[VOCABULARY];
        for (int i = 0; i < VOCABULARY; i++) {
            logits[i] = (float) (scale * random.nextGaussian());
        }
        return logits;
    }

    private static int[] ranked(float[] logits) {
        return IntStream.range(0, logits.length)
                .boxed()
                .sorted(Comparator.comparingDouble((Integer i) -> -logits[i]))
                .mapToInt(Integer::intValue)
                .toArray();
    }

    @Test
    void shouldTakeTheLowestIdAmongEqualLogitsWhenGreedy() {
        Sampler sampler = new Sampler(VOCABULARY);
        for (int at : new int[] {0, 1, 15, 16, 17, 4095, VOCABULARY - 1}) {
            float[] logits = new float[VOCABULARY];
            logits[at] = 3;
            logits[VOCABULARY - 1] = 3;
            assertThat(sampler.sample(logits, 0, state(SamplingParameters.GREEDY)))
                    .isEqualTo(at);
        }
    }

    @Test
    void shouldTakeTheMostLikelyAtTemperaturesWhoseInverseIsNoFloat() {
        Sampler sampler = new Sampler(VOCABULARY);
        float[] logits = logits(3);
        int best = ranked(logits)[0];
        for (double temperature : new double[] {1e-37, 1e-39, 1e-310, Double.MIN_VALUE}) {
            assertThat(sampler.sample(logits.clone(), 0, state(sampling(temperature, 0, 1, 0, 5))))
                    .isEqualTo(best);
            assertThat(sampler.sample(logits.clone(), 0, state(sampling(temperature, 20, 0.9, 0.1, 5))))
                    .isEqualTo(best);
        }
    }

    @Test
    void shouldReadTheRowAtItsOffset() {
        float[] rows = new float[3 * VOCABULARY];
        rows[VOCABULARY + 77] = 1;
        rows[2 * VOCABULARY] = 9;
        assertThat(new Sampler(VOCABULARY).sample(rows, VOCABULARY, state(SamplingParameters.GREEDY)))
                .isEqualTo(77);
    }

    @Test
    void shouldNeverPickOutsideTopK() {
        Sampler sampler = new Sampler(VOCABULARY);
        for (double scale : new double[] {0.01, 1, 5}) {
            float[] logits = logits(scale);
            int[] ranked = ranked(logits);
            for (int k : new int[] {1, 2, 40, 1000, VOCABULARY, 1 << 30}) {
                int[] kept = Arrays.copyOf(ranked, Math.min(k, VOCABULARY));
                Arrays.sort(kept);
                for (int seed = 0; seed < 40; seed++) {
                    int token = sampler.sample(logits.clone(), 0, state(sampling(1.5, k, 1, 0, seed)));
                    assertThat(Arrays.binarySearch(kept, token))
                            .as("scale %s, k %d, seed %d", scale, k, seed)
                            .isNotNegative();
                }
            }
        }
    }

    @Test
    void shouldKeepTheSmallestSetThatReachesTopP() {
        Sampler sampler = new Sampler(VOCABULARY);
        for (double scale : new double[] {0.1, 1, 4}) {
            float[] logits = logits(scale);
            int[] ranked = ranked(logits);
            double total = IntStream.range(0, VOCABULARY)
                    .mapToDouble(i -> Math.exp(logits[i]))
                    .sum();
            for (double p : new double[] {1e-9, 0.1, 0.5, 0.95, 0.999}) {
                int size = 0;
                double mass = 0;
                while (mass < p * total) {
                    mass += Math.exp(logits[ranked[size++]]);
                }
                int[] kept = Arrays.copyOf(ranked, Math.min(VOCABULARY, size + 1));
                Arrays.sort(kept);
                for (int seed = 0; seed < 40; seed++) {
                    int token = sampler.sample(logits.clone(), 0, state(sampling(1, 0, p, 0, seed)));
                    assertThat(Arrays.binarySearch(kept, token))
                            .as("p %s, seed %d", p, seed)
                            .isNotNegative();
                }
            }
        }
    }

    @Test
    void shouldKeepOnlyTokensThatReachMinP() {
        Sampler sampler = new Sampler(VOCABULARY);
        float[] logits = logits(2);
        float max = logits[ranked(logits)[0]];
        for (double minP : new double[] {1e-5, 0.01, 0.3, 1}) {
            for (double topP : new double[] {1, 0.9}) {
                for (int seed = 0; seed < 60; seed++) {
                    int token = sampler.sample(logits.clone(), 0, state(sampling(1.3, 0, topP, minP, seed)));
                    assertThat((logits[token] - max) / 1.3).isGreaterThanOrEqualTo(Math.log(minP) - 1e-4);
                }
            }
        }
    }

    @Test
    void shouldDrawEachTokenAsOftenAsItsProbability() {
        for (SamplingParameters sampling : new SamplingParameters[] {
            sampling(1, 0, 1, 0, 5), sampling(0.7, 12, 1, 0, 6), sampling(2, 0, 0.8, 0, 7), sampling(1, 0, 1, 0.05, 8)
        }) {
            assertThat(chiSquare(sampling)).as("%s", sampling).isLessThan(1.6);
        }
    }

    /** Chi-square per degree of freedom over 20,000 draws from 20 tokens. */
    private double chiSquare(SamplingParameters sampling) {
        int n = 20;
        float[] logits = new float[n];
        for (int i = 0; i < n; i++) {
            logits[i] = (float) random.nextGaussian();
        }
        double[] expected = probabilities(logits, sampling);
        int[] drawn = new int[n];
        Sampler sampler = new Sampler(n);
        SequenceState state = state(sampling);
        int draws = 20_000;
        for (int i = 0; i < draws; i++) {
            int token = sampler.sample(logits.clone(), 0, state);
            drawn[token]++;
            state.accept(token);
        }
        double chi = 0;
        int kept = 0;
        for (int i = 0; i < n; i++) {
            if (expected[i] > 0) {
                kept++;
                chi += Math.pow(drawn[i] - draws * expected[i], 2) / (draws * expected[i]);
            } else {
                assertThat(drawn[i]).isZero();
            }
        }
        return chi / (kept - 1);
    }

    private static double[] probabilities(float[] logits, SamplingParameters sampling) {
        int[] ranked = ranked(logits);
        double[] p = new double[logits.length];
        int kept = sampling.topK() == 0 ? logits.length : Math.min(sampling.topK(), logits.length);
        double max = logits[ranked[0]];
        double total = 0;
        for (int i = 0; i < kept; i++) {
            double weight = Math.exp((logits[ranked[i]] - max) / sampling.temperature());
            p[ranked[i]] = weight >= sampling.minP() ? weight : 0;
            total += p[ranked[i]];
        }
        double mass = 0;
        for (int i = 0; i < kept; i++) {
            if (mass >= sampling.topP() * total) {
                p[ranked[i]] = 0;
            }
            mass += p[ranked[i]];
        }
        double sum = Arrays.stream(p).sum();
        return Arrays.stream(p).map(v -> v / sum).toArray();
    }

    @Test
    void shouldDrawTheSameTokenForTheSameSeedAndPosition() {
        float[] logits = logits(1);
        SamplingParameters sampling = sampling(1, 0, 0.9, 0, 42);
        SequenceState going = state(sampling);
        Sampler sampler = new Sampler(VOCABULARY);
        int[] drawn = new int[30];
        for (int i = 0; i < drawn.length; i++) {
            drawn[i] = sampler.sample(logits.clone(), 0, going);
            going.accept(drawn[i]);
        }
        assertThat(Arrays.stream(drawn).distinct().count()).isGreaterThan(10);
        for (int i = 0; i < drawn.length; i++) {
            int[] history = new int[i + 1];
            System.arraycopy(drawn, 0, history, 1, i);
            assertThat(new Sampler(VOCABULARY).sample(logits.clone(), 0, state(sampling, history)))
                    .as("resumed after %d tokens", i)
                    .isEqualTo(drawn[i]);
        }
    }

    @Test
    void shouldPenaliseAsOftenAsATokenWasGenerated() {
        SamplingParameters penalised =
                new SamplingParameters(0, 0, 1, 0, 2, 0.5, 0.25, LogitBias.NONE, 0, 0, new int[0], 1);
        float[] logits = new float[600];
        logits[1] = 4; // prompt only: 4 / 2
        logits[2] = 6; // generated twice: 6 / 2 - 0.5 - 2 * 0.25
        logits[3] = -3; // generated once: -3 * 2 - 0.75
        SequenceState state = state(penalised, 1, 2, 3, 2);
        new Sampler(600).sample(logits, 0, state);
        assertThat(logits[1]).isEqualTo(2);
        assertThat(logits[2]).isEqualTo(2);
        assertThat(logits[3]).isEqualTo(-6.75f);
        assertThat(logits[4]).isZero();
    }

    @Test
    void shouldCountMoreTokensThanItsIndexBeganWith() {
        SamplingParameters penalised =
                new SamplingParameters(0, 0, 1, 0, 1, 0, 1, LogitBias.NONE, 0, 0, new int[0], -1);
        SequenceState state = state(penalised, 0);
        for (int round = 0; round < 2; round++) {
            for (int token = 0; token < 3000; token++) {
                state.accept(token);
            }
        }
        float[] logits = new float[VOCABULARY];
        new Sampler(VOCABULARY).sample(logits, 0, state);
        assertThat(logits[0]).isEqualTo(-2);
        assertThat(logits[2999]).isEqualTo(-2);
        assertThat(logits[3000]).isZero();
    }

    @Test
    void shouldAddBiasesAndSuppressStopTokensUntilMinTokens() {
        SamplingParameters biased = new SamplingParameters(
                0, 0, 1, 0, 1, 0, 0, new LogitBias(new int[] {7, 9}, new float[] {100, 99}), 0, 2, new int[] {7}, -1);
        Sampler sampler = new Sampler(VOCABULARY);
        SequenceState state = state(biased);
        int[] drawn = new int[3];
        for (int i = 0; i < 3; i++) {
            drawn[i] = sampler.sample(new float[VOCABULARY], 0, state);
            state.accept(drawn[i]);
        }
        assertThat(drawn).containsExactly(9, 9, 7);
    }

    @Test
    void shouldGiveLogProbabilitiesAndTheMostLikelyAlternatives() {
        float[] logits = logits(3);
        int[] ranked = ranked(logits);
        double total = IntStream.range(0, VOCABULARY)
                .mapToDouble(i -> Math.exp(logits[i]))
                .sum();
        SamplingParameters asked = new SamplingParameters(0, 0, 1, 0, 1, 0, 0, LogitBias.NONE, 0, 0, new int[0], 20);
        Sampler sampler = new Sampler(VOCABULARY);
        int token = sampler.sample(logits.clone(), 0, state(asked));
        assertThat((double) sampler.logProbability()).isCloseTo(logits[token] - Math.log(total), within(1e-5));
        assertThat(sampler.topCount()).isEqualTo(20);
        for (int i = 0; i < 20; i++) {
            assertThat(sampler.topToken(i)).isEqualTo(ranked[i]);
            assertThat((double) sampler.topLogProbability(i))
                    .isCloseTo(logits[ranked[i]] - Math.log(total), within(1e-5));
        }
    }

    @Test
    void shouldFailOnLogitsThatAreNotFinite() {
        Sampler sampler = new Sampler(VOCABULARY);
        for (int at : new int[] {0, 31, 32, 5000, VOCABULARY - 1}) {
            float[] logits = logits(1);
            logits[at] = Float.NaN;
            assertThat(sampler.sample(logits, 0, state(SamplingParameters.GREEDY)))
                    .isEqualTo(-1);
            assertThat(sampler.failure()).contains("not finite");
        }
        float[] logits = new float[VOCABULARY];
        Arrays.fill(logits, Float.NEGATIVE_INFINITY);
        assertThat(sampler.sample(logits, 0, state(SamplingParameters.GREEDY))).isEqualTo(-1);
        assertThat(sampler.failure()).contains("no token may be sampled");
    }
}
