// matmul.cu and wide.cu against float64, for the weights that WEIGHTS names: every mode, split or not, widths and depths
// that end within a block or a stage, and the layouts that checkpoints have.
#include "check_products.h"
#include "../matmul.cu"
#include "../wide.cu"

static int blocks_of(int n, int mode) {
    int rows = 16 * TILES / (gated(mode) ? 2 : 1);
    return (n + rows - 1) / rows;
}

static void skinny(int rows, int n, int k, int mode, bool biased, int splits) {
    expect_product("skinny", rows, n, k, mode, biased, splits, [&](int* header, act* x, int xStride, unsigned char* w, scale_of_weights* scales, act* bias, char* y, int yStride) {
        int blocks = blocks_of(n, mode);
        Array<float> partials((size_t)blocks * splits * TILES * THREADS);
        Array<int> counters(std::vector<int>(blocks, 0));
        for (int first = 0; first < rows; first += 16) {
            bool told = (rows + first) % 2 == 0;  // the count is in the header, or given
            RUN(GRID(blocks, splits), THREADS, RING_BYTES, skinny_matmul, told ? header : nullptr, told ? 1 : rows, first, x, xStride, w, scales, n, k, mode, bias, y, yStride, splits,
                partials, counters);
        }
        for (int i = 0; i < blocks; i++) EXPECT(counters[i] == 0, "counter %d", i);
    });
}

static void few(int tokens, int experts, int perToken, int n, int k, int mode, bool biased, bool gathered, int kind) {
    expect_experts("few", 16, tokens, experts, perToken, n, k, mode, biased, gathered, kind,
                   [&](int maxTiles, int* plan, int* tiles, int* by, int* places, act* x, int xStride, unsigned char* w, scale_of_weights* scales, float* bias, act* y, int yStride) {
                       RUN(GRID(maxTiles * blocks_of(n, mode)), THREADS, RING_BYTES, expert_few, plan, tiles, by, perToken, places, x, xStride, w, scales, bias, n, k, mode, y, yStride);
                   });
}

#if WEIGHTS != WEIGHTS_ACT

static void written(int n, int k) {
    context = "dequantize " + std::to_string(n) + " x " + std::to_string(k);
    Weights weights = random_weights(n, k);
    Array<unsigned char> w(weights.bytes);
    Array<scale_of_weights> scales(weights.scales);
    Array<act> plain((size_t)n * k);
    RUN(GRID(2), 256, 0, dequantize, w, scales, n, k, plain);
    for (size_t i = 0; i < weights.value.size(); i++) {
        expect_near(from_act(plain[i]), weights.value[i], std::fabs(weights.value[i]) * ACT_EPSILON + (JETON_TYPE ? 6e-8 : 0), "dequantised", i);
    }
}

#endif

#if WEIGHTS == WEIGHTS_MXFP4

// Blocks of files, written from their description, must become what kernels read; scales past a row's end are 0.
static void repacked(int n, int k) {
    context = "repack n " + std::to_string(n) + " k " + std::to_string(k);
    Weights weights = random_weights(n, k);
    int groups = k / 32, padded = (groups + 3) / 4 * 4;
    std::vector<unsigned char> blocks;
    for (int i = 0; i < n * groups; i++) {
        const int* code = &weights.code[(size_t)i * 32];
        blocks.push_back(weights.scales[(size_t)(i / groups) * padded + i % groups]);
        for (int j = 0; j < 16; j++) blocks.push_back((unsigned char)(code[j] | code[16 + j] << 4));
    }
    Array<unsigned char> from(blocks), scales((size_t)n * padded);
    Array<unsigned> w((size_t)n * k / 8);
    RUN(GRID(3), 256, 0, repack_mxfp4, from, n, k, w, scales);
    for (size_t i = 0; i < w.count; i++) {
        unsigned word;
        memcpy(&word, &weights.bytes[4 * i], 4);
        EXPECT(w[i] == word, "word %zu is %08x, not %08x", i, w[i], word);
    }
    for (size_t i = 0; i < scales.count; i++) EXPECT(scales[i] == weights.scales[i], "scale %zu is %d, not %d", i, scales[i], weights.scales[i]);
}

// Every value with every scale that a type takes: both ways of widening give it.
static void widened() {
    context = "widened";
    for (int scale = 0; scale <= (JETON_TYPE ? 128 : 252); scale++) {
        for (unsigned code = 0; code < 16; code++) {
            static const double magnitude[8] = {0, 0.5, 1, 1.5, 2, 3, 4, 6};
            double want = (code & 8 ? -1 : 1) * std::ldexp(magnitude[code & 7], scale - 127);
            for (int j = 0; j < 4; j++) {
                unsigned pair = mxfp4_pair(code << 4 * j | (code ^ 8) << (4 * j + 16), j);
                unsigned whole = times_scale(pair, scale_pair(scale));
                for (int h = 0; h < 2; h++) {
                    double sign = h ? -1 : 1, by = factor_of((scale_of_weights)scale), rounded = JETON_TYPE ? std::ldexp(1, -25) : 0;
                    expect_near(from_act((act)(pair >> 16 * h)) * by, sign * want, 0, "apart", code);
                    expect_near(from_act((act)(whole >> 16 * h)), sign * want, rounded, "together", code);
                }
            }
        }
    }
}

#endif

#if INTEGER_GROUPS

enum Layout { AWQ, GPTQ, PACKED };

// The layouts of checkpoints, written from their descriptions, must become the one that kernels read.
static void repacked(Layout layout, int n, int k, int groupSize, bool ordered, bool rowsOrdered, bool zeros) {
    context = "repack " + std::to_string(layout) + " n " + std::to_string(n) + " k " + std::to_string(k) + " groups of " + std::to_string(groupSize);
    static const int awq[8] = {0, 2, 4, 6, 1, 3, 5, 7};
    const bool four = WEIGHTS == WEIGHTS_INT4;
    const int bits = four ? 4 : 8, each = 32 / bits, greatest = (1 << bits) - 1, half = 1 << (bits - 1);
    const unsigned scaleBits = four ? 0xffffu : ~511u, least = four ? 1u : 0x219392efu & ~511u;  // 1e-18
    Weights weights = random_weights(n, k);
    int groups = k / groupSize, fine = k / SCALE_GROUP, alike = groupSize / SCALE_GROUP, less = layout == GPTQ ? 1 : 0;
    std::vector<int> order(k), rowOrder(n), qweight((size_t)n * k / each, 0), qzeros((size_t)n / each * groups, 0);
    for (int i = 0; i < k; i++) order[i] = i;
    for (int r = 0; r < n; r++) rowOrder[r] = r;
    if (ordered) std::shuffle(order.begin(), order.end(), random_bits);
    if (rowsOrdered) std::shuffle(rowOrder.begin(), rowOrder.end(), random_bits);
    std::vector<given_scale> scales((size_t)n * groups);
    for (int r = 0; r < n; r++) {
        int file = rowOrder[r];
        for (int g = 0; g < groups; g++) {
            // scales of values that share one
            unsigned own = weights.scales[(size_t)r * fine + g * alike];
            int zero = zeros ? std::min(std::max(weights.zero[(size_t)r * fine + g * alike], less), greatest + less) : half;
            bool nothing = r == 3 && g == 0;
            for (int i = 0; i < alike; i++) {
                weights.scales[(size_t)r * fine + g * alike + i] = (nothing ? least : own & scaleBits) | (four ? (unsigned)zero << 16 : zero);
            }
            // a float is rounded to the bits that are kept
            given_scale scale = nothing ? 0 : (given_scale)(four ? own & 0xffff : long_scale(own) * (1 + (between(0, 2) - 1) * 0x1.cp-17));
            int place = layout == AWQ ? (int)(std::find(awq, awq + 8, file % 8) - awq) : file % each;
            if (layout == PACKED) {
                scales[(size_t)file * groups + g] = scale;
                qzeros[(size_t)(file / each) * groups + g] |= (unsigned)zero << bits * place;
            } else {
                scales[(size_t)g * n + file] = scale;
                qzeros[(size_t)g * (n / each) + file / each] |= (unsigned)(zero - less) << bits * place;
            }
        }
        for (int i = 0; i < k; i++) {
            unsigned code = weights.code[(size_t)r * k + i];
            int at = order[i];
            if (layout == AWQ) {
                qweight[(size_t)at * (n / 8) + file / 8] |= code << 4 * (int)(std::find(awq, awq + 8, file % 8) - awq);
            } else if (layout == GPTQ) {
                qweight[(size_t)(at / each) * n + file] |= code << bits * (at % each);
            } else {
                qweight[(size_t)file * (k / each) + at / each] |= code << bits * (at % each);
            }
        }
    }
    Array<int> dq(qweight), dz(qzeros), dOrder(order), dRows(rowOrder);
    Array<given_scale> ds(scales);
    Array<unsigned> w((size_t)n * k / each), got((size_t)n * fine);
    const int* by = ordered ? dOrder.data() : nullptr;
    const int* rowsBy = rowsOrdered ? dRows.data() : nullptr;
    if (layout == GPTQ) {
        RUN(GRID(3), 256, 0, repack_gptq, dq, dz, ds, by, rowsBy, groupSize, n, k, w, got, 1);
    } else if (layout == PACKED) {
        RUN(GRID(3), 256, 0, repack_packed, dq, zeros ? dz.data() : (int*)nullptr, ds, by, rowsBy, groupSize, n, k, w, got);
    }
#if WEIGHTS == WEIGHTS_INT4
    if (layout == AWQ) {
        RUN(GRID(3), 256, 0, repack_awq, dq, dz, ds, groupSize, n, k, w, got);
    }
#endif
    for (size_t i = 0; i < w.count; i++) {
        unsigned word;
        memcpy(&word, &weights.bytes[4 * i], 4);
        EXPECT(w[i] == word, "word %zu is %08x, not %08x", i, w[i], word);
    }
    for (size_t i = 0; i < got.count; i++) EXPECT(got[i] == weights.scales[i], "group %zu is %08x, not %08x", i, got[i], weights.scales[i]);
}

#endif

#if WEIGHTS != WEIGHTS_ACT

static void wide(int rows, int n, int k, int mode, bool biased, int splits, int bucket) {
    expect_product("wide", rows, n, k, mode, biased, splits, [&](int* header, act* x, int xStride, unsigned char* w, scale_of_weights* scales, act* bias, char* y, int yStride) {
        int outputs = COLUMNS / (gated(mode) ? 2 : 1), rowBlocks = (bucket + WIDE_ROWS - 1) / WIDE_ROWS, blocks = (n + outputs - 1) / outputs * rowBlocks;
        Array<float> partials((size_t)blocks * splits * 64 * WIDE_THREADS);
        Array<int> counters(std::vector<int>(blocks, 0));
        bool told = rows % 2 == 0;
        RUN(GRID(blocks, splits), WIDE_THREADS, WIDE_SHARED, wide_matmul, told ? header : nullptr, told ? 1 : rows, rowBlocks, x, xStride, w, scales, n, k, mode, bias, y, yStride,
            splits, partials, counters);
        for (int i = 0; i < blocks; i++) EXPECT(counters[i] == 0, "counter %d", i);
    });
}

#endif

static void many(int tokens, int experts, int perToken, int n, int k, int mode, bool biased, bool gathered, int kind) {
    expect_experts("many", MANY_ROWS, tokens, experts, perToken, n, k, mode, biased, gathered, kind,
                   [&](int maxTiles, int* plan, int* tiles, int* by, int* places, act* x, int xStride, unsigned char* w, scale_of_weights* scales, float* bias, act* y, int yStride) {
                       int outputs = COLUMNS / (gated(mode) ? 2 : 1), columns = (n + outputs - 1) / outputs;
                       RUN(GRID(maxTiles * columns), MANY_THREADS, MANY_SHARED, expert_many, plan, tiles, by, perToken, places, x, xStride, w, scales, bias, n, k, mode, y, yStride);
                   });
}

// The next k that a format has.
static int fits(int k) {
    int step = WEIGHTS == WEIGHTS_ACT ? 8 : INTEGER_GROUPS || WEIGHTS == WEIGHTS_MXFP4 ? SCALE_GROUP : 16;
    return (k + step - 1) / step * step;
}

// The next k that the product of few rows has.
static int turns(int k) {
    int step = WEIGHTS == WEIGHTS_MXFP4 ? SCALE_GROUP : TURN;
    return (k + step - 1) / step * step;
}

int main() {
    skinny(1, 40, 128, MODE_ACT, false, 1);
    skinny(8, 64, 512, MODE_FLOAT, true, 1);
    skinny(9, 40, 2048, MODE_RESIDUAL, false, 2);
    skinny(16, 48, 640, MODE_ACT, true, 2);
    skinny(3, 24, 384, MODE_SWIGLU, false, 1);
    skinny(13, 24, 2048, MODE_SWIGLU, false, 3);
    skinny(5, 24, 1152, MODE_GEGLU, false, 1);
    skinny(37, 40, 256, MODE_RESIDUAL, true, 2);
    if (WEIGHTS != WEIGHTS_FP8_BLOCK) skinny(6, 33, 256, MODE_ACT, true, 1);
    if (WEIGHTS != WEIGHTS_FP8_BLOCK) skinny(11, 17, 2048, MODE_GEGLU, false, 3);
    skinny(4, 40, turns(32), MODE_ACT, false, 1);
    skinny(10, 24, turns(1184), MODE_CLAMPED, false, 1);
    skinny(12, 40, turns(2144), MODE_FLOAT, true, 2);
    few(1, 8, 2, 40, 128, MODE_SWIGLU, false, true, 0);
    few(20, 6, 3, 72, 256, MODE_ACT, true, false, 3);
    few(33, 16, 4, 24, 384, MODE_GEGLU, false, true, 0);
    few(9, 5, 2, 40, turns(416), MODE_CLAMPED, true, true, 0);
    few(21, 3, 2, 24, turns(96), MODE_ACT, true, false, 0);
    few(3, 6, 1, 72, turns(1056), MODE_CLAMPED, false, true, 0);
#if WEIGHTS != WEIGHTS_ACT
    written(40, 256);
    if (!INTEGER_GROUPS && WEIGHTS != WEIGHTS_MXFP4) written(24, 136);
#endif
#if WEIGHTS == WEIGHTS_MXFP4
    for (int k : {32, 128, 224, 416}) repacked(24, k);
    widened();
    written(24, 96);
#endif
#if INTEGER_GROUPS
    const int own = SCALE_GROUP;
    if (WEIGHTS == WEIGHTS_INT4) repacked(AWQ, 72, 2 * own, own, false, false, true);
    if (WEIGHTS == WEIGHTS_INT4) repacked(AWQ, 16, 6 * own, 3 * own, false, false, true);
    repacked(GPTQ, 40, 3 * own, own, false, false, true);
    repacked(GPTQ, 24, 4 * own, 4 * own, false, false, true);
    repacked(GPTQ, 40, 3 * own, own, true, true, true);
    repacked(PACKED, 24, 2 * own, own, false, false, true);
    repacked(PACKED, 16, 3 * own, 3 * own, false, false, false);
    repacked(PACKED, 32, 4 * own, own, true, true, false);
#endif
#if WEIGHTS != WEIGHTS_ACT
    bool odd = WEIGHTS != WEIGHTS_FP8_BLOCK;
    wide(1, 40, fits(16), MODE_ACT, false, 1, 1);
    wide(17, odd ? 33 : 32, fits(128), MODE_FLOAT, true, 1, 32);
    wide(64, 136, fits(400), MODE_ACT, true, 2, 64);
    wide(70, 72, fits(720), MODE_RESIDUAL, true, 3, 200);
    wide(49, 24, fits(208), MODE_SWIGLU, false, 1, 64);
    wide(33, odd ? 69 : 72, fits(1280), MODE_GEGLU, false, 4, 64);
    wide(40, 24, fits(2048), MODE_RESIDUAL, false, 1, 64);
    wide(23, 24, fits(288), MODE_CLAMPED, false, 1, 64);
#endif
    many(1, 4, 1, 8, fits(8), MODE_ACT, false, true, 0);
    many(60, 5, 2, 96, fits(64), MODE_SWIGLU, true, true, 0);
    many(70, 7, 3, 136, fits(40), MODE_ACT, true, false, 1);
    many(150, 3, 2, 72, fits(200), MODE_GEGLU, false, true, 3);
    many(30, 2, 1, 40, fits(640), MODE_ACT, false, true, 0);
    many(90, 4, 2, 88, fits(352), MODE_CLAMPED, true, true, 0);
    many(40, 3, 1, 72, fits(160), MODE_CLAMPED, false, true, 0);
    return report("products");
}
