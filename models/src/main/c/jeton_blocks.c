/*
 * Kernels of the cpu engine for quantised weights: what Kernels and BlockKernels compute by the Vector API, to the
 * bit.
 *
 * One order of summation. Every output is one lane, and its value is the chain y = fma(w[k], x[k], y) for k = 0, 1,
 * 2, ... over the weight widened to float, whatever the number of rows. A weight is q * s (Q8_0, MXFP4), s * q - m
 * (Q4_K, Q5_K; rounded once, by a fma) or s * (q - 32) (Q6_K); all products of scales are exact in a float.
 *
 * Java's compiler keeps half a panel in registers at most and unpacks scales through memory; here a whole panel goes
 * through one loop. A permutation of a table of sixteen floats takes the lowest four bits of an int to a float
 * without a mask and a conversion. One or two rows read the panel as it is kept; for more, slices of 128 inputs are
 * widened into a buffer of 32 KB, which stays in the first cache while all rows pass over it, six at a time.
 *
 * The layouts are described at BlockKernels, Mxfp4Kernels and Kernels. Compiled by the build where a C compiler is, called only
 * where the processor has AVX-512.
 */
#include "jeton_panels.h"

#define SLICE 128
#define DIRECT_ROWS 2

#define INLINE PLAIN_INLINE

/* Where widened weights go: to the sums of one or two rows in a tile, or, of no row, to the place of a slice. */
struct target {
    const float* x;
    int64_t stride;
    float* tile;
};

/* 1 where the processor and the system have what the kernels need. */
int32_t jeton_cpu_blocks(void)
{
    __builtin_cpu_init();
    return __builtin_cpu_supports("avx512f") && __builtin_cpu_supports("avx512bw")
        && __builtin_cpu_supports("avx512vl");
}

/* The binary16 numbers of the four quarters of a panel. */
INLINE void halves(const char* at, __m512* to)
{
#pragma GCC unroll 2
    for (int i = 0; i < 2; i++) {
        const __m512i pairs = load(at + i * VECTOR);
        to[2 * i] = half(_mm512_slli_epi32(pairs, 16));
        to[2 * i + 1] = half(pairs);
    }
}

INLINE __m512i byte(__m512i bytes, const int quarter)
{
    return _mm512_and_si512(_mm512_srli_epi32(bytes, 8 * quarter), _mm512_set1_epi32(255));
}

INLINE void load_sums(const int rows, const struct target* to, __m512 (*sum)[VECTORS])
{
#pragma GCC unroll 2
    for (int r = 0; r < rows; r++) {
#pragma GCC unroll 4
        for (int v = 0; v < VECTORS; v++) {
            sum[r][v] = _mm512_loadu_ps(to->tile + r * PANEL + v * LANES);
        }
    }
}

INLINE void store_sums(const int rows, const struct target* to, __m512 (*sum)[VECTORS])
{
#pragma GCC unroll 2
    for (int r = 0; r < rows; r++) {
#pragma GCC unroll 4
        for (int v = 0; v < VECTORS; v++) {
            _mm512_storeu_ps(to->tile + r * PANEL + v * LANES, sum[r][v]);
        }
    }
}

/* Takes the weights of one input to their target. */
INLINE void take(const int rows, const struct target* to, int64_t k, const __m512* weights, __m512 (*sum)[VECTORS])
{
    if (rows == 0) {
#pragma GCC unroll 4
        for (int v = 0; v < VECTORS; v++) {
            _mm512_store_ps(to->tile + k * PANEL + v * LANES, weights[v]);
        }
    }
#pragma GCC unroll 2
    for (int r = 0; r < rows; r++) {
        const __m512 x = _mm512_set1_ps(to->x[r * to->stride + k]);
#pragma GCC unroll 4
        for (int v = 0; v < VECTORS; v++) {
            sum[r][v] = _mm512_fmadd_ps(weights[v], x, sum[r][v]);
        }
        /*
         * Computes nothing: sums are in registers here. Without it gcc 12 moves the unpacking of later inputs up until
         * Q5_K's sums go through memory, whose latency the chain then waits for.
         */
        __asm__("" : "+v"(sum[r][0]), "+v"(sum[r][1]), "+v"(sum[r][2]), "+v"(sum[r][3]));
    }
}

/* Bytes hold q + 128; amid a mantissa they are 32768 + 128 + q; taking (32768 + 128) * s off that times s is exact. */
INLINE void eight(const int rows, const char* panel, int64_t k, int64_t count, const struct target* to,
    const char* until)
{
    const __m512i mantissa = _mm512_set1_epi32(0xFF00);
    const __m512i exponent = _mm512_set1_epi32(0x47000000);
    const char* at = panel + k / Q8_INPUTS * Q8_BYTES;
    __m512 sum[DIRECT_ROWS][VECTORS];
    load_sums(rows, to, sum);
    for (int64_t i = 0; i < count; i += Q8_INPUTS) {
        __m512 s[VECTORS];
        __m512 c[VECTORS];
        halves(at, s);
#pragma GCC unroll 4
        for (int v = 0; v < VECTORS; v++) {
            c[v] = _mm512_mul_ps(s[v], _mm512_set1_ps(-32896.0f));
        }
        at += 2 * VECTOR;
        const int64_t run = count - i < Q8_INPUTS ? count - i : Q8_INPUTS;
#pragma GCC unroll 4
        for (int64_t j = 0; j < run; j++) {
            const __m512i bytes = load(at + j * VECTOR);
            if (j % VECTORS == 0) {
                ahead(at + j * VECTOR, until);
            }
            const __m512i there[VECTORS] = {_mm512_slli_epi32(bytes, 8), bytes, _mm512_srli_epi32(bytes, 8),
                _mm512_srli_epi32(bytes, 16)};
            __m512 weights[VECTORS];
#pragma GCC unroll 4
            for (int v = 0; v < VECTORS; v++) {
                /* (there & mantissa) | exponent */
                const __m512i bits = _mm512_ternarylogic_epi32(there[v], mantissa, exponent, 0xEA);
                weights[v] = _mm512_fmadd_ps(_mm512_castsi512_ps(bits), s[v], c[v]);
            }
            take(rows, to, i + j, weights, sum);
        }
        at += Q8_INPUTS * VECTOR;
    }
    store_sums(rows, to, sum);
}

/* Q4_K, and Q5_K with fifth bits: 32 inputs with a scale and an offset. */
INLINE void four(const int rows, const int fifth, const char* panel, int64_t k, int64_t count, const struct target* to,
    const char* until)
{
    const __m512 table = _mm512_set_ps(15, 14, 13, 12, 11, 10, 9, 8, 7, 6, 5, 4, 3, 2, 1, 0);
    /* by the lowest bit of the index, whatever is above */
    const __m512 above = _mm512_set_ps(16, 0, 16, 0, 16, 0, 16, 0, 16, 0, 16, 0, 16, 0, 16, 0);
    const int64_t group = fifth ? Q5_GROUP : Q4_GROUP;
    const int64_t perBlock = 4 * VECTOR + K_INPUTS / 32 * group;
    __m512 sum[DIRECT_ROWS][VECTORS];
    load_sums(rows, to, sum);
    for (int64_t i = 0; i < count;) {
        const char* block = panel + (k + i) / K_INPUTS * perBlock;
        const int64_t first = (k + i) % K_INPUTS;
        const int64_t run = count - i < K_INPUTS - first ? count - i : K_INPUTS - first;
        const char* at = block + 4 * VECTOR + first / 32 * group;
        __m512 d[VECTORS];
        __m512 m[VECTORS];
        halves(block, d);
        halves(block + 2 * VECTOR, m);
#pragma GCC unroll 4
        for (int v = 0; v < VECTORS; v++) {
            m[v] = _mm512_mul_ps(m[v], _mm512_set1_ps(-1.0f));
        }
        for (const int64_t stop = i + run; i < stop; i += 32) {
            __m512 s[VECTORS];
            __m512 c[VECTORS];
            __m512i h[VECTORS];
#pragma GCC unroll 4
            for (int v = 0; v < VECTORS; v++) {
                s[v] = _mm512_mul_ps(_mm512_cvtepi32_ps(byte(load(at), v)), d[v]);
                c[v] = _mm512_mul_ps(_mm512_cvtepi32_ps(byte(load(at + VECTOR), v)), m[v]);
            }
            at += 2 * VECTOR;
            if (fifth) {
                ahead(at, until);
#pragma GCC unroll 4
                for (int v = 0; v < VECTORS; v++) {
                    h[v] = load(at + v * VECTOR);
                }
                at += VECTORS * VECTOR;
            }
            for (int j = 0; j < 32; j += 8) {
                __m512i q[VECTORS];
                ahead(at, until);
#pragma GCC unroll 4
                for (int v = 0; v < VECTORS; v++) {
                    q[v] = load(at + v * VECTOR);
                }
                at += VECTORS * VECTOR;
#pragma GCC unroll 8
                for (int t = 0; t < 8; t++) {
                    __m512 weights[VECTORS];
#pragma GCC unroll 4
                    for (int v = 0; v < VECTORS; v++) {
                        __m512 whole = _mm512_permutexvar_ps(q[v], table);
                        if (fifth) {
                            whole = _mm512_add_ps(whole, _mm512_permutexvar_ps(h[v], above));
                            h[v] = _mm512_srli_epi32(h[v], 1);
                        }
                        q[v] = _mm512_srli_epi32(q[v], 4);
                        weights[v] = _mm512_fmadd_ps(whole, s[v], c[v]);
                    }
                    take(rows, to, i + j + t, weights, sum);
                }
            }
        }
    }
    store_sums(rows, to, sum);
}

INLINE void six(const int rows, const char* panel, int64_t k, int64_t count, const struct target* to, const char* until)
{
    const __m512 table = _mm512_set_ps(15, 14, 13, 12, 11, 10, 9, 8, 7, 6, 5, 4, 3, 2, 1, 0);
    /* by the lowest two bits of the index, and 32 less */
    const __m512 above =
        _mm512_set_ps(16, 0, -16, -32, 16, 0, -16, -32, 16, 0, -16, -32, 16, 0, -16, -32);
    const int64_t perBlock = 2 * VECTOR + K_INPUTS / 16 * Q6_GROUP;
    __m512 sum[DIRECT_ROWS][VECTORS];
    load_sums(rows, to, sum);
    for (int64_t i = 0; i < count;) {
        const char* block = panel + (k + i) / K_INPUTS * perBlock;
        const int64_t first = (k + i) % K_INPUTS;
        const int64_t run = count - i < K_INPUTS - first ? count - i : K_INPUTS - first;
        const char* at = block + 2 * VECTOR + first / 16 * Q6_GROUP;
        __m512 d[VECTORS];
        halves(block, d);
        for (const int64_t stop = i + run; i < stop; i += 16) {
            __m512 s[VECTORS];
            __m512i h[VECTORS];
            ahead(at, until);
#pragma GCC unroll 4
            for (int v = 0; v < VECTORS; v++) {
                const __m512i scale = _mm512_srai_epi32(_mm512_slli_epi32(load(at), 24 - 8 * v), 24);
                s[v] = _mm512_mul_ps(_mm512_cvtepi32_ps(scale), d[v]);
                h[v] = load(at + (1 + v) * VECTOR);
            }
            at += (1 + VECTORS) * VECTOR;
            for (int j = 0; j < 16; j += 8) {
                __m512i q[VECTORS];
                ahead(at, until);
#pragma GCC unroll 4
                for (int v = 0; v < VECTORS; v++) {
                    q[v] = load(at + v * VECTOR);
                }
                at += VECTORS * VECTOR;
#pragma GCC unroll 8
                for (int t = 0; t < 8; t++) {
                    __m512 weights[VECTORS];
#pragma GCC unroll 4
                    for (int v = 0; v < VECTORS; v++) {
                        const __m512 whole = _mm512_add_ps(
                            _mm512_permutexvar_ps(q[v], table), _mm512_permutexvar_ps(h[v], above));
                        /* exact, and adding zero gives it the sign that it has in Java */
                        weights[v] = _mm512_fmadd_ps(whole, s[v], _mm512_setzero_ps());
                        q[v] = _mm512_srli_epi32(q[v], 4);
                        h[v] = _mm512_srli_epi32(h[v], 2);
                    }
                    take(rows, to, i + j + t, weights, sum);
                }
            }
        }
    }
    store_sums(rows, to, sum);
}

/* MXFP4: 32 inputs with a power of two. */
INLINE void powers(const int rows, const char* panel, int64_t k, int64_t count, const struct target* to,
    const char* until)
{
    static const float numbers[LANES] = MX_NUMBERS;
    const __m512 table = _mm512_loadu_ps(numbers);
    const char* at = panel + k / MX_INPUTS * MX_BYTES;
    __m512 sum[DIRECT_ROWS][VECTORS];
    load_sums(rows, to, sum);
    for (int64_t i = 0; i < count; i += MX_INPUTS) {
        __m512 s[VECTORS];
#pragma GCC unroll 4
        for (int v = 0; v < VECTORS; v++) {
            s[v] = power(load(at), v);
        }
        at += VECTOR;
        for (int j = 0; j < MX_INPUTS; j += 8) {
            __m512i q[VECTORS];
            ahead(at, until);
#pragma GCC unroll 4
            for (int v = 0; v < VECTORS; v++) {
                q[v] = load(at + v * VECTOR);
            }
            at += VECTORS * VECTOR;
#pragma GCC unroll 8
            for (int t = 0; t < 8; t++) {
                __m512 weights[VECTORS];
#pragma GCC unroll 4
                for (int v = 0; v < VECTORS; v++) {
                    weights[v] = _mm512_mul_ps(_mm512_permutexvar_ps(q[v], table), s[v]);
                    q[v] = _mm512_srli_epi32(q[v], 4);
                }
                take(rows, to, i + j + t, weights, sum);
            }
        }
    }
    store_sums(rows, to, sum);
}

INLINE void read(const int rows, enum format format, const char* panel, int64_t k, int64_t count,
    const struct target* to, const char* until)
{
    switch (format) {
    case Q8_0: eight(rows, panel, k, count, to, until); break;
    case Q4_K: four(rows, 0, panel, k, count, to, until); break;
    case Q5_K: four(rows, 1, panel, k, count, to, until); break;
    case Q6_K: six(rows, panel, k, count, to, until); break;
    case MXFP4: powers(rows, panel, k, count, to, until); break;
    }
}

/* One to six rows by a widened slice. */
INLINE void widened(const int rows, const float* w, const float* x, int64_t stride, int64_t count, float* tile)
{
    __m512 sum[MOST_ROWS][VECTORS];
#pragma GCC unroll 6
    for (int r = 0; r < rows; r++) {
#pragma GCC unroll 4
        for (int v = 0; v < VECTORS; v++) {
            sum[r][v] = _mm512_loadu_ps(tile + r * PANEL + v * LANES);
        }
    }
    for (int64_t k = 0; k < count; k++) {
        __m512 weights[VECTORS];
#pragma GCC unroll 4
        for (int v = 0; v < VECTORS; v++) {
            weights[v] = _mm512_load_ps(w + k * PANEL + v * LANES);
        }
#pragma GCC unroll 6
        for (int r = 0; r < rows; r++) {
            const __m512 input = _mm512_set1_ps(x[r * stride + k]);
#pragma GCC unroll 4
            for (int v = 0; v < VECTORS; v++) {
                sum[r][v] = _mm512_fmadd_ps(weights[v], input, sum[r][v]);
            }
        }
    }
#pragma GCC unroll 6
    for (int r = 0; r < rows; r++) {
#pragma GCC unroll 4
        for (int v = 0; v < VECTORS; v++) {
            _mm512_storeu_ps(tile + r * PANEL + v * LANES, sum[r][v]);
        }
    }
}

/*
 * tile[r][n] += sum over k of x[r][k] * w[n][k] for the 64 outputs n of a panel.
 *
 * format  of the enumeration above
 * w       the panel
 * x       rows of inputs, stride apart
 * tile    [rows][64]
 * until   up to where the caller goes on reading the matrix after this panel
 */
void jeton_cpu_blocks_panel(int32_t format, const char* w, const float* x, int64_t stride, int64_t inputs,
    int64_t count, float* tile, const char* until)
{
    struct target to = {x, stride, tile};
    if (count == 1) {
        read(1, (enum format) format, w, 0, inputs, &to, until);
        return;
    }
    if (count == 2) {
        read(2, (enum format) format, w, 0, inputs, &to, until);
        return;
    }
    float buffer[SLICE * PANEL] __attribute__((aligned(64)));
    to.tile = buffer;
    for (int64_t k = 0; k < inputs; k += SLICE) {
        const int64_t part = inputs - k < SLICE ? inputs - k : SLICE;
        read(0, (enum format) format, w, k, part, &to, until);
        for (int64_t r = 0; r < count;) {
            const int64_t left = count - r;
            /* seven or eight rows go as two times four: one or two alone would wait for each other's sums */
            const int64_t rows = left <= MOST_ROWS ? left : left <= 8 ? (left + 1) / 2 : MOST_ROWS;
            const float* from = x + r * stride + k;
            float* at = tile + r * PANEL;
            switch (rows) {
            case 1: widened(1, buffer, from, stride, part, at); break;
            case 2: widened(2, buffer, from, stride, part, at); break;
            case 3: widened(3, buffer, from, stride, part, at); break;
            case 4: widened(4, buffer, from, stride, part, at); break;
            case 5: widened(5, buffer, from, stride, part, at); break;
            default: widened(6, buffer, from, stride, part, at); break;
            }
            r += rows;
        }
    }
}
