/*
 * Kernels of the cpu engine for attention over keys and values of BF16: what Attention computes by the Vector API, which
 * has to widen them into scratch first, to the bit.
 *
 * One order of summation. A score is the chain s = fma(k[d], q[d], s) for d = 0, 1, 2, ...; a vector spans tokens. An
 * output is the chain y = fma(v[t], p[t], y) over tokens t in their order; a vector spans elements. Neither reduces across
 * lanes, so it changes no bit how many vectors are under way.
 *
 * Limit: reading K and V once, 4 bytes a token and element. A head's keys of a block are 2 KB, so the processor by itself
 * has read ahead of hardly anything when a block ends; the lines of the tokens to come are asked for, one a line that is
 * used. One query alone would wait for its own sums: four vectors of tokens go together.
 *
 * The layout is described at KvArena. Compiled by the build where a C compiler is, called only where the processor has
 * AVX-512.
 */
#include <immintrin.h>
#include <stdint.h>

#define LANES 16
#define VECTOR 64
/* Floats from a query's scores to the next one's. */
#define SEGMENT 256
#define MOST_QUERIES 8
#define MOST_VECTORS 4
/* Queries, and vectors of words, whose outputs are kept in registers together. */
#define OUT_QUERIES 4
#define OUT_WORDS 2

#define INLINE static inline __attribute__((always_inline))

/* 1 where the processor and the system have what the kernels need. */
int32_t jeton_cpu_attention(void)
{
    __builtin_cpu_init();
    return __builtin_cpu_supports("avx512f") && __builtin_cpu_supports("avx512bw") && __builtin_cpu_supports("avx512vl");
}

/* Where a row's blocks are, of one layer and head. */
struct blocks {
    const char* first;
    int64_t bytes;
    const int32_t* table;
    int64_t size;
    int shift;
};

INLINE const char* block(const struct blocks* of, int64_t token)
{
    return of->first + of->bytes * of->table[token >> of->shift];
}

INLINE __m512 low(__m512i words)
{
    return _mm512_castsi512_ps(_mm512_slli_epi32(words, 16));
}

INLINE __m512 high(__m512i words)
{
    return _mm512_castsi512_ps(_mm512_and_si512(words, _mm512_set1_epi32((int32_t) 0xFFFF0000)));
}

/* Scores of some queries against some vectors of tokens, each at its address; the lines at next are asked for meanwhile. */
INLINE void score(const int queries, const int vectors, const char* const* at, int64_t step, const char* const* next,
    int64_t next_step, int64_t head_dim, const float* q, float* scores)
{
    __m512 sum[MOST_QUERIES][MOST_VECTORS];
#pragma GCC unroll 8
    for (int j = 0; j < queries; j++) {
#pragma GCC unroll 4
        for (int v = 0; v < vectors; v++) {
            sum[j][v] = _mm512_setzero_ps();
        }
    }
    for (int64_t d = 0; d < head_dim; d += 2) {
        __m512 even[MOST_VECTORS];
        __m512 odd[MOST_VECTORS];
#pragma GCC unroll 4
        for (int v = 0; v < vectors; v++) {
            const __m512i words = _mm512_loadu_si512(at[v] + d / 2 * step);
            even[v] = low(words);
            odd[v] = high(words);
            _mm_prefetch(next[v] + d / 2 * next_step, _MM_HINT_T0);
        }
#pragma GCC unroll 8
        for (int j = 0; j < queries; j++) {
            const __m512 first = _mm512_set1_ps(q[j * head_dim + d]);
            const __m512 second = _mm512_set1_ps(q[j * head_dim + d + 1]);
#pragma GCC unroll 4
            for (int v = 0; v < vectors; v++) {
                sum[j][v] = _mm512_fmadd_ps(odd[v], second, _mm512_fmadd_ps(even[v], first, sum[j][v]));
            }
        }
    }
#pragma GCC unroll 8
    for (int j = 0; j < queries; j++) {
#pragma GCC unroll 4
        for (int v = 0; v < vectors; v++) {
            _mm512_storeu_ps(scores + j * SEGMENT + v * LANES, sum[j][v]);
        }
    }
}

INLINE void score_all(const int queries, const int vectors, const struct blocks* of, int64_t values, int64_t from, int64_t to,
    int64_t head_dim, const float* q, float* scores)
{
    const int64_t step = 4 * of->size;
    for (int64_t t = from; t < to;) {
        const char* at[MOST_VECTORS];
        const char* next[MOST_VECTORS];
        const int together = to - t >= vectors * LANES ? vectors : 1;
        const int64_t then = t + together * LANES;
        for (int v = 0; v < together; v++) {
            const int64_t token = t + v * LANES;
            const int64_t later = then + v * LANES;
            at[v] = block(of, token) + 4 * (token & (of->size - 1));
            /* after the last keys come the first values */
            next[v] = then < to ? block(of, later < to ? later : then) + 4 * (later & (of->size - 1))
                                : block(of, from + v * LANES < to ? from + v * LANES : from) + values;
        }
        if (together == 1) {
            score(queries, 1, at, step, next, then < to ? step : VECTOR, head_dim, q, scores + t - from);
        } else {
            score(queries, vectors, at, step, next, then < to ? step : VECTOR, head_dim, q, scores + t - from);
        }
        t = then;
    }
}

/*
 * scores[j][t - from] = sum over d of q[j][d] * k[t][d] for tokens from <= t < to, both multiples of 16.
 *
 * first     the keys of the layer and head in block 0
 * values    bytes from a block's keys to its values
 * bytes     of a block
 * table     a row's blocks from index at
 * size      tokens of a block, a power of two
 * q         [queries][head_dim]
 * scores    [queries][256], from element score_at
 */
void jeton_cpu_attention_scores(const char* first, int64_t values, int64_t bytes, const int32_t* table, int64_t at,
    int64_t size, int64_t from, int64_t to, int64_t head_dim, const float* q, int64_t queries, float* scores, int64_t score_at)
{
    const struct blocks of = {first, bytes, table + at, size, __builtin_ctzll((uint64_t) size)};
    float* target = scores + score_at;
    switch (queries) {
    case 1: score_all(1, 4, &of, values, from, to, head_dim, q, target); break;
    case 2: score_all(2, 4, &of, values, from, to, head_dim, q, target); break;
    case 3: score_all(3, 2, &of, values, from, to, head_dim, q, target); break;
    case 4: score_all(4, 2, &of, values, from, to, head_dim, q, target); break;
    case 5: score_all(5, 2, &of, values, from, to, head_dim, q, target); break;
    case 6: score_all(6, 2, &of, values, from, to, head_dim, q, target); break;
    case 7: score_all(7, 2, &of, values, from, to, head_dim, q, target); break;
    default: score_all(8, 2, &of, values, from, to, head_dim, q, target); break;
    }
}

/* Adds some vectors of words of the values, weighted, to the outputs of some queries. */
INLINE void add(const int queries, const int words, const struct blocks* of, int64_t from, int64_t to, int64_t token_bytes,
    int64_t word_at, const float* p, float* out, int64_t width)
{
    __m512 sum[OUT_QUERIES][2 * OUT_WORDS];
    __mmask16 there[2 * OUT_WORDS];
#pragma GCC unroll 4
    for (int v = 0; v < 2 * words; v++) {
        there[v] = (word_at * 2 + v) * LANES < width ? 0xFFFF : 0;
    }
#pragma GCC unroll 4
    for (int j = 0; j < queries; j++) {
#pragma GCC unroll 4
        for (int v = 0; v < 2 * words; v++) {
            sum[j][v] = _mm512_maskz_loadu_ps(there[v], out + j * width + (word_at * 2 + v) * LANES);
        }
    }
    for (int64_t t = from; t < to;) {
        const int64_t in_block = t & (of->size - 1);
        const int64_t left = of->size - in_block;
        const int64_t count = left < to - t ? left : to - t;
        const char* row = block(of, t) + token_bytes * in_block + VECTOR * word_at;
        const char* next = t + count < to ? block(of, t + count) + VECTOR * word_at : row;
        for (int64_t i = 0; i < count; i++) {
#pragma GCC unroll 2
            for (int w = 0; w < words; w++) {
                const __m512i pair = _mm512_loadu_si512(row + VECTOR * w);
                const __m512 even = low(pair);
                const __m512 odd = high(pair);
                _mm_prefetch(next + VECTOR * w, _MM_HINT_T0);
#pragma GCC unroll 4
                for (int j = 0; j < queries; j++) {
                    const __m512 weight = _mm512_set1_ps(p[j * SEGMENT + t - from + i]);
                    sum[j][2 * w] = _mm512_fmadd_ps(even, weight, sum[j][2 * w]);
                    sum[j][2 * w + 1] = _mm512_fmadd_ps(odd, weight, sum[j][2 * w + 1]);
                }
            }
            row += token_bytes;
            next += token_bytes;
        }
        t += count;
    }
#pragma GCC unroll 4
    for (int j = 0; j < queries; j++) {
#pragma GCC unroll 4
        for (int v = 0; v < 2 * words; v++) {
            _mm512_mask_storeu_ps(out + j * width + (word_at * 2 + v) * LANES, there[v], sum[j][v]);
        }
    }
}

INLINE void add_all(const int queries, const struct blocks* of, int64_t from, int64_t to, int64_t token_bytes, const float* p,
    float* out, int64_t width)
{
    const int64_t words = token_bytes / VECTOR;
    int64_t w = 0;
    for (; w + OUT_WORDS <= words; w += OUT_WORDS) {
        add(queries, OUT_WORDS, of, from, to, token_bytes, w, p, out, width);
    }
    if (w < words) {
        add(queries, 1, of, from, to, token_bytes, w, p, out, width);
    }
}

/*
 * out[j][d] += sum over tokens from <= t < to of p[j][t - from] * v[t][d].
 *
 * first        the values of the layer and head in block 0
 * bytes        of a block
 * table        a row's blocks from index at
 * size         tokens of a block, a power of two
 * token_bytes  from a token's values to the next one's
 * p            [queries][256], from element weight_at
 * out          [queries][width], width a multiple of 16
 */
void jeton_cpu_attention_values(const char* first, int64_t bytes, const int32_t* table, int64_t at, int64_t size,
    int64_t from, int64_t to, int64_t token_bytes, const float* p, int64_t weight_at, int64_t queries, float* out,
    int64_t width)
{
    const struct blocks of = {first, bytes, table + at, size, __builtin_ctzll((uint64_t) size)};
    for (int64_t j = 0; j < queries; j += OUT_QUERIES) {
        const float* weights = p + weight_at + j * SEGMENT;
        float* sums = out + j * width;
        switch (queries - j) {
        case 1: add_all(1, &of, from, to, token_bytes, weights, sums, width); break;
        case 2: add_all(2, &of, from, to, token_bytes, weights, sums, width); break;
        case 3: add_all(3, &of, from, to, token_bytes, weights, sums, width); break;
        default: add_all(4, &of, from, to, token_bytes, weights, sums, width); break;
        }
    }
}
