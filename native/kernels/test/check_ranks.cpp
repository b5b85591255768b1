// ranks.cu against float64: any number of ranks, buckets with rows that are not there, padding of the last rank's logits.
#include "check.h"
#include "../ranks.cu"

static void order(int ranks, int rows, int bucket, int width) {
    context = "order " + std::to_string(rows) + "/" + std::to_string(bucket) + " rows of " + std::to_string(ranks) + " x " + std::to_string(width);
    int stride = ranks * width;
    std::vector<float> parts((size_t)ranks * bucket * width);
    for (auto& v : parts) v = (float)normal();
    Array<float> from(parts), to((size_t)bucket * stride);
    Array<int> header(std::vector<int>{1, 1, rows, 0, 0, 0, 0, 0});
    RUN(GRID(bucket, (stride + 1023) / 1024), 256, 0, order_logits, header, 2, from, bucket, width, to, stride);
    for (int r = 0; r < rows; r++) {
        for (int c = 0; c < stride; c++) {
            float want = parts[((size_t)(c / width) * bucket + r) * width + c % width], got = to[(size_t)r * stride + c];
            EXPECT(got == want, "row %d, column %d is %g, not %g", r, c, got, want);
        }
    }
    for (size_t i = (size_t)rows * stride; i < to.count; i++) EXPECT(std::isnan(to[i]), "wrote past the count, at %zu", i);
}

// beside > 0: what all tokens went through, too, by logits where 2.
static void combine(int tokens, int bucket, int perToken, int hidden, int beside) {
    context = "combine " + std::to_string(tokens) + "/" + std::to_string(bucket) + " tokens of " + std::to_string(perToken) + ", hidden " + std::to_string(hidden);
    int slots = bucket * perToken;
    auto given = random_acts((size_t)slots * hidden);
    std::vector<int> slotOf(slots);
    std::vector<float> share(slots);
    for (int i = 0; i < slots; i++) slotOf[i] = i, share[i] = (float)normal();
    std::shuffle(slotOf.begin(), slotOf.end(), random_bits);
    auto b0 = random_acts((size_t)bucket * hidden);
    const int stride = 9;
    std::vector<float> logits((size_t)bucket * stride);
    for (auto& l : logits) l = (float)normal();
    Array<act> dBeside(b0);
    Array<float> dLogits(logits);
    Array<act> from(given), to((size_t)bucket * hidden);
    Array<int> slot(slotOf), header(std::vector<int>{1, tokens, 0, 0, 0, 0, 0, 0});
    Array<float> shares(share);
    RUN(GRID(bucket), 256, 0, combine_experts, header, 1, from, slot, shares, perToken, beside ? dBeside.data() : nullptr,
        beside == 2 ? dLogits.data() : nullptr, stride, hidden, to);
    for (int t = 0; t < tokens; t++) {
        for (int i = 0; i < hidden; i++) {
            double want = 0, size = 0;
            if (beside) {
                want = from_act(b0[(size_t)t * hidden + i]) * (beside == 2 ? 1 / (1 + std::exp(-(double)logits[(size_t)t * stride])) : 1);
                size = std::fabs(want);
            }
            for (int c = t * perToken; c < (t + 1) * perToken; c++) {
                double v = share[c] * from_act(given[(size_t)slotOf[c] * hidden + i]);
                want += v, size += std::fabs(v);
            }
            expect_near(from_act(to[(size_t)t * hidden + i]), want, std::fabs(want) * ACT_EPSILON + size * 1e-6 + 1e-6, "sum", (long long)t * hidden + i);
        }
    }
    for (size_t i = (size_t)tokens * hidden; i < to.count; i++) EXPECT(to[i] == 0xffff, "wrote past the count, at %zu", i);
}

int main() {
    order(2, 1, 1, 8);
    order(2, 5, 8, 152);
    order(3, 16, 16, 1000);
    order(8, 3, 4, 2056);
    combine(1, 1, 1, 8, 0);
    combine(3, 4, 2, 40, 2);
    combine(17, 32, 8, 2048, 1);
    combine(2, 2, 3, 4104, 2);
    return report("ranks");
}
