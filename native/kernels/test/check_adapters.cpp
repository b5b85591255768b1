// adapters.cu against float64: tiles with one adapter, several and none, ranks past a piece, inputs and outputs of odd
// sizes, splits, adapters that leave a product alone, buckets with rows that are not there.
#include "check.h"
#include "../adapters.cu"
#include <memory>

struct Adapter {
    int rank;
    std::vector<act> a, b;
    std::vector<float> scale;
    std::unique_ptr<Array<act>> onA, onB;
    std::unique_ptr<Array<float>> onScale;

    Adapter(int own, int inputs, int outputs) : rank((own + 15) / 16 * 16) {
        if (rank == 0) {
            return;
        }
        a = random_acts((size_t)rank * inputs), b = random_acts((size_t)outputs * rank);
        scale.resize(rank);
        for (int r = 0; r < rank; r++) {
            scale[r] = r < own ? (float)normal() : 0;
            for (int i = 0; r >= own && i < inputs; i++) a[(size_t)r * inputs + i] = 0;
            for (int n = 0; r >= own && n < outputs; n++) b[(size_t)n * rank + r] = 0;
        }
        onA.reset(new Array<act>(a)), onB.reset(new Array<act>(b)), onScale.reset(new Array<float>(scale));
    }
    LowRank place() {
        if (rank == 0) return LowRank{0, 0, 0, 0, 0};
        return LowRank{onA->data(), onB->data(), onScale->data(), rank, 0};
    }
};

// Rows of random lengths, of which each has one of the adapters or none.
static void low_rank(int tokens, int bucket, int inputs, int outputs, int splits, std::vector<int> ranks, int longest) {
    context = "low rank " + std::to_string(tokens) + "/" + std::to_string(bucket) + " tokens, " + std::to_string(inputs) + " to " +
              std::to_string(outputs) + ", " + std::to_string(splits) + " splits, " + std::to_string(ranks.size()) + " adapters";
    std::vector<std::unique_ptr<Adapter>> adapters;
    std::vector<LowRank> places;
    int widest = 16;
    for (int rank : ranks) {
        adapters.emplace_back(new Adapter(rank, inputs, outputs));
        places.push_back(adapters.back()->place());
        widest = std::max(widest, adapters.back()->rank);
    }
    std::vector<int> row(bucket, 0), adapterOf;
    for (int t = 0; t < tokens;) {
        int end = std::min(tokens, t + between(1, longest));
        for (; t < end; t++) row[t] = (int)adapterOf.size();
        adapterOf.push_back(between(0, (int)ranks.size()));
    }
    if (adapterOf.empty()) adapterOf.push_back(0);
    auto x = random_acts((size_t)bucket * inputs), y = random_acts((size_t)bucket * outputs);
    Array<act> from(x), to(y);
    Array<int> header(std::vector<int>{(int)adapterOf.size(), tokens, 0, 0, 0, 0, 0, 0}), rows(row), of(adapterOf);
    Array<LowRank> table(places);
    Array<float> u((size_t)splits * bucket * widest);
    int tiles = (bucket + TILE - 1) / TILE;
    RUN(GRID(tiles, widest / RANKS * splits), 32 * WARPS, 0, low_rank_in, header, rows, of, table, from, inputs, splits, u, widest, (long long)bucket * widest);
    RUN(GRID(tiles, (outputs + OUTPUTS - 1) / OUTPUTS), 32 * WARPS, 0, low_rank_out, header, rows, of, table, u, widest, (long long)bucket * widest, splits, to, outputs);
    for (int t = 0; t < bucket; t++) {
        int adapter = t < tokens ? adapterOf[row[t]] : 0;
        const Adapter* by = adapter > 0 && adapters[adapter - 1]->rank > 0 ? adapters[adapter - 1].get() : 0;
        std::vector<double> between(by ? by->rank : 0), size(between.size());
        for (size_t r = 0; r < between.size(); r++) {
            for (int k = 0; k < inputs; k++) {
                double v = from_act(by->a[r * inputs + k]) * from_act(x[(size_t)t * inputs + k]) * by->scale[r];
                between[r] += v, size[r] += std::fabs(v);
            }
        }
        for (int n = 0; n < outputs; n++) {
            size_t at = (size_t)t * outputs + n;
            double want = from_act(y[at]), error = 0;
            for (size_t r = 0; r < between.size(); r++) {
                double b = from_act(by->b[(size_t)n * by->rank + r]);
                want += b * between[r];
                error += std::fabs(b) * (std::fabs(between[r]) * ACT_EPSILON + size[r] * 1e-6);
            }
            if (!by) {
                EXPECT(to[at] == y[at], "token %d without an adapter was changed at %d", t, n);
            } else {
                expect_near(from_act(to[at]), want, std::fabs(want) * ACT_EPSILON + error + 1e-6, "sum", (long long)at);
            }
        }
    }
}

int main() {
    low_rank(1, 1, 8, 8, 1, {1}, 1);
    low_rank(5, 8, 40, 72, 1, {4, 16}, 1);
    low_rank(16, 16, 128, 136, 3, {8, 8, 8, 33, 1, 17}, 1);
    low_rank(37, 64, 328, 264, 2, {16, 0, 70}, 30);
    low_rank(130, 130, 256, 128, 1, {130, 48}, 100);
    low_rank(7, 16, 4104, 24, 8, {64}, 2);
    low_rank(0, 4, 64, 64, 2, {8}, 1);
    low_rank(20, 32, 64, 520, 1, {0, 0}, 5);
    return report("adapters");
}
