/*
 * Kernels of the cpu engine for quantised weights where the processor multiplies BF16: half the instructions of the
 * kernels over floats (jeton_blocks.c), for inputs rounded to BF16.
 *
 * Weights stay exact. A weight is q * s (Q8_0, Q6_K, MXFP4) or q * s - m (Q4_K, Q5_K) with one s and m for a group of
 * 32 inputs (Q6_K: 16), and q has eight bits at most, which BF16 holds. So a group is summed over q alone, in floats, and
 * scaled once.
 *
 * One order of summation. Every output is one lane. With t = the chain t = dp(q[a], q[b], x[a], x[b], t) over the pairs
 * of a group, from zero, and u = the sum of the group's inputs, its value is the chain y = fma(s, t, fma(-m, u, y)) over
 * groups (without offsets y = fma(s, t, y)), whatever the number of rows.
 *
 * Pairs are those that lie in the two halves of a word of the layouts as they are: of each eight inputs the first and
 * the fifth, the second and the sixth, and so on. Inputs are kept in that order, and the sums of 32 of them behind each
 * row, by jeton_cpu_halves_round.
 *
 * A permutation of a table of 32 (or 64) halves takes four to six bits to BF16, for two inputs of 16 outputs at once.
 * Few rows read the panel as it is kept, up to four at a time, somewhat more of them twice; for many, slices of 256
 * inputs are unpacked into a buffer of 32 KB, which stays in the first cache while all rows pass over it, six at a time.
 *
 * Compiled by the build where a C compiler is, called only where the processor has AVX-512 with BF16 and VBMI.
 */
#include "jeton_panels.h"

#define SLICE 256
#define EIGHT 8
#define DIRECT_ROWS 4
#define MOST_GROUPS (SLICE / 16)
#define SUMMED 32

/* Of this file alone: what else is in the library runs on processors without it. */
#define TARGET __attribute__((target("avx512vbmi")))
#define INLINE TARGET PLAIN_INLINE

/* A slice of a panel as all rows read it: weights by pair, scales and offsets by group. */
struct slab {
    __m512i q[SLICE / 2][VECTORS];
    __m512 scale[MOST_GROUPS][VECTORS];
    __m512 offset[MOST_GROUPS][VECTORS];
};

/* What unpacked weights go to: rows with their sums and the part of the group, or, of no row, a slab. */
struct target {
    struct slab* slab;
    const uint16_t* x;
    int64_t stride;
    const float* inputs;
    float* tile;
    __m512 part[DIRECT_ROWS][VECTORS];
};

/* 1 where the processor and the system have what the kernels need. */
int32_t jeton_cpu_halves(void)
{
    __builtin_cpu_init();
    return __builtin_cpu_supports("avx512f") && __builtin_cpu_supports("avx512bw") && __builtin_cpu_supports("avx512vl")
        && __builtin_cpu_supports("avx512bf16") && __builtin_cpu_supports("avx512vbmi");
}

/* Where the sums of a row's inputs are: behind whole groups of 32. */
INLINE const float* sums_of(const uint16_t* row, int64_t inputs)
{
    return (const float*) (row + (inputs + SUMMED - 1) / SUMMED * SUMMED);
}

/*
 * Rounds rows of inputs to bf16, in the order of pairs, and adds each 32 of what they were rounded to.
 *
 * x     rows of inputs, stride apart
 * to    rows of whole groups of 32 and their sums, to_stride apart
 */
TARGET void jeton_cpu_halves_round(
    const float* x, int64_t stride, int64_t inputs, int64_t rows, uint16_t* to, int64_t to_stride)
{
    const __m128i eight = _mm_setr_epi8(0, 1, 8, 9, 2, 3, 10, 11, 4, 5, 12, 13, 6, 7, 14, 15);
    const __m256i order = _mm256_broadcastsi128_si256(eight);
    const __m512bh ones = (__m512bh) _mm512_set1_epi16(0x3F80);
    for (int64_t r = 0; r < rows; r++, x += stride, to += to_stride) {
        float* sums = (float*) sums_of(to, inputs);
        for (int64_t i = 0; i < inputs; i += SUMMED) {
            for (int64_t at = i; at < i + SUMMED; at += LANES) {
                const int64_t left = inputs - at;
                const __mmask16 there = left >= LANES ? 0xFFFF : left > 0 ? (__mmask16) ((1u << left) - 1) : 0;
                const __m256i halves = (__m256i) _mm512_cvtneps_pbh(_mm512_maskz_loadu_ps(there, x + at));
                _mm256_storeu_si256((__m256i*) (to + at), _mm256_shuffle_epi8(halves, order));
            }
            const __m512bh all = (__m512bh) _mm512_loadu_si512(to + i);
            sums[i / SUMMED] = _mm512_reduce_add_ps(_mm512_dpbf16_ps(_mm512_setzero_ps(), all, ones));
        }
    }
}

/* The binary16 number of a quarter of a panel. */
INLINE __m512 half_of(const char* at, const int quarter)
{
    const __m512i pairs = load(at + quarter / 2 * VECTOR);
    return half(quarter % 2 == 0 ? _mm512_slli_epi32(pairs, 16) : pairs);
}

INLINE __m512 byte(__m512i bytes, const int quarter)
{
    return _mm512_cvtepi32_ps(_mm512_and_si512(_mm512_srli_epi32(bytes, 8 * quarter), _mm512_set1_epi32(255)));
}

/* Takes the weights of a pair of inputs, the p-th of the slice. */
INLINE void take(const int rows, struct target* to, int64_t p, const __m512i* weights)
{
    if (rows == 0) {
#pragma GCC unroll 4
        for (int v = 0; v < VECTORS; v++) {
            to->slab->q[p][v] = weights[v];
        }
    }
#pragma GCC unroll 4
    for (int r = 0; r < rows; r++) {
        const __m512bh pair = (__m512bh) _mm512_set1_epi32(((const int32_t*) (to->x + r * to->stride))[p]);
#pragma GCC unroll 4
        for (int v = 0; v < VECTORS; v++) {
            to->part[r][v] = _mm512_dpbf16_ps(to->part[r][v], (__m512bh) weights[v], pair);
        }
    }
}

/* Ends group g of the slice, whose inputs are the s-th sum's. */
INLINE void end(const int rows, const int offsets, struct target* to, int64_t g, int64_t s, const __m512* scale,
    const __m512* offset)
{
    if (rows == 0) {
#pragma GCC unroll 4
        for (int v = 0; v < VECTORS; v++) {
            to->slab->scale[g][v] = scale[v];
            if (offsets) {
                to->slab->offset[g][v] = offset[v];
            }
        }
    }
#pragma GCC unroll 4
    for (int r = 0; r < rows; r++) {
        const __m512 all = _mm512_set1_ps(((const float*) ((const uint16_t*) to->inputs + r * to->stride))[s]);
#pragma GCC unroll 4
        for (int v = 0; v < VECTORS; v++) {
            float* sum = to->tile + r * PANEL + v * LANES;
            __m512 y = _mm512_loadu_ps(sum);
            if (offsets) {
                y = _mm512_fmadd_ps(offset[v], all, y);
            }
            _mm512_storeu_ps(sum, _mm512_fmadd_ps(scale[v], to->part[r][v], y));
            to->part[r][v] = _mm512_setzero_ps();
        }
    }
}

/* Bytes hold q + 128; amid a mantissa they are 32768 + 128 + q, and what is over is taken off. */
INLINE __m512i whole(__m512i there)
{
    const __m512i bits =
        _mm512_ternarylogic_epi32(there, _mm512_set1_epi32(0xFF00), _mm512_set1_epi32(0x47000000), 0xEA);
    return _mm512_castps_si512(_mm512_sub_ps(_mm512_castsi512_ps(bits), _mm512_set1_ps(32896.0f)));
}

INLINE __m512i shifted(__m512i bytes, const int quarter)
{
    return quarter == 0 ? _mm512_slli_epi32(bytes, 8) : _mm512_srli_epi32(bytes, 8 * (quarter - 1));
}

INLINE void eight(const int rows, const char* panel, int64_t k, int64_t count, struct target* to, const char* until)
{
    const char* at = panel + k / Q8_INPUTS * Q8_BYTES;
    for (int64_t i = 0; i < count; i += Q8_INPUTS) {
        const char* group = at;
        at += 2 * VECTOR;
        /* also past the last input, where inputs are zero */
        for (int64_t j = 0; j < Q8_INPUTS; j += EIGHT) {
#pragma GCC unroll 4
            for (int t = 0; t < EIGHT / 2; t++) {
                const __m512i first = load(at + (j + t) * VECTOR);
                const __m512i second = load(at + (j + t + EIGHT / 2) * VECTOR);
                if (t % 2 == 0) {
                    ahead(at + (j + 2 * t) * VECTOR, until);
                }
                __m512i weights[VECTORS];
#pragma GCC unroll 4
                for (int v = 0; v < VECTORS; v++) {
                    /* the upper halves of two floats */
                    weights[v] = _mm512_mask_blend_epi16(0xAAAAAAAA, _mm512_srli_epi32(whole(shifted(first, v)), 16),
                        whole(shifted(second, v)));
                }
                take(rows, to, (i + j) / 2 + t, weights);
            }
        }
        at += Q8_INPUTS * VECTOR;
        __m512 s[VECTORS];
#pragma GCC unroll 4
        for (int v = 0; v < VECTORS; v++) {
            s[v] = half_of(group, v);
        }
        end(rows, 0, to, i / Q8_INPUTS, 0, s, s);
    }
}

/* A number as BF16, which holds it. */
INLINE uint16_t half_number(const float number)
{
    uint32_t bits;
    __builtin_memcpy(&bits, &number, 4);
    return (uint16_t) (bits >> 16);
}

/* BF16 of the numbers from first on, as a table. */
INLINE __m512i table(const int first, const int count)
{
    uint16_t halves[32];
    for (int i = 0; i < 32; i++) {
        halves[i] = half_number((float) (first + i % count));
    }
    return _mm512_loadu_si512(halves);
}

/* Bits from the n-th on in the first byte of a word's lower half, and from the m-th on in that of its upper. */
INLINE __m512i fields(__m512i words, const int n, const int m)
{
    const int64_t control = (int64_t) (n & 63) | (int64_t) (m & 63) << 16 | (int64_t) ((n + 32) & 63) << 32
        | (int64_t) ((m + 32) & 63) << 48;
    return _mm512_multishift_epi64_epi8(_mm512_set1_epi64(control), words);
}

/* Four bits of one, the others of another. */
INLINE __m512i joined(__m512i lower, __m512i upper)
{
    return _mm512_ternarylogic_epi32(_mm512_set1_epi32(0x000F000F), lower, upper, 0xCA);
}

/* Q4_K, and Q5_K with fifth bits: 32 inputs with a scale and an offset. */
INLINE void four(const int rows, const int fifth, const char* panel, int64_t k, int64_t count, struct target* to,
    const char* until)
{
    const __m512i numbers = fifth ? table(0, 32) : table(0, 16);
    const int64_t group = fifth ? Q5_GROUP : Q4_GROUP;
    const char* block = panel + k / K_INPUTS * (4 * VECTOR + K_INPUTS / 32 * group);
    for (int64_t i = 0; i < count; i += 32) {
        const char* header = block + 4 * VECTOR + i / 32 * group;
        const char* upper = header + 2 * VECTOR;
        const char* at = fifth ? upper + VECTORS * VECTOR : upper;
        if (fifth) {
            ahead(upper, until);
        }
#pragma GCC unroll 4
        for (int j = 0; j < 32; j += EIGHT) {
            __m512i q[VECTORS];
            ahead(at, until);
#pragma GCC unroll 4
            for (int v = 0; v < VECTORS; v++) {
                q[v] = load(at + v * VECTOR);
            }
            at += VECTORS * VECTOR;
#pragma GCC unroll 4
            for (int t = 0; t < EIGHT / 2; t++) {
                __m512i weights[VECTORS];
#pragma GCC unroll 4
                for (int v = 0; v < VECTORS; v++) {
                    __m512i index = _mm512_srli_epi32(q[v], 4 * t);
                    if (fifth) {
                        index = joined(index, fields(load(upper + v * VECTOR), j + t - 4, j + t));
                    }
                    weights[v] = _mm512_permutexvar_epi16(index, numbers);
                }
                take(rows, to, (i + j) / 2 + t, weights);
            }
        }
        __m512 s[VECTORS];
        __m512 c[VECTORS];
#pragma GCC unroll 4
        for (int v = 0; v < VECTORS; v++) {
            s[v] = _mm512_mul_ps(byte(load(header), v), half_of(block, v));
            c[v] = _mm512_mul_ps(byte(load(header + VECTOR), v),
                _mm512_mul_ps(half_of(block + 2 * VECTOR, v), _mm512_set1_ps(-1.0f)));
        }
        end(rows, 1, to, i / 32, i / 32, s, c);
    }
}

INLINE void six(const int rows, const char* panel, int64_t k, int64_t count, struct target* to, const char* until)
{
    const __m512i below = table(-32, 32);
    const __m512i above = table(0, 32);
    const char* block = panel + k / K_INPUTS * (2 * VECTOR + K_INPUTS / 16 * Q6_GROUP);
    for (int64_t i = 0; i < count; i += 16) {
        const char* header = block + 2 * VECTOR + i / 16 * Q6_GROUP;
        const char* upper = header + VECTOR;
        const char* at = upper + VECTORS * VECTOR;
        ahead(header, until);
#pragma GCC unroll 2
        for (int j = 0; j < 16; j += EIGHT) {
            __m512i q[VECTORS];
            ahead(at, until);
#pragma GCC unroll 4
            for (int v = 0; v < VECTORS; v++) {
                q[v] = load(at + v * VECTOR);
            }
            at += VECTORS * VECTOR;
#pragma GCC unroll 4
            for (int t = 0; t < EIGHT / 2; t++) {
                __m512i weights[VECTORS];
#pragma GCC unroll 4
                for (int v = 0; v < VECTORS; v++) {
                    const int bit = 2 * (j + t);
                    const __m512i index =
                        joined(_mm512_srli_epi32(q[v], 4 * t), fields(load(upper + v * VECTOR), bit - 4, bit + 4));
                    weights[v] = _mm512_permutex2var_epi16(below, index, above);
                }
                take(rows, to, (i + j) / 2 + t, weights);
            }
        }
        __m512 s[VECTORS];
#pragma GCC unroll 4
        for (int v = 0; v < VECTORS; v++) {
            const __m512i scale = _mm512_srai_epi32(_mm512_slli_epi32(load(header), 24 - 8 * v), 24);
            s[v] = _mm512_mul_ps(_mm512_cvtepi32_ps(scale), half_of(block, v));
        }
        end(rows, 0, to, i / 16, 0, s, s);
    }
}

/* MXFP4: 32 inputs with a power of two. */
INLINE void powers(const int rows, const char* panel, int64_t k, int64_t count, struct target* to, const char* until)
{
    const float numbers[] = MX_NUMBERS;
    uint16_t halves[32];
    for (int i = 0; i < 32; i++) {
        halves[i] = half_number(numbers[i % 16]);
    }
    const __m512i table = _mm512_loadu_si512(halves);
    const char* at = panel + k / MX_INPUTS * MX_BYTES;
    for (int64_t i = 0; i < count; i += MX_INPUTS) {
        const char* header = at;
        at += VECTOR;
#pragma GCC unroll 4
        for (int j = 0; j < MX_INPUTS; j += EIGHT) {
            __m512i q[VECTORS];
            ahead(at, until);
#pragma GCC unroll 4
            for (int v = 0; v < VECTORS; v++) {
                q[v] = load(at + v * VECTOR);
            }
            at += VECTORS * VECTOR;
#pragma GCC unroll 4
            for (int t = 0; t < EIGHT / 2; t++) {
                __m512i weights[VECTORS];
#pragma GCC unroll 4
                for (int v = 0; v < VECTORS; v++) {
                    weights[v] = _mm512_permutexvar_epi16(_mm512_srli_epi32(q[v], 4 * t), table);
                }
                take(rows, to, (i + j) / 2 + t, weights);
            }
        }
        __m512 s[VECTORS];
#pragma GCC unroll 4
        for (int v = 0; v < VECTORS; v++) {
            s[v] = power(load(header), v);
        }
        end(rows, 0, to, i / MX_INPUTS, 0, s, s);
    }
}

INLINE void read(const int rows, enum format format, const char* panel, int64_t k, int64_t count, struct target* to,
    const char* until)
{
    switch (format) {
    case Q8_0: eight(rows, panel, k, count, to, until); break;
    case Q4_K: four(rows, 0, panel, k, count, to, until); break;
    case Q5_K: four(rows, 1, panel, k, count, to, until); break;
    case Q6_K: six(rows, panel, k, count, to, until); break;
    case MXFP4: powers(rows, panel, k, count, to, until); break;
    }
}

/* One to four rows by the panel as it is kept. */
INLINE void direct(const int rows, enum format format, const char* w, const uint16_t* x, int64_t stride, int64_t inputs,
    float* tile, const char* until)
{
    struct target to = {0, x, stride, sums_of(x, inputs), tile, {}};
#pragma GCC unroll 4
    for (int r = 0; r < rows; r++) {
#pragma GCC unroll 4
        for (int v = 0; v < VECTORS; v++) {
            to.part[r][v] = _mm512_setzero_ps();
        }
    }
    for (int64_t k = 0; k < inputs; k += SLICE) {
        read(rows, format, w, k, inputs - k < SLICE ? inputs - k : SLICE, &to, until);
        to.x += SLICE;
        to.inputs += SLICE / SUMMED;
    }
}

INLINE void few(int64_t rows, enum format format, const char* w, const uint16_t* x, int64_t stride, int64_t inputs,
    float* tile, const char* until)
{
    switch (rows) {
    case 1: direct(1, format, w, x, stride, inputs, tile, until); break;
    case 2: direct(2, format, w, x, stride, inputs, tile, until); break;
    case 3: direct(3, format, w, x, stride, inputs, tile, until); break;
    default: direct(4, format, w, x, stride, inputs, tile, until); break;
    }
}

/* Up to how many rows panels are read as they are: it hangs on what unpacking takes. */
INLINE int64_t most_direct(enum format format)
{
    return format == Q8_0 ? 4 : format == Q4_K || format == MXFP4 ? 8 : 6;
}

/* One to six rows by a slab of so many groups of so many pairs. */
INLINE void unpacked(const int rows, const int offsets, const struct slab* w, int64_t groups, int64_t pairs,
    const uint16_t* x, int64_t stride, const float* inputs, float* tile)
{
    for (int64_t g = 0; g < groups; g++) {
        __m512 part[MOST_ROWS][VECTORS];
#pragma GCC unroll 6
        for (int r = 0; r < rows; r++) {
#pragma GCC unroll 4
            for (int v = 0; v < VECTORS; v++) {
                part[r][v] = _mm512_setzero_ps();
            }
        }
        for (int64_t p = g * pairs; p < (g + 1) * pairs; p++) {
            __m512bh weights[VECTORS];
#pragma GCC unroll 4
            for (int v = 0; v < VECTORS; v++) {
                weights[v] = (__m512bh) w->q[p][v];
            }
#pragma GCC unroll 6
            for (int r = 0; r < rows; r++) {
                const __m512bh pair = (__m512bh) _mm512_set1_epi32(((const int32_t*) (x + r * stride))[p]);
#pragma GCC unroll 4
                for (int v = 0; v < VECTORS; v++) {
                    part[r][v] = _mm512_dpbf16_ps(part[r][v], weights[v], pair);
                }
            }
        }
#pragma GCC unroll 6
        for (int r = 0; r < rows; r++) {
            float* sum = tile + r * PANEL;
            const float* of = (const float*) ((const uint16_t*) inputs + r * stride);
            const __m512 all = _mm512_set1_ps(offsets ? of[g] : 0);
#pragma GCC unroll 4
            for (int v = 0; v < VECTORS; v++) {
                __m512 y = _mm512_loadu_ps(sum + v * LANES);
                if (offsets) {
                    y = _mm512_fmadd_ps(w->offset[g][v], all, y);
                }
                _mm512_storeu_ps(sum + v * LANES, _mm512_fmadd_ps(w->scale[g][v], part[r][v], y));
            }
        }
    }
}

INLINE void some(const int64_t rows, const int offsets, const struct slab* w, int64_t groups, int64_t pairs,
    const uint16_t* x, int64_t stride, const float* inputs, float* tile)
{
    switch (rows) {
    case 1: unpacked(1, offsets, w, groups, pairs, x, stride, inputs, tile); break;
    case 2: unpacked(2, offsets, w, groups, pairs, x, stride, inputs, tile); break;
    case 3: unpacked(3, offsets, w, groups, pairs, x, stride, inputs, tile); break;
    case 4: unpacked(4, offsets, w, groups, pairs, x, stride, inputs, tile); break;
    case 5: unpacked(5, offsets, w, groups, pairs, x, stride, inputs, tile); break;
    default: unpacked(6, offsets, w, groups, pairs, x, stride, inputs, tile); break;
    }
}

/*
 * tile[r][n] += sum over k of x[r][k] * w[n][k] for the 64 outputs n of a panel.
 *
 * format  of the enumeration above
 * w       the panel
 * x       rows of inputs as jeton_cpu_halves_round makes them, stride apart
 * tile    [rows][64]
 * until   up to where the caller goes on reading the matrix after this panel
 */
TARGET void jeton_cpu_halves_panel(int32_t format, const char* w, const uint16_t* x, int64_t stride, int64_t inputs,
    int64_t count, float* tile, const char* until)
{
    if (count <= most_direct((enum format) format)) {
        const int64_t first = count <= DIRECT_ROWS ? count : (count + 1) / 2;
        few(first, (enum format) format, w, x, stride, inputs, tile, until);
        if (first < count) {
            few(count - first, (enum format) format, w, x + first * stride, stride, inputs, tile + first * PANEL,
                until);
        }
        return;
    }
    struct slab slab;
    struct target to = {&slab, 0, 0, 0, 0, {}};
    const int64_t group = format == Q6_K ? 16 : 32;
    const int offsets = format == Q4_K || format == Q5_K;
    const float* sums = sums_of(x, inputs);
    for (int64_t k = 0; k < inputs; k += SLICE) {
        const int64_t part = inputs - k < SLICE ? inputs - k : SLICE;
        const int64_t groups = (part + group - 1) / group;
        read(0, (enum format) format, w, k, part, &to, until);
        for (int64_t r = 0; r < count;) {
            const int64_t left = count - r;
            /* seven or eight rows go as two times four: one or two alone would wait for each other's sums */
            const int64_t rows = left <= MOST_ROWS ? left : left <= 8 ? (left + 1) / 2 : MOST_ROWS;
            const uint16_t* from = x + r * stride + k;
            const float* inputs_of = (const float*) ((const uint16_t*) sums + r * stride) + k / SUMMED;
            if (offsets) {
                some(rows, 1, &slab, groups, group / 2, from, stride, inputs_of, tile + r * PANEL);
            } else {
                some(rows, 0, &slab, groups, group / 2, from, stride, inputs_of, tile + r * PANEL);
            }
            r += rows;
        }
    }
}
