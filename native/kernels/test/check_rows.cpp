// rows.cu and blocks.cu against float64.
#include <algorithm>
#include "check.h"
#include "../rows.cu"
#include "../blocks.cu"

static void conversions() {
    context = "conversions";
    for (int i = 0; i < 256; i++) {
        if ((i & 127) == 127) continue;
        EXPECT(float_bits_to_e4m3([&] { float f = (float)from_e4m3(i); unsigned u; memcpy(&u, &f, 4); return u; }()) == i, "e4m3 %d", i);
    }
    for (int i = 0; i < 20000; i++) {
        float f = (float)(normal() * std::exp(normal() * 4 - 3));
        unsigned u;
        memcpy(&u, &f, 4);
        double got = from_e4m3(float_bits_to_e4m3(u));
        double best = 1e9;
        for (int c = 0; c < 256; c++) {
            if ((c & 127) != 127) best = std::min(best, std::fabs(from_e4m3(c) - f));
        }
        EXPECT(std::fabs(got - f) <= best * (1 + 1e-9), "e4m3 of %g is %g", f, got);
    }
    Array<float> f(1000);
    Array<half_bits> b(1000), h(1000), b2(1000);
    Array<float> f2(1000), f3(1000);
    for (int i = 0; i < 1000; i++) f[i] = (float)normal();
    RUN(GRID(2), 256, 0, convert_f32_bf16, f, b, 1000);
    RUN(GRID(2), 256, 0, convert_f32_fp16, f, h, 1000);
    RUN(GRID(3), 256, 0, convert_bf16_f32, b, f2, 1000);
    RUN(GRID(9), 256, 0, convert_fp16_f32, h, f3, 1000);
    for (int i = 0; i < 1000; i++) {
        expect_near(f2[i], f[i], std::fabs(f[i]) / 256, "bf16", i);
        expect_near(f3[i], f[i], std::fabs(f[i]) / 2048 + 1e-7, "fp16", i);
    }
    RUN(GRID(1), 256, 0, convert_bf16_fp16, b, h, 1000);
    RUN(GRID(1), 256, 0, convert_fp16_bf16, h, b2, 1000);
    for (int i = 0; i < 1000; i++) EXPECT(std::fabs(f[i]) < 1e-4 || b[i] == b2[i], "bf16 -> fp16 -> bf16 %d", i);
}

static std::vector<float> random_floats(size_t n) {
    std::vector<float> v(n);
    for (auto& x : v) x = (float)normal();
    return v;
}

// perToken > 0: the delta is what so many experts gave; beside > 0: and what all rows went through, by logits where 2.
static void norms(int rows, int hidden, bool withDelta, bool deltaNorm, bool indexed, int perToken = 0, bool ordered = false, int beside = 0, bool plain = false) {
    context = "norm " + std::to_string(rows) + "x" + std::to_string(hidden) + " experts " + std::to_string(perToken);
    int bucket = rows + 3;
    int source = indexed ? rows + 5 : bucket;
    std::vector<residual> x0((size_t)source * hidden);
    for (auto& x : x0) x = to_residual(normal() * 3);
    int slots = source * std::max(1, perToken);
    auto d0 = random_acts((size_t)slots * hidden);
    std::vector<double> sum0((size_t)source * hidden);
    std::vector<int> slotOf(slots);
    for (int i = 0; i < slots; i++) slotOf[i] = i;
    if (perToken) std::shuffle(slotOf.begin(), slotOf.end(), random_bits);
    auto shares = random_floats(slots);
    for (int i = 0; i < slots; i++) {
        for (int j = 0; j < hidden; j++) {
            sum0[(size_t)(i / std::max(1, perToken)) * hidden + j] += from_act(d0[(size_t)slotOf[i] * hidden + j]) * (perToken ? shares[i] : 1);
        }
    }
    auto b0 = random_acts((size_t)source * hidden);
    const int stride = 13;
    auto logits = random_floats((size_t)source * stride);
    for (size_t i = 0; beside && i < sum0.size(); i++) {
        sum0[i] += from_act(b0[i]) * (beside == 2 ? 1 / (1 + std::exp(-(double)logits[i / hidden * stride])) : 1);
    }
    Array<act> dBeside(b0);
    Array<float> dLogits(logits);
    const act* bp = beside ? dBeside.data() : nullptr;
    const float* lp = beside == 2 ? dLogits.data() : nullptr;
    Array<int> dSlotOf(slotOf);
    Array<float> dShares(shares);
    const int* so = perToken ? dSlotOf.data() : nullptr;
    auto w0 = random_floats(hidden), dw0 = random_floats(hidden);
    Array<residual> x(x0), x2(x0);
    Array<float> weight(w0), deltaWeight(dw0);
    Array<act> delta(d0), out((size_t)bucket * hidden);
    Array<unsigned char> out8((size_t)bucket * hidden);
    Array<float> scale(bucket);
    std::vector<int> index;
    for (int r = 0; r < rows; r++) index.push_back(between(0, source - 1));
    Array<int> rowIndex(index);
    Array<int> header(std::vector<int>{0, 0, rows, 0, 0, 0, 0, 0});
    const int* ip = indexed ? rowIndex.data() : nullptr;
    const act* dp = withDelta ? delta.data() : nullptr;
    const float* dwp = deltaNorm ? deltaWeight.data() : nullptr;
    std::vector<int> places(hidden);
    for (int i = 0; i < hidden; i++) places[i] = i;
    if (ordered) std::shuffle(places.begin(), places.end(), random_bits);
    Array<int> order(places);
    const float* wp = plain ? nullptr : weight.data();
    RUN(GRID(bucket), 256, hidden * 4, rms_norm, header, 2, dp, dwp, so, dShares, perToken, bp, lp, stride, x, ip, wp, 1e-5f, hidden, ordered ? order.data() : nullptr, out);
    RUN(GRID(bucket), 256, hidden * 4, rms_norm_fp8, nullptr, rows, dp, dwp, so, dShares, perToken, bp, lp, stride, x2, ip, wp, 1e-5f, hidden, out8, scale);
    for (int r = 0; r < rows; r++) {
        int from = indexed ? index[r] : r;
        std::vector<double> v(hidden);
        double sum = 0, greatest = 0, deltaSum = 0;
        for (int i = 0; i < hidden; i++) deltaSum += std::pow(sum0[(size_t)from * hidden + i], 2);
        double deltaInverse = 1 / std::sqrt(deltaSum / hidden + 1e-5);
        for (int i = 0; i < hidden; i++) {
            double d = withDelta ? sum0[(size_t)from * hidden + i] * (deltaNorm ? deltaInverse * dw0[i] : 1) : 0;
            v[i] = from_residual(x0[(size_t)from * hidden + i]) + d;
            sum += v[i] * v[i];
            double kept = from_residual(x[(size_t)from * hidden + i]);
            double want = withDelta && !indexed ? v[i] : from_residual(x0[(size_t)from * hidden + i]);
            double summands = (std::fabs(d) + std::fabs(want)) * (perToken ? 8 : 1) + (perToken ? 1 : 0);
            expect_near(kept, want, JETON_RESIDUAL ? summands * 1e-6 : std::fabs(want) * ACT_EPSILON + summands * 1e-6, "x", i);
        }
        double inverse = 1 / std::sqrt(sum / hidden + 1e-5);
        for (int i = 0; i < hidden; i++) {
            v[i] *= plain ? 1 : inverse * w0[i];
            greatest = std::max(greatest, std::fabs(v[i]));
        }
        expect_near(scale[r], greatest / 448, greatest / 448 * 1e-5, "scale", r);
        for (int i = 0; i < hidden; i++) {
            double at = v[places[i]];
            expect_near(from_act(out[(size_t)r * hidden + i]), at, std::fabs(at) * ACT_EPSILON + 1e-6, "norm", i);
            expect_near(from_e4m3(out8[(size_t)r * hidden + i]) * scale[r], v[i], std::fabs(v[i]) / 15 + scale[r] / 900, "norm8", i);
        }
    }
    for (size_t i = (size_t)rows * hidden; i < (size_t)bucket * hidden; i++) {
        EXPECT(out[i] == 0xffff && out8[i] == 0xff, "wrote past the count");
    }
}

// together: norms of all heads; unturned: nothing is turned; growth: by position, of queries.
static void rotary(int rows, int kvHeads, bool bias, bool headNorms, bool together = false, bool unturned = false, float growth = 0) {
    context = "rotary " + std::to_string(rows) + " heads " + std::to_string(kvHeads);
    int blockCount;
    Batch b = random_batch(rows, 9, 3 * BLOCK_SIZE, 0, blockCount);
    for (int r = 0; r < rows; r++) {
        if (b.inputStart[r + 1] - b.inputStart[r] == 1) b.flags[r] = between(0, 1);
    }
    int tokens = b.tokenCount(), bucket = tokens + 4, half = ROTARY_DIM / 2;
    int width = (GROUP + 2) * kvHeads * HEAD_DIM, stride = width + 8, layers = 2;
    std::vector<double> freq(half);
    for (int i = 0; i < half; i++) freq[i] = std::pow(10000.0, -2.0 * i / ROTARY_DIM);
    double factor = 1.1, windowFactor = 0.9;
    std::vector<double> windowFreq(half);
    for (int i = 0; i < half; i++) windowFreq[i] = std::pow(500.0, -2.0 * i / ROTARY_DIM);
    bool twice = headNorms;
    std::vector<int> last(rows);
    for (auto& t : last) t = between(0, 1000);
    Array<int> header(b.header), slot(b.slot), flags(b.flags), position(b.position), start(b.inputStart), toks(b.tokens), lastToken(last);
    Array<int> blocks(b.blocks), table(b.tableStart);
    Array<double> frequencies(freq), windowFrequencies(windowFreq);
    Array<int> tokenId(bucket), tokenRow(bucket), tokenPosition(bucket);
    Array<float> angles((size_t)bucket * HEAD_DIM), windowAngles((size_t)bucket * HEAD_DIM);
    RUN(GRID(bucket), 128, 0, prepare_step, header, slot, flags, position, start, toks, lastToken, frequencies, factor, twice ? windowFrequencies.data() : nullptr, windowFactor,
        tokenId, tokenRow, tokenPosition, angles, twice ? windowAngles.data() : nullptr);
    int hidden = 64;
    auto e0 = random_acts(1001 * hidden);
    Array<act> embedding(e0);
    Array<residual> x((size_t)bucket * hidden);
    RUN(GRID(bucket), 128, 0, embed, header, tokenId, embedding, hidden, 7.5f, x);
    auto q0 = random_acts((size_t)tokens * stride), b0 = random_acts(width);
    int queries = GROUP * kvHeads * HEAD_DIM, keys = kvHeads * HEAD_DIM;
    auto n0 = random_floats(together ? queries : HEAD_DIM), n1 = random_floats(together ? keys : HEAD_DIM);
    q0.resize((size_t)bucket * stride, 0x1234);
    Array<act> qkv(q0), biases(b0);
    Array<float> queryNorm(n0), keyNorm(n1);
    long long layerBytes = 2LL * kvHeads * BLOCK_SIZE * (HEAD_PAD * KV_BYTES + (JETON_KV == 3 ? 4 : 0));
    long long blockBytes = layers * layerBytes;
    Array<char> pool((size_t)blockCount * blockBytes);
    float kScale = 0.5f, vScale = 0.25f;
    int layer = 1;
    const int growthContext = 7;
    Array<float> means(2 * bucket);
    if (together) {
        RUN(GRID(bucket, 2), 256, 0, head_means, header, qkv, stride, kvHeads, bias ? biases.data() : nullptr, 0.5f / queries, 1.0f / keys, means);
        for (int t = 0; t < bucket; t++) {
            double sums[2] = {0, 0};
            for (int i = 0; i < queries + keys; i++) {
                sums[i >= queries] += std::pow(from_act(q0[(size_t)t * stride + i]) + (bias ? from_act(b0[i]) : 0), 2);
            }
            for (int part = 0; part < 2; part++) {
                double want = sums[part] / (part == 0 ? 2 * queries : keys);
                if (t < tokens) {
                    expect_near(means[2 * t + part], want, want * 1e-5, "mean", t);
                } else {
                    EXPECT(std::isnan(means[2 * t + part]), "mean written past the count");
                }
            }
            means[2 * t] *= 2;
        }
    }
    RUN(GRID(bucket, ((GROUP + 2) * kvHeads + 3) / 4), 128, 0, rotary_append, header, qkv, stride, kvHeads, bias ? biases.data() : nullptr,
        headNorms ? queryNorm.data() : nullptr, headNorms ? keyNorm.data() : nullptr, together ? means.data() : nullptr, 1e-6f,
        unturned ? nullptr : (twice ? windowAngles : angles).data(), growth, growthContext, tokenRow, tokenPosition, blocks, table,
        pool + layer * layerBytes, blockBytes, kScale, vScale);
    std::vector<char> touched((size_t)blockCount * blockBytes, 0);
    for (int r = 0; r < rows; r++) {
        for (int t = b.inputStart[r]; t < b.inputStart[r + 1]; t++) {
            int at = b.position[r] + t - b.inputStart[r];
            int id = b.flags[r] & 1 ? last[b.slot[r]] : b.tokens[t];
            EXPECT(tokenId[t] == id && tokenRow[t] == r && tokenPosition[t] == at, "token %d", t);
            for (int i = 0; i < hidden; i++) {
                double want = 7.5 * from_act(e0[(size_t)id * hidden + i]);
                expect_near(from_residual(x[(size_t)t * hidden + i]), want, std::fabs(want) * (JETON_RESIDUAL ? 1e-7 : ACT_EPSILON), "embedding", i);
            }
            for (int h = 0; h < (GROUP + 2) * kvHeads; h++) {
                bool q = h < GROUP * kvHeads, v = h >= (GROUP + 1) * kvHeads;
                std::vector<double> e(HEAD_DIM);
                double sum = 0;
                for (int i = 0; i < HEAD_DIM; i++) {
                    e[i] = from_act(q0[(size_t)t * stride + h * HEAD_DIM + i]) + (bias ? from_act(b0[h * HEAD_DIM + i]) : 0);
                    sum += e[i] * e[i];
                }
                if (headNorms && !v && !together) {
                    for (int i = 0; i < HEAD_DIM; i++) e[i] *= (q ? n0[i] : n1[i]) / std::sqrt(sum / HEAD_DIM + 1e-6);
                }
                if (headNorms && !v && together) {
                    double mean = means[2 * t + !q];
                    int first = (q ? h : h - GROUP * kvHeads) * HEAD_DIM;
                    for (int i = 0; i < HEAD_DIM; i++) e[i] *= (q ? n0 : n1)[first + i] / std::sqrt(mean + 1e-6);
                }
                for (int i = 0; q && i < HEAD_DIM; i++) e[i] *= 1 + growth * std::log(1 + std::floor(at / growthContext));
                if (!v && !unturned) {
                    for (int i = 0; i < half; i++) {
                        expect_near(angles[(size_t)t * HEAD_DIM + i], std::cos(at * freq[i]) * factor, 1e-6, "cosine", i);
                        double turned = at * (twice ? windowFreq : freq)[i], by = twice ? windowFactor : factor;
                        double c = std::cos(turned) * by, s = std::sin(turned) * by;
                        double lo = e[i], hi = e[i + half];
                        e[i] = lo * c - hi * s;
                        e[i + half] = hi * c + lo * s;
                    }
                }
                double greatest = 0, norm = 0;
                for (double d : e) greatest = std::max(greatest, std::fabs(d)), norm += d * d;
                norm = std::sqrt(norm);
                if (q) {
                    for (int i = 0; i < HEAD_DIM; i++) {
                        expect_near(from_act(qkv[(size_t)t * stride + h * HEAD_DIM + i]), e[i], std::fabs(e[i]) * ACT_EPSILON + 1e-5 * norm, "q", i);
                    }
                    continue;
                }
                int head = h - GROUP * kvHeads - (v ? kvHeads : 0);
                size_t base = (size_t)b.blockOf(r, at) * blockBytes + layer * layerBytes;
                size_t place = base + ((size_t)(v * kvHeads + head) * BLOCK_SIZE + at % BLOCK_SIZE) * HEAD_PAD * KV_BYTES;
                memset(&touched[place], 1, HEAD_PAD * KV_BYTES);
                const unsigned char* p = (const unsigned char*)pool.data() + place;
                size_t sp = base + 2LL * kvHeads * BLOCK_SIZE * HEAD_PAD + ((size_t)(v * kvHeads + head) * BLOCK_SIZE + at % BLOCK_SIZE) * 4;
                float int8Scale = 0;
                if (JETON_KV == 3) {
                    memcpy(&int8Scale, pool.data() + sp, 4);
                    memset(&touched[sp], 1, 4);
                    expect_near(int8Scale, greatest / 127, greatest / 127 * 1e-5, "int8 scale", h);
                }
                for (int i = 0; i < HEAD_PAD; i++) {
                    double want = i < HEAD_DIM ? e[i] : 0, got, tolerance;
                    if (JETON_KV == 3) {
                        got = (signed char)p[i] * (double)int8Scale, tolerance = greatest / 253;
                    } else if (JETON_KV == 2) {
                        float by = v ? vScale : kScale;
                        got = from_e4m3(p[i]) * by, tolerance = std::fabs(want) / 15.9 + by / 1000;
                    } else {
                        unsigned short u;
                        memcpy(&u, p + 2 * i, 2);
                        got = JETON_KV == 0 ? from_bf16(u) : from_fp16(u), tolerance = std::fabs(want) / (JETON_KV == 0 ? 256 : 2048) + 1e-5 * norm;
                    }
                    expect_near(got, want, tolerance, v ? "v" : "k", i);
                }
            }
        }
    }
    for (size_t i = 0; i < touched.size(); i++) EXPECT(touched[i] || pool[i] == (char)0xff, "pages written at %zu", i);
    for (size_t i = (size_t)tokens * stride; i < (size_t)bucket * stride; i++) EXPECT(qkv[i] == 0x1234, "qkv written past the count");
}

static void feedForward(int rows, int width) {
    context = "swiglu " + std::to_string(width);
    int bucket = rows + 2;
    auto g0 = random_acts((size_t)bucket * 2 * width, 3), b0 = random_acts(width);
    Array<act> gateUp(g0), out((size_t)bucket * width), bias(b0), x(g0);
    Array<unsigned char> out8((size_t)bucket * width), q8((size_t)bucket * width);
    Array<signed char> i8((size_t)bucket * width);
    Array<float> scale(bucket), qScale(bucket), iScale(bucket);
    Array<int> header(std::vector<int>{rows, rows, rows, 0, 0, 0, 0, 0});
    RUN(GRID(bucket, (width + 2047) / 2048), 256, 0, swiglu, header, 1, gateUp, width, out);
    Array<act> gelu((size_t)bucket * width), clamped((size_t)bucket * width);
    RUN(GRID(bucket, (width + 2047) / 2048), 256, 0, geglu, header, 1, gateUp, width, gelu);
    RUN(GRID(bucket, (width + 2047) / 2048), 256, 0, clamped_swiglu, header, 1, gateUp, width, clamped);
    RUN(GRID(bucket), 256, width * 2, swiglu_fp8, header, 1, gateUp, width, out8, scale);
    RUN(GRID(bucket), 256, 0, add_bias, header, 1, x, bias, width);
    std::vector<int> places(width);
    for (int i = 0; i < width; i++) places[i] = i;
    std::shuffle(places.begin(), places.end(), random_bits);
    Array<int> order(places);
    Array<act> ordered(bucket * width);
    RUN(GRID(bucket, (width + 2047) / 2048), 256, 0, gather_columns, header, 1, gateUp, order, width, ordered);
    RUN(GRID(bucket), 256, 0, quantize_fp8_rows, header, 1, gateUp, width, q8, qScale);
    RUN(GRID(bucket), 256, 0, quantize_int8_rows, header, 1, gateUp, width, i8, iScale);
    for (int r = 0; r < rows; r++) {
        for (int i = 0; i < width; i++) {
            double g = from_act(g0[(size_t)r * 2 * width + i]), u = from_act(g0[(size_t)r * 2 * width + width + i]);
            double want = g / (1 + std::exp(-g)) * u;
            expect_near(from_act(out[(size_t)r * width + i]), want, std::fabs(want) * ACT_EPSILON + 1e-7, "swiglu", i);
            double tanhForm = g / 2 * (1 + std::tanh(std::sqrt(2 / M_PI) * (g + 0.044715 * g * g * g))) * u;
            expect_near(from_act(gelu[(size_t)r * width + i]), tanhForm, std::fabs(tanhForm) * ACT_EPSILON + 1e-6, "geglu", i);
            double least = std::min(g, 7.0), bounded = least / (1 + std::exp(-1.702 * least)) * (std::clamp(u, -7.0, 7.0) + 1);
            expect_near(from_act(clamped[(size_t)r * width + i]), bounded, std::fabs(bounded) * ACT_EPSILON + 1e-6, "clamped", i);
            expect_near(from_e4m3(out8[(size_t)r * width + i]) * scale[r], want, std::fabs(want) / 14 + scale[r] / 900, "swiglu8", i);
            double plain = from_act(g0[(size_t)r * width + i]);
            expect_near(from_e4m3(q8[(size_t)r * width + i]) * qScale[r], plain, std::fabs(plain) / 15.9 + qScale[r] / 1000, "quantised", i);
            expect_near(i8[(size_t)r * width + i] * (double)iScale[r], plain, iScale[r] * 0.5001, "integers", i);
            EXPECT(ordered[(size_t)r * width + i] == g0[(size_t)r * width + places[i]], "ordered %d", i);
            double sum = plain + from_act(b0[i]);
            expect_near(from_act(x[(size_t)r * width + i]), sum, std::fabs(sum) * ACT_EPSILON + 1e-7, "bias", i);
        }
    }
    for (int i = rows * width; i < bucket * width; i++) EXPECT(out[i] == 0xffff && ordered[i] == 0xffff && gelu[i] == 0xffff && clamped[i] == 0xffff && out8[i] == 0xff && q8[i] == 0xff && i8[i] == -1, "wrote past the count");
    for (int r = 0; r < rows; r++) {
        int greatest = 0;
        for (int i = 0; i < width; i++) greatest = std::max(greatest, std::abs((int)i8[(size_t)r * width + i]));
        EXPECT(greatest == 127, "the greatest integer of row %d is %d", r, greatest);
    }
}

static void copies() {
    context = "copies";
    int bytes = 16 * 1234;
    Array<char> from((size_t)7 * bytes), to((size_t)9 * bytes);
    for (int i = 0; i < 7 * bytes; i++) from[i] = (char)random_bits();
    Array<int> source(std::vector<int>{6, 0, 3}), target(std::vector<int>{1, 8, 4});
    RUN(GRID(5, 2), 256, 0, copy_blocks, from, to, source, target, 3, bytes);
    for (int b = 0; b < 9; b++) {
        for (int i = 0; i < bytes; i++) {
            char want = b == 1 ? from[6 * bytes + i] : b == 8 ? from[i] : b == 4 ? from[3 * bytes + i] : (char)0xff;
            EXPECT(to[(size_t)b * bytes + i] == want, "block %d at %d", b, i);
        }
    }
}

int main() {
    conversions();
    norms(5, 4096, true, false, false);
    norms(5, 2200, true, false, false, 0, true);
    norms(3, 8, false, false, false);
    norms(2, 2568, true, false, true);
    norms(4, 104, false, false, true);
    norms(3, 3584, true, true, false);
    norms(6, 72, true, true, true);
    norms(4, 2048, true, false, false, 8);
    norms(5, 104, true, true, true, 2);
    norms(4, 2056, true, false, false, 8, false, 1);
    norms(3, 72, true, true, false, 3, true, 2);
    norms(6, 104, true, false, true, 2, false, 2);
    norms(5, 2200, true, true, false, 0, false, 0, true);
    norms(3, 72, true, true, false, 0, true, 0, true);
    rotary(1, 1, false, false);
    rotary(7, 3, true, true);
    rotary(12, 2, true, false);
    rotary(7, 3, true, true, true);
    rotary(9, 2, false, true, true, true, 0.3f);
    rotary(8, 2, true, false, false, true);
    rotary(8, 1, false, false, false, false, 0.1f);
    feedForward(3, 2816);
    feedForward(1, 8);
    feedForward(2, 264);
    copies();
    return report("rows");
}
