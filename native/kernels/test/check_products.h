// What the checks of products share: which rows go through which expert, weights in the format that WEIGHTS names, and what
// their products must be.
#pragma once
#include "check.h"

struct Routing {
    int tokens, experts, perToken, slots;
    std::vector<int> chosen, slotOf, choices, count, start;
    std::vector<double> share;
};

// How experts are chosen, see experts.cu; without more by the softmax alone.
struct Choosing {
    int scores = 0;
    std::vector<float> correction;  // of each expert, or none
    int groups = 1, taken = 1, best = 1;
    double scale = 1;
};

// What experts are chosen by: of the softmax the logit, or its probability where something is added, else its sigmoid, and
// the correction; least in groups not taken.
static std::vector<double> keys_of(const float* l, int experts, const Choosing& by) {
    std::vector<double> key(experts);
    bool probable = by.scores == 1 && !by.correction.empty();
    double all = 0;
    for (int e = 0; e < experts; e++) all += std::exp((double)l[e]);
    for (int e = 0; e < experts; e++) {
        double score = by.scores == 2 ? 1 / (1 + std::exp(-(double)l[e])) : probable ? std::exp((double)l[e]) / all : l[e];
        key[e] = score + (by.correction.empty() ? 0 : by.correction[e]);
        if (std::isnan(key[e])) key[e] = -INFINITY;
    }
    return key;
}

static std::vector<double> group_scores(const std::vector<double>& key, const Choosing& by) {
    std::vector<double> scores;
    size_t size = key.size() / by.groups;
    for (int g = 0; g < by.groups; g++) {
        std::vector<double> own(key.begin() + g * size, key.begin() + (g + 1) * size);
        std::sort(own.rbegin(), own.rend());
        double sum = 0;
        for (int i = 0; i < by.best; i++) sum += own[i];
        scores.push_back(sum);
    }
    return scores;
}

// Numbers from 0, those with the greatest values first, of equals the lower.
static std::vector<int> ranked(const std::vector<double>& value) {
    std::vector<int> order(value.size());
    for (size_t e = 0; e < order.size(); e++) order[e] = (int)e;
    std::stable_sort(order.begin(), order.end(), [&](int a, int b) { return value[a] > value[b]; });
    return order;
}

// Whether no two values are so near each other that floats may see them the other way round, unless they are one.
static bool apart(std::vector<double> values) {
    std::sort(values.begin(), values.end());
    for (size_t i = 1; i < values.size(); i++) {
        double gap = values[i] - values[i - 1];
        if (gap > 0 && gap < 1e-6) return false;
    }
    return true;
}

// What choosing and grouping must give.
static Routing route(const std::vector<float>& logits, int tokens, int experts, int perToken, bool normalised, const Choosing& by = {}) {
    Routing r = {tokens, experts, perToken, tokens * perToken};
    r.count.assign(experts, 0), r.start.assign(experts + 1, 0);
    for (int t = 0; t < tokens; t++) {
        const float* l = &logits[(size_t)t * experts];
        std::vector<double> key = keys_of(l, experts, by);
        std::vector<int> groups = ranked(group_scores(key, by));
        for (int g = by.taken; g < by.groups; g++) {
            std::fill_n(key.begin() + groups[g] * (experts / by.groups), experts / by.groups, -INFINITY);
        }
        std::vector<int> order = ranked(key);
        double all = 0, taken = 0, most = -INFINITY;
        for (int e = 0; e < experts; e++) most = std::max(most, std::isnan(l[e]) ? -INFINITY : (double)l[e]);
        auto weight = [&](int e) { return by.scores == 2 ? 1 / (1 + std::exp(-(double)l[e])) : std::exp(l[e] - most); };
        for (int e = 0; e < experts; e++) all += weight(e);
        for (int j = 0; j < perToken; j++) taken += weight(order[j]);
        for (int j = 0; j < perToken; j++) {
            double share = weight(order[j]) / (normalised ? taken + (by.scores == 2 ? 1e-20 : 0) : by.scores == 2 ? 1 : all);
            r.chosen.push_back(order[j]);
            r.share.push_back(std::isnan(all) ? NAN : share * by.scale);
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
    if (kind == 4) std::fill(l.begin(), l.end(), -200.0f);  // whose sigmoids are 0
    if (kind == 3) for (int t = 0; t < tokens; t++) l[(size_t)t * experts + experts / 3] += 20;  // all go through one
    return l;
}

// ---- weights ------------------------------------------------------------------------------------------------------

// Values of a matrix, and the same as kernels read them (native/kernels/README.md), written from the formats' definitions.
struct Weights {
    std::vector<double> value;
    std::vector<unsigned char> bytes;
    std::vector<scale_of_weights> scales;
    std::vector<int> code, zero;  // integers in groups: of each value, of each row and group
};

// The scale in a word of bytes in groups.
static double long_scale(unsigned word) {
    float scale;
    word &= ~511u;
    memcpy(&scale, &word, 4);
    return scale;
}

static Weights random_weights(int rows, int k) {
    Weights w;
    int groups = (k + SCALE_GROUP - 1) / SCALE_GROUP;
    w.value.resize((size_t)rows * k);
    if (WEIGHTS == WEIGHTS_ACT) {
        auto acts = random_acts(w.value.size(), 0.5);
        w.bytes.resize(2 * w.value.size());
        memcpy(w.bytes.data(), acts.data(), w.bytes.size());
        for (size_t i = 0; i < acts.size(); i++) w.value[i] = from_act(acts[i]);
        w.scales.resize(1);
        return w;
    }
    if (WEIGHTS == WEIGHTS_INT4) {
        w.bytes.assign(w.value.size() / 2, 0), w.code.resize(w.value.size());
        for (int i = 0; i < rows * groups; i++) {
            unsigned short scale = to_fp16(std::exp(normal() * 0.8 - 4));
            w.zero.push_back(between(0, 16));
            w.scales.push_back(scale | (unsigned)w.zero[i] << 16);
        }
        for (size_t i = 0; i < w.value.size(); i++) {
            size_t group = i / k * groups + i % k / SCALE_GROUP;
            int j = i % 8, nibble = j / 2 + j % 2 * 4;
            w.code[i] = between(0, 15);
            w.bytes[i / 8 * 4 + nibble / 2] |= w.code[i] << nibble % 2 * 4;
            w.value[i] = (w.code[i] - w.zero[group]) * from_fp16((unsigned short)w.scales[group]);
        }
        return w;
    }
    if (WEIGHTS == WEIGHTS_INT8_GROUP) {
        w.bytes.resize(w.value.size()), w.code.resize(w.value.size());
        for (int i = 0; i < rows * groups; i++) {
            float scale = (float)std::exp(normal() * 0.8 - 7);
            unsigned word;
            memcpy(&word, &scale, 4);
            w.zero.push_back(i == 0 ? 256 : between(0, 256));
            w.scales.push_back((scale_of_weights)((word & ~511u) | w.zero[i]));
        }
        for (size_t i = 0; i < w.value.size(); i++) {
            size_t group = i / k * groups + i % k / SCALE_GROUP;
            w.code[i] = w.bytes[i] = (unsigned char)(i < 2 ? 255 * i : between(0, 255));
            w.value[i] = (w.code[i] - w.zero[group]) * long_scale((unsigned)w.scales[group]);
        }
        return w;
    }
    if (WEIGHTS == WEIGHTS_MXFP4) {
        static const double magnitude[8] = {0, 0.5, 1, 1.5, 2, 3, 4, 6};
        int padded = (groups + 3) / 4 * 4;
        w.bytes.assign(w.value.size() / 2, 0), w.code.resize(w.value.size());
        for (int i = 0; i < rows * padded; i++) w.scales.push_back((scale_of_weights)(i % padded < groups ? between(118, 128) : 0));
        for (size_t i = 0; i < w.value.size(); i++) {
            int j = i % 8, nibble = j / 2 + j % 2 * 4;
            w.code[i] = between(0, 15);
            w.bytes[i / 8 * 4 + nibble / 2] |= w.code[i] << nibble % 2 * 4;
            w.value[i] = (w.code[i] & 8 ? -1 : 1) * std::ldexp(magnitude[w.code[i] & 7], (int)w.scales[i / k * padded + i % k / 32] - 127);
        }
        return w;
    }
    bool blocks = WEIGHTS == WEIGHTS_FP8_BLOCK;
    w.bytes.resize(w.value.size());
    for (int i = 0; i < (blocks ? (rows + 7) / 8 * groups : rows); i++) {
        float scale = (float)std::exp(normal() - 6);
        w.scales.push_back((scale_of_weights)scale);
    }
    for (size_t i = 0; i < w.value.size(); i++) {
        size_t row = i / k;
        double scale = w.scales[blocks ? row / 8 * groups + i % k / SCALE_GROUP : row];
        unsigned bits = between(0, 255);
        if (WEIGHTS != WEIGHTS_INT8 && (bits & 127) == 127) bits--;  // no NaN
        w.bytes[i] = (unsigned char)bits;
        w.value[i] = (WEIGHTS == WEIGHTS_INT8 ? (signed char)bits : from_e4m3((unsigned char)bits)) * scale;
    }
    return w;
}

// ---- products -----------------------------------------------------------------------------------------------------

struct Wanted {
    double value, error;
};

// What an output is, and how far off float sums may be: of the product of x with rows j and, where gated, j + n of w.
static Wanted wanted(const double* x, const double* w, const float* bias, int j, int n, int k, int mode) {
    double sum[2] = {0, 0}, magnitude[2] = {0, 0};
    for (int h = 0; h < (gated(mode) ? 2 : 1); h++) {
        for (int i = 0; i < k; i++) {
            double v = x[i] * w[(size_t)(j + h * n) * k + i];
            sum[h] += v, magnitude[h] += std::fabs(v);
        }
        if (bias) sum[h] += bias[j + h * n], magnitude[h] += std::fabs(bias[j + h * n]);
    }
    if (!gated(mode)) {
        return {sum[0], magnitude[0] * 4e-6};
    }
    double gate = sum[0];
    double value = gate / (1 + std::exp(-gate)) * sum[1];
    if (mode == MODE_GEGLU) value = gate / 2 * (1 + std::tanh(std::sqrt(2 / M_PI) * (gate + 0.044715 * gate * gate * gate))) * sum[1];
    if (mode == MODE_CLAMPED) {
        gate = std::min(gate, 7.0);
        value = (std::clamp(sum[1], -7.0, 7.0) + 1) * gate / (1 + std::exp(-1.702 * gate));
        magnitude[1] += 1;
        sum[1] = std::clamp(sum[1], -7.0, 7.0) + 1;
    }
    return {value, 1e-5 * (magnitude[0] * std::fabs(sum[1]) + magnitude[1] * std::fabs(gate))};
}

// Products of `rows` rows as an engine asks for them: launch(header, x, xStride, w, scales, bias, y, yStride) writes y,
// which is compared; what lies between rows must stay.
template <class Launch>
static void expect_product(const char* name, int rows, int n, int k, int mode, bool biased, int splits, Launch launch) {
    context = std::string(name) + " of weights " + std::to_string(WEIGHTS) + " rows " + std::to_string(rows) + " n " + std::to_string(n) + " k " + std::to_string(k) +
              " mode " + std::to_string(mode) + " splits " + std::to_string(splits);
    int wRows = gated(mode) ? 2 * n : n, xStride = k + 8, yStride = n + 3;
    auto x0 = random_acts((size_t)rows * xStride), b0 = random_acts(n, 3);
    Weights weights = random_weights(wRows, k);
    Array<act> x(x0), bias(b0);
    Array<unsigned char> w(weights.bytes);
    Array<scale_of_weights> scales(weights.scales);
    Array<int> header(std::vector<int>{rows, rows, rows, 0, 0, 0, 0, 0});
    bool wide = mode == MODE_FLOAT || (mode == MODE_RESIDUAL && JETON_RESIDUAL);
    Array<char> y((size_t)rows * yStride * (wide ? 4 : 2));
    std::vector<double> before((size_t)rows * yStride, 0);
    if (mode == MODE_RESIDUAL) {
        for (size_t i = 0; i < before.size(); i++) {
            residual r = to_residual(normal() * 10);
            memcpy(y + i * sizeof r, &r, sizeof r);
            before[i] = from_residual(r);
        }
    }
    launch(header.data(), x.data(), xStride, w.data(), scales.data(), biased ? bias.data() : (act*)nullptr, y.data(), yStride);
    std::vector<double> xs(x0.size());
    for (size_t i = 0; i < xs.size(); i++) xs[i] = from_act(x0[i]);
    for (int r = 0; r < rows; r++) {
        for (int j = 0; j < yStride; j++) {
            size_t at = (size_t)r * yStride + j;
            double got;
            if (wide) {
                float f;
                memcpy(&f, y + at * 4, 4);
                got = f;
            } else {
                act a;
                memcpy(&a, y + at * 2, 2);
                got = from_act(a);
            }
            if (j >= n) {
                EXPECT(mode == MODE_RESIDUAL ? got == before[at] : std::isnan(got), "wrote between rows");
                continue;
            }
            Wanted want = wanted(&xs[(size_t)r * xStride], weights.value.data(), nullptr, j, n, k, mode);
            want.value += (biased ? from_act(b0[j]) : 0) + before[at];
            expect_near(got, want.value, want.error + std::fabs(want.value) * (wide ? 1e-6 : ACT_EPSILON) + 1e-6, "y", at);
        }
    }
}

// Products of rows that experts have: launch(maxTiles, plan, tiles, by, x, xStride, w, scales, bias, y, yStride) writes y by
// slots.
template <class Launch>
static void expect_experts(const char* name, int tileRows, int tokens, int experts, int perToken, int n, int k, int mode, bool biased, bool gathered, int kind, Launch launch) {
    context = std::string(name) + " of weights " + std::to_string(WEIGHTS) + ", " + std::to_string(tokens) + " tokens, " + std::to_string(perToken) + " of " +
              std::to_string(experts) + ", n " + std::to_string(n) + " k " + std::to_string(k) + " mode " + std::to_string(mode);
    Routing r = route(router(tokens, experts, kind), tokens, experts, perToken, true);
    int wRows = gated(mode) ? 2 * n : n, xRows = gathered ? tokens : r.slots;
    int xStride = k + 8, yStride = n + 6, maxTiles = most_tiles(r.slots + 5, experts, tileRows);
    auto x0 = random_acts((size_t)xRows * xStride);
    Weights weights = random_weights(experts * wRows, k);
    std::vector<float> biases((size_t)experts * wRows);
    for (float& b : biases) b = (float)(3 * normal());
    std::vector<int> list, counts = {0, r.slots, 0, 0, 0, 0, 0, 0};
    for (int e = 0; e < experts; e++) {
        for (int row = 0; row < r.count[e]; row += tileRows) {
            list.insert(list.end(), {e, r.start[e] + row, std::min(tileRows, r.count[e] - row), 0});
            counts[0]++;
        }
    }
    Array<act> x(x0), y((size_t)(r.slots + 2) * yStride);
    Array<unsigned char> w(weights.bytes);
    Array<scale_of_weights> scales(weights.scales);
    Array<float> bias(biases);
    // rows of y in slots' order, or in another
    bool placed = (tokens + n / 8) % 2 == 0;
    std::vector<int> place(r.slots);
    for (int i = 0; i < r.slots; i++) place[i] = i;
    if (placed) std::shuffle(place.begin(), place.end(), random_bits);
    Array<int> plan(counts), tiles(list), choices(r.choices), places(place);
    launch(maxTiles, plan.data(), tiles.data(), gathered ? choices.data() : (int*)nullptr, placed ? places.data() : (int*)nullptr, x.data(), xStride, w.data(), scales.data(), biased ? bias.data() : (float*)nullptr, y.data(), yStride);
    std::vector<double> xs(x0.size());
    for (size_t i = 0; i < xs.size(); i++) xs[i] = from_act(x0[i]);
    for (int slot = 0; slot < r.slots; slot++) {
        int expert = r.chosen[r.choices[slot]];
        const double* from = &xs[(size_t)(gathered ? r.choices[slot] / perToken : slot) * xStride];
        for (int j = 0; j < n; j++) {
            Wanted want = wanted(from, &weights.value[(size_t)expert * wRows * k], biased ? &biases[(size_t)expert * wRows] : nullptr, j, n, k, mode);
            expect_near(from_act(y[(size_t)place[slot] * yStride + j]), want.value, want.error + std::fabs(want.value) * ACT_EPSILON + 1e-6, "y", (long long)slot * yStride + j);
        }
    }
    for (size_t i = 0; i < y.count; i++) {
        EXPECT((i / yStride < (size_t)r.slots && i % yStride < (size_t)n) || y[i] == 0xffff, "wrote at %zu", i);
    }
}
