// experts.cu against float64: choices with ties and numbers that are none, by sigmoids, corrections and groups, experts that
// nobody chose, tiles of every length; what must not be written or read is poisoned.
#include "check.h"
#include "check_products.h"
#include "../experts.cu"

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

static void grouping(int tokens, int experts, int perToken, bool normalised, int tileRows, int kind, bool broken, const Choosing& by = {}) {
    context = "grouping " + std::to_string(tokens) + " of " + std::to_string(perToken) + "/" + std::to_string(experts) + " kind " + std::to_string(kind) + " scores " + std::to_string(by.scores);
    auto logits = router(tokens, experts, kind);
    bool biased = tokens % 2 != 0;
    std::vector<float> biases(experts);
    for (float& b : biases) b = (float)normal();
    for (int t = 0; t < tokens && by.scores; t++) {
        for (;;) {
            std::vector<float> own(logits.begin() + (size_t)t * experts, logits.begin() + (size_t)(t + 1) * experts);
            for (int e = 0; biased && e < experts; e++) own[e] += biases[e];
            auto keys = keys_of(own.data(), experts, by);
            if (apart(keys) && apart(group_scores(keys, by))) break;
            auto drawn = router(1, experts, kind);
            std::copy(drawn.begin(), drawn.end(), logits.begin() + (size_t)t * experts);
        }
    }
    if (broken) {
        logits[experts / 2] = NAN;
        if (tokens > 1) logits[experts + experts - 1] = by.scores ? NAN : INFINITY;
        if (tokens > 2) std::fill(logits.begin() + 2 * experts, logits.begin() + 3 * experts, NAN);
    }
    int stride = experts + 3;
    std::vector<float> given((size_t)(tokens + 3) * stride, NAN);
    for (int t = 0; t < tokens; t++) std::copy_n(logits.begin() + (size_t)t * experts, experts, given.begin() + (size_t)t * stride);
    for (size_t i = 0; biased && i < logits.size(); i++) logits[i] += biases[i % experts];
    Routing r = route(logits, tokens, experts, perToken, normalised, by);
    int bucket = tokens + 3, maxTiles = most_tiles(bucket * perToken, experts, tileRows);
    Array<float> dLogits(given), dBias(biases), dCorrection(by.correction);
    const float* bias = biased ? dBias.data() : nullptr;
    const float* correction = by.correction.empty() ? nullptr : dCorrection.data();
    Array<int> header(std::vector<int>{1, tokens, 0, 0, 0, 0, 0, 0});
    for (int alone = 0; alone < 2; alone++) {
        Array<int> chosen(bucket * perToken), slotOf(bucket * perToken), choices(bucket * perToken), plan(8), tiles(4 * maxTiles);
        Array<float> share(bucket * perToken);
        if (!alone) {
            RUN(GRID((bucket + CHOOSE_TOKENS - 1) / CHOOSE_TOKENS), 32 * CHOOSE_TOKENS, by.scores ? 4 * CHOOSE_TOKENS * experts : 0, choose_experts, header, dLogits, stride, bias, correction, experts, perToken, by.scores, normalised,
                by.groups, by.taken, by.best, (float)by.scale, chosen, share);
        }
        RUN(GRID(1), GROUP_THREADS, 4 * (GROUP_WARPS + 3) * experts, group_experts, header, alone ? dLogits.data() : nullptr, stride, bias, correction, experts, perToken, by.scores, normalised,
            by.groups, by.taken, by.best, (float)by.scale, tileRows, maxTiles, chosen, share, slotOf, choices, plan, tiles);
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
    RUN(GRID(1), GROUP_THREADS, 4 * (GROUP_WARPS + 3) * 16, group_experts, header, dLogits.data(), 16, nullptr, nullptr, 16, 2, 0, 1, 1, 1, 1, 1.0f, 4, 5, chosen, share, slotOf, choices, plan, tiles);
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

static void ordered(int tokens, int experts, int perToken, int width) {
    context = "order of inputs, " + std::to_string(tokens) + " tokens, width " + std::to_string(width);
    Routing r = route(router(tokens, experts, 0), tokens, experts, perToken, true);
    auto x0 = random_acts((size_t)tokens * width);
    std::vector<int> order((size_t)experts * width), own(width);
    for (int e = 0; e < experts; e++) {
        for (int i = 0; i < width; i++) own[i] = i;
        std::shuffle(own.begin(), own.end(), random_bits);
        std::copy(own.begin(), own.end(), order.begin() + (size_t)e * width);
    }
    Array<act> x(x0), out((size_t)(r.slots + 3) * width);
    Array<int> dOrder(order), chosen(r.chosen), choices(r.choices), plan(std::vector<int>{1, r.slots, 0, 0, 0, 0, 0, 0});
    RUN(GRID(r.slots + 3, (width + 2047) / 2048), 256, 0, order_inputs, plan, choices, chosen, perToken, x, dOrder, width, out);
    for (int slot = 0; slot < r.slots; slot++) {
        int choice = r.choices[slot];
        for (int i = 0; i < width; i++) {
            act want = x0[(size_t)(choice / perToken) * width + order[(size_t)r.chosen[choice] * width + i]];
            EXPECT(out[(size_t)slot * width + i] == want, "slot %d has another %d", slot, i);
        }
    }
    for (size_t i = (size_t)r.slots * width; i < out.count; i++) EXPECT(out[i] == 0xffff, "wrote past the slots");
}

// Choices by keys. Half of the experts have one of three corrections, so that some keys are equal.
static Choosing keyed(int scores, int experts, bool corrected, int groups, int taken, int best, double scale) {
    Choosing by = {scores, {}, groups, taken, best, scale};
    for (int e = 0; corrected && e < experts; e++) by.correction.push_back((float)(e % 2 ? 0.3 * normal() : 0.25 * between(-1, 1)));
    return by;
}

int main() {
    strips();
    ordered(1, 6, 2, 40);
    ordered(19, 5, 3, 2056);
    shortList();
    grouping(1, 8, 2, true, 16, 0, false);
    grouping(3, 5, 2, false, 16, 1, true);
    grouping(37, 128, 8, true, 16, 0, false);
    grouping(70, 7, 3, false, 16, 2, false);
    grouping(129, 64, 6, true, 128, 1, true);
    grouping(700, 40, 8, true, 128, 3, false);
    grouping(9, 300, 32, true, 16, 0, false);
    grouping(1, 160, 8, true, 16, 0, false, keyed(2, 160, true, 1, 1, 2, 2.5));
    grouping(70, 256, 8, true, 16, 0, false, keyed(2, 256, true, 8, 4, 2, 2.5));
    grouping(37, 64, 6, false, 16, 1, false, keyed(2, 64, true, 4, 2, 2, 1));
    grouping(40, 12, 3, true, 16, 2, false, keyed(2, 12, false, 4, 2, 2, 1.7));
    grouping(66, 160, 6, false, 128, 1, true, keyed(1, 160, false, 8, 3, 1, 16));
    grouping(31, 96, 5, true, 16, 0, true, keyed(1, 96, true, 32, 5, 3, 1));
    grouping(129, 40, 4, true, 128, 1, true, keyed(2, 40, true, 5, 2, 1, 1));
    grouping(45, 64, 6, true, 16, 0, false, keyed(1, 64, true, 1, 1, 1, 1));
    grouping(70, 64, 6, false, 16, 1, true, keyed(1, 64, true, 1, 1, 1, 1.5));
    grouping(2, 72, 8, true, 16, 4, false, keyed(2, 72, false, 1, 1, 2, 3));
    grouping(50, 48, 6, true, 16, 1, false, keyed(2, 48, false, 16, 9, 2, 1));
    return report("experts");
}
