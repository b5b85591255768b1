/*
 * Kernels of the cpu engine that the Vector API has no instructions for: products of bf16 weights with VDPBF16PS.
 *
 * One order of summation. Every output is one lane, and its value is the chain y = dp(w[k], w[k + 1], x[k], x[k + 1], y) for
 * k = 0, 2, 4, ... whatever the number of rows: it changes which lanes are computed together, never the order in which one
 * lane adds. Inputs are rounded to bf16, ties to even, as the instruction wants them: once for all panels, since to do it for
 * each took a tenth of a product. So a row's bits are the same in any batch.
 *
 * A panel holds, for each pair of inputs, its 64 outputs side by side, the pair in one 32-bit word. Six rows do 24 products
 * on 4 loads and 6 broadcasts: 24 accumulators, 4 weights and a broadcast fill 29 of 32 registers.
 *
 * Compiled by the build where a C compiler is (AVX-512 with BF16), and called only where the processor has it.
 */
#include <immintrin.h>
#include <stdint.h>

#define PANEL 64
#define VECTORS 4
#define LANES 16
/* Inputs of a slice: 64 outputs of 256 inputs are 32 KB, which stay in the first cache while all rows pass over them. */
#define SLICE 256
#define MOST_ROWS 6
/* How far ahead lines are asked for, and from how many rows on. */
#define AHEAD 8192
#define AHEAD_ROWS 3

/* 1 where the processor and the system have what the kernels need. */
int32_t jeton_cpu_bf16(void)
{
    __builtin_cpu_init();
    return __builtin_cpu_supports("avx512f") && __builtin_cpu_supports("avx512bw") && __builtin_cpu_supports("avx512vl")
        && __builtin_cpu_supports("avx512bf16");
}

/*
 * Rounds rows of inputs to bf16.
 *
 * x     rows of inputs, stride apart
 * to    rows of whole vectors, to_stride apart: what is beyond the inputs is zero up to a vector's end
 */
void jeton_cpu_bf16_round(
    const float* x, int64_t stride, int64_t inputs, int64_t rows, uint16_t* to, int64_t to_stride)
{
    for (int64_t r = 0; r < rows; r++, x += stride, to += to_stride) {
        int64_t i = 0;
        for (; i + LANES <= inputs; i += LANES) {
            _mm256_storeu_si256((__m256i*) (to + i), (__m256i) _mm512_cvtneps_pbh(_mm512_loadu_ps(x + i)));
        }
        if (i < inputs) {
            const __mmask16 left = (__mmask16) ((1u << (inputs - i)) - 1);
            const __m512 last = _mm512_maskz_loadu_ps(left, x + i);
            _mm256_storeu_si256((__m256i*) (to + i), (__m256i) _mm512_cvtneps_pbh(last));
        }
    }
}

/* Products of some rows with a slice; lines are asked for ahead or not. */
static inline __attribute__((always_inline)) void rows(const int count, const int ahead, const char* w, int64_t pairs,
    const uint16_t* x, int64_t stride, float* tile)
{
    __m512 sum[MOST_ROWS][VECTORS];
#pragma GCC unroll 6
    for (int r = 0; r < count; r++) {
#pragma GCC unroll 4
        for (int v = 0; v < VECTORS; v++) {
            sum[r][v] = _mm512_loadu_ps(tile + r * PANEL + v * LANES);
        }
    }
    for (int64_t i = 0; i < pairs; i++) {
        __m512bh weights[VECTORS];
#pragma GCC unroll 4
        for (int v = 0; v < VECTORS; v++) {
            weights[v] = (__m512bh) _mm512_loadu_si512(w + 64 * v);
            if (ahead) {
                _mm_prefetch(w + AHEAD + 64 * v, _MM_HINT_T0);
            }
        }
        w += 64 * VECTORS;
#pragma GCC unroll 6
        for (int r = 0; r < count; r++) {
            const __m512bh pair = (__m512bh) _mm512_set1_epi32(((const int32_t*) (x + r * stride))[i]);
#pragma GCC unroll 4
            for (int v = 0; v < VECTORS; v++) {
                sum[r][v] = _mm512_dpbf16_ps(sum[r][v], weights[v], pair);
            }
        }
    }
#pragma GCC unroll 6
    for (int r = 0; r < count; r++) {
#pragma GCC unroll 4
        for (int v = 0; v < VECTORS; v++) {
            _mm512_storeu_ps(tile + r * PANEL + v * LANES, sum[r][v]);
        }
    }
}

static inline __attribute__((always_inline)) void few(const int64_t count, const int ahead, const char* w, int64_t pairs,
    const uint16_t* x, int64_t stride, float* tile)
{
    switch (count) {
    case 1: rows(1, ahead, w, pairs, x, stride, tile); break;
    case 2: rows(2, ahead, w, pairs, x, stride, tile); break;
    case 3: rows(3, ahead, w, pairs, x, stride, tile); break;
    case 4: rows(4, ahead, w, pairs, x, stride, tile); break;
    case 5: rows(5, ahead, w, pairs, x, stride, tile); break;
    default: rows(6, ahead, w, pairs, x, stride, tile); break;
    }
}

/*
 * tile[r][n] += sum over k of x[r][k] * w[n][k] for the 64 outputs n of a panel.
 *
 * w     the panel: [pairs of inputs][64 outputs][2]
 * x     rows of inputs as jeton_cpu_bf16_round makes them, stride apart
 * tile  [rows][64]
 *
 * One or two rows spend so few instructions on a line that the processor keeps enough of them in flight by itself; more ask
 * for lines ahead (six rows read 42 GB/s for 26, eight 31 for 24). The first six rows take a slice from memory, the others find
 * it in the first cache. What is asked for past the matrix's end is never read.
 */
void jeton_cpu_bf16_panel(
    const char* w, const uint16_t* x, int64_t stride, int64_t inputs, int64_t count, float* tile)
{
    for (int64_t k = 0; k < inputs; k += SLICE) {
        const int64_t part = inputs - k < SLICE ? inputs - k : SLICE;
        const int64_t pairs = (part + 1) / 2;
        const char* slice = w + k / 2 * 64 * VECTORS;
        for (int64_t r = 0; r < count; r += MOST_ROWS) {
            const int64_t left = count - r < MOST_ROWS ? count - r : MOST_ROWS;
            const uint16_t* from = x + r * stride + k;
            float* to = tile + r * PANEL;
            if (r == 0 && left >= AHEAD_ROWS) {
                few(left, 1, slice, pairs, from, stride, to);
            } else {
                few(left, 0, slice, pairs, from, stride, to);
            }
        }
    }
}
