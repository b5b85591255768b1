/*
 * Panels of quantised weights, as BlockKernels and Kernels describe them: what the kernels over floats (jeton_blocks.c) and
 * over BF16 (jeton_halves.c) have in common. AVX-512 is all that it takes.
 */
#ifndef JETON_PANELS_H
#define JETON_PANELS_H

#include <immintrin.h>
#include <stdint.h>

#define PANEL 64
#define VECTORS 4
#define LANES 16
#define VECTOR 64
#define MOST_ROWS 6
/* How far ahead lines are asked for. */
#define AHEAD 8192

#define Q8_INPUTS 32
#define Q8_BYTES ((2 + Q8_INPUTS) * VECTOR)
#define K_INPUTS 256
#define MX_INPUTS 32
#define MX_BYTES (17 * VECTOR)
#define Q4_GROUP (18 * VECTOR)
#define Q5_GROUP (22 * VECTOR)
#define Q6_GROUP (13 * VECTOR)

#define PLAIN_INLINE static inline __attribute__((always_inline))

enum format { Q8_0, Q4_K, Q5_K, Q6_K, MXFP4 };

/* What four bits of MXFP4 are: a sign, two bits of exponent, one of mantissa. */
#define MX_NUMBERS {0, 0.5f, 1, 1.5f, 2, 3, 4, 6, 0, -0.5f, -1, -1.5f, -2, -3, -4, -6}

PLAIN_INLINE __m512i load(const char* at)
{
    return _mm512_loadu_si512(at);
}

/* Asks for the four lines that are that far ahead of these; past the end for these again, which is cheap. */
PLAIN_INLINE void ahead(const char* at, const char* until)
{
    const char* next = at + AHEAD < until ? at + AHEAD : at;
#pragma GCC unroll 4
    for (int v = 0; v < VECTORS; v++) {
        _mm_prefetch(next + v * VECTOR, _MM_HINT_T0);
    }
}

/* Binary16 in the upper halves of ints: a shift puts the bits in place, a product corrects the exponent. */
PLAIN_INLINE __m512 half(__m512i upper)
{
    const __m512i bits = _mm512_and_si512(_mm512_srai_epi32(upper, 3), _mm512_set1_epi32((int32_t) 0x8FFFE000));
    return _mm512_mul_ps(_mm512_castsi512_ps(bits), _mm512_set1_ps(0x1p112f));
}

/* The powers of two of a quarter of a panel by their bytes; that of zero is no normal float. */
PLAIN_INLINE __m512 power(__m512i bytes, const int quarter)
{
    const __m512i there = quarter < 3 ? _mm512_slli_epi32(bytes, 23 - 8 * quarter) : _mm512_srli_epi32(bytes, 1);
    const __m512i exponent = _mm512_and_si512(there, _mm512_set1_epi32(0x7F800000));
    return _mm512_castsi512_ps(_mm512_max_epi32(exponent, _mm512_set1_epi32(0x00400000)));
}

#endif
