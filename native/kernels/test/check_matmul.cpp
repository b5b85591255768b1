// matmul.cu against float64: every mode, split or not, odd widths, both packed formats.
#include <algorithm>
#include "check.h"
#include "../matmul.cu"

static int blocks_of(int kind, int n, int mode) {
    int rows = 16 * tiles_of(kind) / (gated(mode) ? 2 : 1);
    return (n + rows - 1) / rows;
}

static void run(int kind, int rows, int n, int k, int mode, bool biased, int splits, bool gptq) {
    context = "kind " + std::to_string(kind) + " rows " + std::to_string(rows) + " n " + std::to_string(n) + " k " + std::to_string(k) + " mode " + std::to_string(mode) +
              " splits " + std::to_string(splits);
    int wRows = gated(mode) ? 2 * n : n, xStride = k + 8, yStride = n + 3;
    auto x0 = random_acts((size_t)rows * xStride), b0 = random_acts(n, 3);
    Array<act> x(x0), bias(b0);
    std::vector<double> w((size_t)wRows * k);
    std::vector<act> wAct;
    std::vector<signed char> w8;
    std::vector<float> scales8(wRows);
    if (kind == KIND_ACT) {
        wAct = random_acts((size_t)wRows * k);
        for (size_t i = 0; i < w.size(); i++) w[i] = from_act(wAct[i]);
    } else if (kind == KIND_INT8) {
        for (auto& s : scales8) s = (float)std::exp(normal() - 6);
        w8.resize(w.size());
        for (size_t i = 0; i < w.size(); i++) w8[i] = (signed char)between(-128, 127), w[i] = w8[i] * (double)scales8[i / k];
    }
    std::vector<unsigned char> wFp8;
    if (kind == KIND_FP8) {
        for (auto& s : scales8) s = (float)std::exp(normal() - 6);
        wFp8.resize(w.size());
        for (size_t i = 0; i < w.size(); i++) {
            unsigned bits = between(0, 255);
            if ((bits & 127) == 127) bits--;  // no NaN
            int exponent = bits >> 3 & 15, mantissa = bits & 7;
            double v = exponent ? std::ldexp(8 + mantissa, exponent - 10) : std::ldexp(mantissa, -9);
            wFp8[i] = (unsigned char)bits, w[i] = (bits & 128 ? -v : v) * (double)scales8[i / k];
        }
    }
    Array<act> dAct(wAct);
    Array<unsigned char> dFp8(wFp8);
    Array<signed char> d8(w8);
    Array<float> dScales(scales8);
    Array<unsigned> packed(kind == KIND_INT4 ? (size_t)wRows * k / 8 : 1), groups(kind == KIND_INT4 ? (size_t)wRows * k / 128 : 1);
    if (kind == KIND_INT4) {
        static const int order[8] = {0, 2, 4, 6, 1, 3, 5, 7};
        std::vector<int> qweight((size_t)wRows * k / 8, 0), qzeros((size_t)wRows / 8 * (k / 128), 0), v((size_t)wRows * k), z((size_t)wRows * (k / 128));
        std::vector<half_bits> scales((size_t)wRows * (k / 128));
        for (auto& s : scales) s = to_fp16(std::exp(normal() * 0.5 - 4));
        for (auto& q : v) q = between(0, 15);
        for (auto& q : z) q = between(0, 15);
        for (int r = 0; r < wRows; r++) {
            for (int i = 0; i < k; i++) {
                int g = i / 128, zero = z[(size_t)g * wRows + r] + (gptq ? 1 : 0);
                w[(size_t)r * k + i] = (v[(size_t)r * k + i] - zero) * from_fp16(scales[(size_t)g * wRows + r]);
                unsigned q = v[(size_t)r * k + i];
                if (gptq) {
                    qweight[(size_t)(i / 8) * wRows + r] |= q << 4 * (i % 8);
                } else {
                    int place = (int)(std::find(order, order + 8, r % 8) - order);
                    qweight[(size_t)i * (wRows / 8) + r / 8] |= q << 4 * place;
                }
            }
            for (int g = 0; g < k / 128; g++) {
                int place = gptq ? r % 8 : (int)(std::find(order, order + 8, r % 8) - order);
                qzeros[(size_t)g * (wRows / 8) + r / 8] |= (unsigned)z[(size_t)g * wRows + r] << 4 * place;
            }
        }
        Array<int> dq(qweight), dz(qzeros);
        Array<half_bits> ds(scales);
        if (gptq) {
            RUN(GRID(3), 256, 0, repack_gptq, dq, dz, ds, wRows, k, packed, groups, 1);
        } else {
            RUN(GRID(3), 256, 0, repack_awq, dq, dz, ds, wRows, k, packed, groups);
        }
        Array<act> plain((size_t)wRows * k);
        RUN(GRID(2), 256, 0, dequantize_int4, packed, groups, wRows, k, plain);
        for (size_t i = 0; i < w.size(); i++) expect_near(from_act(plain[i]), w[i], std::fabs(w[i]) * ACT_EPSILON, "dequantised", i);
    } else if (kind == KIND_INT8) {
        Array<act> plain((size_t)wRows * k);
        RUN(GRID(2), 256, 0, dequantize_int8, d8, dScales, wRows, k, plain);
        for (size_t i = 0; i < w.size(); i++) expect_near(from_act(plain[i]), w[i], std::fabs(w[i]) * ACT_EPSILON, "dequantised", i);
    }
    if (kind == KIND_FP8) {
        Array<act> plain((size_t)wRows * k);
        RUN(GRID(2), 256, 0, dequantize_fp8, dFp8, dScales, wRows, k, plain);
        for (size_t i = 0; i < w.size(); i++) expect_near(from_act(plain[i]), w[i], std::fabs(w[i]) * ACT_EPSILON + (JETON_TYPE ? 6e-8 : 0), "dequantised", i);
    }
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
    int blocks = blocks_of(kind, n, mode);
    Array<float> partials((size_t)blocks * splits * tiles_of(kind) * THREADS);
    Array<int> counters(std::vector<int>(blocks, 0)), header(std::vector<int>{rows, rows, rows, 0, 0, 0, 0, 0});
    const act* b = biased ? bias.data() : nullptr;
    for (int first = 0; first < rows; first += 16) {
        if (kind == KIND_ACT) {
            RUN(GRID(blocks, splits), THREADS, ring_bytes(kind), skinny_matmul, header, 1, first, x, xStride, dAct, n, k, mode, b, y, yStride, splits, partials, counters);
        } else if (kind == KIND_INT8) {
            RUN(GRID(blocks, splits), THREADS, ring_bytes(kind), skinny_matmul_int8, nullptr, rows, first, x, xStride, d8, dScales, n, k, mode, b, y, yStride, splits, partials, counters);
        } else if (kind == KIND_FP8) {
            RUN(GRID(blocks, splits), THREADS, ring_bytes(kind), skinny_matmul_fp8, header, 1, first, x, xStride, dFp8, dScales, n, k, mode, b, y, yStride, splits, partials, counters);
        } else {
            RUN(GRID(blocks, splits), THREADS, ring_bytes(kind), skinny_matmul_int4, header, 0, first, x, xStride, (const unsigned char*)packed.data(), groups, n, k, mode, b, y, yStride,
                splits, partials, counters);
        }
    }
    for (int i = 0; i < blocks; i++) EXPECT(counters[i] == 0, "counter %d", i);
    for (int r = 0; r < rows; r++) {
        auto dot = [&](int row, double& magnitude) {
            double sum = 0;
            magnitude = 0;
            for (int i = 0; i < k; i++) {
                double v = from_act(x0[(size_t)r * xStride + i]) * w[(size_t)row * k + i];
                sum += v, magnitude += std::fabs(v);
            }
            return sum;
        };
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
            double magnitude, other, want = dot(j, magnitude) + (biased ? from_act(b0[j]) : 0);
            if (gated(mode)) {
                double up = dot(j + n, other);
                double error = 1e-5 * (magnitude * std::fabs(up) + other * std::fabs(want));
                double gate = want;
                want = gate / (1 + std::exp(-gate)) * up;
                if (mode == MODE_GEGLU) want = gate / 2 * (1 + std::tanh(std::sqrt(2 / M_PI) * (gate + 0.044715 * gate * gate * gate))) * up;
                expect_near(got, want, error + std::fabs(want) * ACT_EPSILON + 1e-6, "y", at);
            } else {
                want += before[at];
                expect_near(got, want, magnitude * 3e-6 + std::fabs(want) * (wide ? 1e-6 : ACT_EPSILON) + 1e-6, "y", at);
            }
        }
    }
}

int main() {
    run(KIND_ACT, 1, 40, 128, MODE_ACT, false, 1, false);
    run(KIND_ACT, 8, 64, 512, MODE_FLOAT, true, 1, false);
    run(KIND_ACT, 9, 33, 4096, MODE_RESIDUAL, false, 3, false);
    run(KIND_ACT, 16, 48, 640, MODE_ACT, true, 2, false);
    run(KIND_ACT, 3, 24, 384, MODE_SWIGLU, false, 1, false);
    run(KIND_ACT, 13, 17, 2048, MODE_SWIGLU, false, 4, false);
    run(KIND_INT8, 5, 40, 1152, MODE_ACT, true, 1, false);
    run(KIND_INT8, 16, 70, 128, MODE_FLOAT, false, 1, false);
    run(KIND_INT8, 10, 16, 4096, MODE_SWIGLU, false, 2, false);
    run(KIND_FP8, 1, 40, 128, MODE_ACT, false, 1, false);
    run(KIND_FP8, 6, 33, 1152, MODE_RESIDUAL, true, 1, false);
    run(KIND_FP8, 16, 70, 256, MODE_FLOAT, true, 2, false);
    run(KIND_FP8, 11, 16, 4096, MODE_SWIGLU, false, 2, false);
    run(KIND_INT4, 1, 72, 128, MODE_ACT, false, 1, false);
    run(KIND_INT4, 7, 64, 2048, MODE_RESIDUAL, true, 1, true);
    run(KIND_INT4, 16, 40, 1280, MODE_FLOAT, false, 2, true);
    run(KIND_INT8, 37, 40, 256, MODE_RESIDUAL, true, 2, false);
    run(KIND_FP8, 20, 24, 384, MODE_SWIGLU, false, 1, false);
    run(KIND_INT4, 49, 72, 1152, MODE_ACT, true, 1, true);
    run(KIND_INT4, 12, 40, 5120, MODE_SWIGLU, false, 3, false);
    run(KIND_ACT, 5, 25, 384, MODE_GEGLU, false, 1, false);
    run(KIND_ACT, 11, 16, 2048, MODE_GEGLU, false, 3, false);
    run(KIND_INT8, 7, 40, 256, MODE_GEGLU, false, 1, false);
    return report("matmul");
}
