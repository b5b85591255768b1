// experts.cu, and the product of matmul.cu that goes with it, against float64: choices with ties and numbers that are none,
// experts that nobody chose, tiles of every length, odd widths; what must not be written is poisoned.
#include "check.h"
#include "../experts.cu"
#include "../matmul.cu"

struct Routing {
    int tokens, experts, perToken, slots;
    std::vector<int> chosen, slotOf, choices, count, start;
    std::vector<double> share;
};

// What choosing and grouping must give.
static Routing route(const std::vector<float>& logits, int tokens, int experts, int perToken, bool normalised) {
    Routing r = {tokens, experts, perToken, tokens * perToken};
    r.count.assign(experts, 0), r.start.assign(experts + 1, 0);
    for (int t = 0; t < tokens; t++) {
        const float* l = &logits[(size_t)t * experts];
        std::vector<int> order(experts);
        for (int e = 0; e < experts; e++) order[e] = e;
        auto value = [&](int e) { return std::isnan(l[e]) ? -INFINITY : l[e]; };
        std::stable_sort(order.begin(), order.end(), [&](int a, int b) { return value(a) > value(b); });
        double all = 0, taken = 0, most = -INFINITY;
        for (int e = 0; e < experts; e++) most = std::max(most, (double)value(e));
        for (int e = 0; e < experts; e++) all += std::exp(l[e] - most);
        for (int j = 0; j < perToken; j++) taken += std::exp(value(order[j]) - most);
        for (int j = 0; j < perToken; j++) {
            r.chosen.push_back(order[j]);
            r.share.push_back(std::isnan(all) ? NAN : std::exp(value(order[j]) - most) / (normalised ? taken : all));
            r.count[order[j]]++;
        }
    }
    for (int e = 0; e < experts; e++) r.start[e + 1] = r.start[e] + r.count[e];
    std::vector<int> next(r.start);
    r.slotOf.resize(r.slots), r.choices.resize(r.slots);
    for (int i = 0; i < r.slots; i++) {
        r.slotOf[i] = next[r.chosen[i]]++;
        r.choices[r.slotOf[i]] = i;
    }
    return r;
}

// How many tiles there may be.
static int most_tiles(int slots, int experts, int tileRows) { return std::min(experts, slots) + slots / tileRows; }

static std::vector<float> router(int tokens, int experts, int kind) {
    std::vector<float> l((size_t)tokens * experts);
    for (auto& v : l) v = (float)(kind == 1 ? std::round(2 * normal()) : kind == 2 ? 0.5 : 2 * normal());
    if (kind == 3) for (int t = 0; t < tokens; t++) l[(size_t)t * experts + experts / 3] += 20;  // all go through one
    return l;
}

static void expect_tiles(const Routing& r, Array<int>& plan, Array<int>& tiles, int tileRows, int maxTiles) {
    int t = 0;
    for (int e = 0; e < r.experts; e++) {
        for (int row = 0; row < r.count[e]; row += tileRows, t++) {
            EXPECT(tiles[4 * t] == e && tiles[4 * t + 1] == r.start[e] + row && tiles[4 * t + 2] == std::min(tileRows, r.count[e] - row),
                   "tile %d is {%d, %d, %d}", t, tiles[4 * t], tiles[4 * t + 1], tiles[4 * t + 2]);
        }
    }
    EXPECT(plan[0] == t && plan[1] == r.slots && plan[2] == 0, "%d tiles of %d slots, error %d; %d and %d expected", plan[0], plan[1], plan[2], t, r.slots);
    EXPECT(t <= maxTiles, "%d tiles are more than %d", t, maxTiles);
    for (int i = 4 * t; i < 4 * maxTiles; i++) EXPECT(tiles[i] == -1, "wrote tile %d", i / 4);
}

static void grouping(int tokens, int experts, int perToken, bool normalised, int tileRows, int kind, bool broken) {
    context = "grouping " + std::to_string(tokens) + " of " + std::to_string(perToken) + "/" + std::to_string(experts) + " kind " + std::to_string(kind);
    auto logits = router(tokens, experts, kind);
    if (broken) {
        logits[experts / 2] = NAN;
        if (tokens > 1) logits[experts + experts - 1] = INFINITY;
        if (tokens > 2) std::fill(logits.begin() + 2 * experts, logits.begin() + 3 * experts, NAN);
    }
    Routing r = route(logits, tokens, experts, perToken, normalised);
    int bucket = tokens + 3, maxTiles = most_tiles(bucket * perToken, experts, tileRows);
    logits.resize((size_t)bucket * experts, NAN);
    Array<float> dLogits(logits);
    Array<int> header(std::vector<int>{1, tokens, 0, 0, 0, 0, 0, 0});
    for (int alone = 0; alone < 2; alone++) {
        Array<int> chosen(bucket * perToken), slotOf(bucket * perToken), choices(bucket * perToken), plan(8), tiles(4 * maxTiles);
        Array<float> share(bucket * perToken);
        if (!alone) {
            RUN(GRID((bucket + CHOOSE_TOKENS - 1) / CHOOSE_TOKENS), 32 * CHOOSE_TOKENS, 0, choose_experts, header, dLogits, experts, perToken, normalised, chosen, share);
        }
        RUN(GRID(1), GROUP_THREADS, 4 * (GROUP_WARPS + 3) * experts, group_experts, header, alone ? dLogits.data() : nullptr, experts, perToken, normalised, tileRows, maxTiles,
            chosen, share, slotOf, choices, plan, tiles);
        for (int i = 0; i < r.slots; i++) {
            EXPECT(chosen[i] == r.chosen[i], "choice %d is %d, not %d", i, chosen[i], r.chosen[i]);
            EXPECT(slotOf[i] == r.slotOf[i] && choices[i] == r.choices[i], "slot of %d is %d, not %d", i, slotOf[i], r.slotOf[i]);
            if (std::isnan(r.share[i])) {
                EXPECT(std::isnan(share[i]), "share %d is %g", i, share[i]);
            } else {
                expect_near(share[i], r.share[i], r.share[i] * 2e-6 + 1e-30, "share", i);
            }
        }
        expect_tiles(r, plan, tiles, tileRows, maxTiles);
        for (int i = r.slots; i < bucket * perToken; i++) EXPECT(chosen[i] == -1 && slotOf[i] == -1 && choices[i] == -1 && std::isnan(share[i]), "wrote past the count");
    }
}

// Too short a list is told, not written past.
static void shortList() {
    context = "short list";
    auto logits = router(40, 16, 0);
    Array<float> dLogits(logits);
    Array<int> header(std::vector<int>{1, 40, 0, 0, 0, 0, 0, 0});
    Array<int> chosen(80), slotOf(80), choices(80), plan(8), tiles(4 * 5);
    Array<float> share(80);
    RUN(GRID(1), GROUP_THREADS, 4 * (GROUP_WARPS + 3) * 16, group_experts, header, dLogits.data(), 16, 2, 1, 4, 5, chosen, share, slotOf, choices, plan, tiles);
    EXPECT(plan[0] == 5 && plan[2] == 1, "%d tiles, error %d", plan[0], plan[2]);
}

// Each pair of tile and block of columns comes once, and a strip's pairs beside each other.
static void strips() {
    context = "strips";
    for (int round = 0; round < 200; round++) {
        int tiles = between(1, 70), columns = between(1, 40);
        std::vector<int> seen(tiles * columns, 0);
        for (int b = 0; b < tiles * columns; b++) {
            int t = strip_tile(b, tiles, columns), c = strip_column(b, tiles, columns);
            bool inside = t >= 0 && t < tiles && c >= 0 && c < columns && t / STRIP == b / (STRIP * columns);
            EXPECT(inside, "block %d of %d x %d is (%d, %d)", b, tiles, columns, t, c);
            if (inside) seen[t * columns + c]++;
        }
        for (int n : seen) EXPECT(n == 1, "a place came %d times", n);
    }
}

static void product(bool many, int tokens, int experts, int perToken, int n, int k, int mode, bool gathered, int kind) {
    context = std::string(many ? "many " : "few ") + std::to_string(tokens) + " tokens, " + std::to_string(perToken) + " of " + std::to_string(experts) + ", n " +
              std::to_string(n) + " k " + std::to_string(k) + " mode " + std::to_string(mode);
    Routing r = route(router(tokens, experts, kind), tokens, experts, perToken, true);
    int tileRows = many ? MANY_ROWS : 16, wRows = gated(mode) ? 2 * n : n, xRows = gathered ? tokens : r.slots;
    int xStride = k + 8, yStride = n + 6, maxTiles = most_tiles(r.slots + 5, experts, tileRows);
    auto x0 = random_acts((size_t)xRows * xStride), w0 = random_acts((size_t)experts * wRows * k, 0.5);
    std::vector<int> list, counts = {0, r.slots, 0, 0, 0, 0, 0, 0};
    for (int e = 0; e < experts; e++) {
        for (int row = 0; row < r.count[e]; row += tileRows) {
            list.insert(list.end(), {e, r.start[e] + row, std::min(tileRows, r.count[e] - row), 0});
            counts[0]++;
        }
    }
    Array<act> x(x0), w(w0), y((size_t)(r.slots + 2) * yStride);
    Array<int> plan(counts), tiles(list), choices(r.choices);
    const int* by = gathered ? choices.data() : nullptr;
    int outputs = (many ? MANY_COLUMNS : 32) / (gated(mode) ? 2 : 1), columns = (n + outputs - 1) / outputs;
    if (many) {
        RUN(GRID(maxTiles * columns), MANY_THREADS, MANY_SHARED, expert_many, plan, tiles, by, perToken, x, xStride, w, n, k, mode, y, yStride);
    } else {
        RUN(GRID(maxTiles * columns), THREADS, ring_bytes(KIND_ACT), expert_few, plan, tiles, by, perToken, x, xStride, w, n, k, mode, y, yStride);
    }
    std::vector<double> xs(x0.size()), ws(w0.size());
    for (size_t i = 0; i < xs.size(); i++) xs[i] = from_act(x0[i]);
    for (size_t i = 0; i < ws.size(); i++) ws[i] = from_act(w0[i]);
    for (int slot = 0; slot < r.slots; slot++) {
        int expert = r.chosen[r.choices[slot]];
        const double* from = &xs[(size_t)(gathered ? r.choices[slot] / perToken : slot) * xStride];
        auto dot = [&](int row, double& magnitude) {
            const double* with = &ws[((size_t)expert * wRows + row) * k];
            double sum = 0;
            magnitude = 0;
            for (int i = 0; i < k; i++) sum += from[i] * with[i], magnitude += std::fabs(from[i] * with[i]);
            return sum;
        };
        for (int j = 0; j < n; j++) {
            double magnitude, other, want = dot(j, magnitude), error = magnitude * 3e-6;
            if (gated(mode)) {
                double up = dot(j + n, other), gate = want;
                error = 1e-5 * (magnitude * std::fabs(up) + other * std::fabs(gate));
                want = gate / (1 + std::exp(-gate)) * up;
                if (mode == MODE_GEGLU) want = gate / 2 * (1 + std::tanh(std::sqrt(2 / M_PI) * (gate + 0.044715 * gate * gate * gate))) * up;
            }
            expect_near(from_act(y[(size_t)slot * yStride + j]), want, error + std::fabs(want) * ACT_EPSILON + 1e-6, "y", (long long)slot * yStride + j);
        }
    }
    for (size_t i = 0; i < y.count; i++) {
        EXPECT((i / yStride < (size_t)r.slots && i % yStride < (size_t)n) || y[i] == 0xffff, "wrote at %zu", i);
    }
}

int main() {
    strips();
    shortList();
    grouping(1, 8, 2, true, 16, 0, false);
    grouping(3, 5, 2, false, 16, 1, true);
    grouping(37, 128, 8, true, 16, 0, false);
    grouping(70, 7, 3, false, 16, 2, false);
    grouping(129, 64, 6, true, 128, 1, true);
    grouping(700, 40, 8, true, 128, 3, false);
    grouping(9, 300, 32, true, 16, 0, false);
    product(false, 1, 8, 2, 40, 128, MODE_SWIGLU, true, 0);
    product(false, 20, 6, 3, 72, 256, MODE_ACT, false, 3);
    product(false, 33, 16, 4, 24, 384, MODE_GEGLU, true, 0);
    product(true, 1, 4, 1, 8, 8, MODE_ACT, true, 0);
    product(true, 60, 5, 2, 96, 64, MODE_SWIGLU, true, 0);
    product(true, 70, 7, 3, 136, 40, MODE_ACT, false, 1);
    product(true, 150, 3, 2, 72, 200, MODE_GEGLU, true, 3);
    return report("experts");
}
