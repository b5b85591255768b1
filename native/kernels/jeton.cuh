// What all kernels share: 16-bit and 8-bit types, vector loads, reductions, cp.async, ldmatrix, mma.
//
// Nothing is included, so NVRTC needs no include path. With JETON_HOST the same sources compile under g++ on a machine
// that runs every thread of a block as a fiber: each wrapper of a PTX instruction has there a plain version with the
// documented fragment layout, so whole kernels run without a GPU.
#ifndef JETON_CUH
#define JETON_CUH

#ifdef JETON_HOST
#include <cstddef>
#include <cstdlib>
#include <cstring>
#endif

#ifndef JETON_TYPE
#define JETON_TYPE 0  // activations and weights: 0 bf16, 1 fp16
#endif
#ifndef JETON_RESIDUAL
#define JETON_RESIDUAL 1  // the residual stream: 0 as activations, 1 fp32
#endif
#ifndef JETON_KV
#define JETON_KV JETON_TYPE  // K and V in pages: 0 bf16, 1 fp16, 2 fp8 e4m3, 3 int8
#endif
#ifndef HEAD_DIM
#define HEAD_DIM 128
#endif
#ifndef ROTARY_DIM
#define ROTARY_DIM HEAD_DIM  // elements at the front of a head that are turned
#endif
#ifndef GROUP
#define GROUP 4  // query heads per key head
#endif
#ifndef BLOCK_SIZE
#define BLOCK_SIZE 16  // tokens of a KV block
#endif
#ifndef JETON_SHARED
#define JETON_SHARED (227 * 1024)  // bytes of shared memory that a block may have on the device
#endif
#ifndef WEIGHTS
#define WEIGHTS 0  // weights of products: one of the numbers below
#endif
#ifndef SCALE_GROUP
// Values along k that share a scale, where not all do: of integers 32 or 64, too.
#define SCALE_GROUP (WEIGHTS == WEIGHTS_MXFP4 ? 32 : 128)
#endif

#define WEIGHTS_ACT 0       // as activations
#define WEIGHTS_INT8 1      // with a float for each row
#define WEIGHTS_INT4 2      // with a scale and a zero for each row and SCALE_GROUP values
#define WEIGHTS_FP8 3       // e4m3 with a float for each row
#define WEIGHTS_FP8_BLOCK 4 // e4m3 with a float for each eight rows and 128 values
#define WEIGHTS_INT8_GROUP 5 // bytes with a scale and a zero for each row and SCALE_GROUP values
#define WEIGHTS_MXFP4 6      // e2m1 with a power of two for each row and 32 values (OCP Microscaling Formats)

static_assert(HEAD_DIM >= 2 && HEAD_DIM <= 256 && HEAD_DIM % 2 == 0, "HEAD_DIM must be even, 2 to 256");
static_assert(ROTARY_DIM >= 2 && ROTARY_DIM <= HEAD_DIM && ROTARY_DIM % 2 == 0, "ROTARY_DIM must be even, to HEAD_DIM");
static_assert(GROUP >= 1 && GROUP <= 256, "GROUP must be 1 to 256, in attention.cu to 64");
static_assert(BLOCK_SIZE >= 16 && BLOCK_SIZE <= 256 && (BLOCK_SIZE & (BLOCK_SIZE - 1)) == 0,
              "BLOCK_SIZE must be a power of two, 16 to 256");

#ifdef JETON_HOST
#define DEVICE static inline
#define OUTLINED static
#define INDEX static inline
#define DYNAMIC_SHARED(name) unsigned char* name = (unsigned char*)jeton_host_shared()
#else
#define DEVICE static __device__ __forceinline__
#define OUTLINED static __device__ __noinline__  // large and called from several places: compiled once
#define INDEX static __host__ __device__ __forceinline__
#define DYNAMIC_SHARED(name) extern __shared__ __align__(128) unsigned char name[]
#endif

typedef unsigned short act;  // bits of a bf16 or fp16, by JETON_TYPE
typedef unsigned short half_bits;
#if JETON_RESIDUAL == 1
typedef float residual;
#else
typedef act residual;
#endif

#define HEAD_PAD ((HEAD_DIM + 15) / 16 * 16)  // elements of a head in pages
#if JETON_KV >= 2
#define KV_BYTES 1
#else
#define KV_BYTES 2
#endif

// ---- the step's counts --------------------------------------------------------------------------------------------

#define HEADER_ROWS 0
#define HEADER_TOKENS 1
#define HEADER_LOGIT_ROWS 2

#define FLAG_LAST_TOKEN 1
#define FLAG_SAMPLE 2

// The count a kernel works on: entry `count` of the step's header, or `count` itself without a header.
DEVICE int count_of(const int* header, int count) { return header ? header[count] : count; }

// The row of input `token`: the last row whose start is at most `token` (rows are never empty).
INDEX int row_of(const int* inputStart, int rows, int token) {
    int low = 0;
    int high = rows;
    while (high - low > 1) {
        int middle = (low + high) / 2;
        if (inputStart[middle] <= token) {
            low = middle;
        } else {
            high = middle;
        }
    }
    return low;
}

// ---- places in a KV block -----------------------------------------------------------------------------------------

// Byte offset in a layer's part of a block of element 0 of a token; kv is 0 for K, 1 for V.
INDEX long long kv_offset(int kv, int head, int kvHeads, int tokenInBlock) {
    return ((long long)(kv * kvHeads + head) * BLOCK_SIZE + tokenInBlock) * (HEAD_PAD * KV_BYTES);
}

// Byte offset in a layer's part of a block of the int8 scale of a token.
INDEX long long kv_scale_offset(int kv, int head, int kvHeads, int tokenInBlock) {
    return kv_offset(2, 0, kvHeads, 0) + ((kv * kvHeads + head) * BLOCK_SIZE + tokenInBlock) * 4LL;
}

// ---- bits ---------------------------------------------------------------------------------------------------------

#ifndef JETON_HOST
DEVICE unsigned bits_of(float x) { return __float_as_uint(x); }
DEVICE float float_of(unsigned x) { return __uint_as_float(x); }
#else
DEVICE unsigned bits_of(float x) { return __builtin_bit_cast(unsigned, x); }
DEVICE float float_of(unsigned x) { return __builtin_bit_cast(float, x); }
#endif

#define NEGATIVE_INFINITY float_of(0xff800000u)
#define NOT_A_NUMBER float_of(0x7fc00000u)

DEVICE float bf16_to_float(half_bits x) { return float_of((unsigned)x << 16); }

#ifndef JETON_HOST

DEVICE half_bits float_to_bf16(float x) {
    half_bits y;
    asm("cvt.rn.bf16.f32 %0, %1;" : "=h"(y) : "f"(x));
    return y;
}
DEVICE unsigned pack_bf16(float low, float high) {
    unsigned y;
    asm("cvt.rn.bf16x2.f32 %0, %1, %2;" : "=r"(y) : "f"(high), "f"(low));
    return y;
}
DEVICE float fp16_to_float(half_bits x) {
    float y;
    asm("cvt.f32.f16 %0, %1;" : "=f"(y) : "h"(x));
    return y;
}
DEVICE half_bits float_to_fp16(float x) {
    half_bits y;
    asm("cvt.rn.f16.f32 %0, %1;" : "=h"(y) : "f"(x));
    return y;
}
DEVICE unsigned pack_fp16(float low, float high) {
    unsigned y;
    asm("cvt.rn.f16x2.f32 %0, %1, %2;" : "=r"(y) : "f"(high), "f"(low));
    return y;
}
// 2^x; relative error about 2^-22, results below 2^-126 are zero.
DEVICE float exp2_fast(float x) {
    float y;
    asm("ex2.approx.ftz.f32 %0, %1;" : "=f"(y) : "f"(x));
    return y;
}
// 1 / x, off by one unit in the last place at most, for x that are no subnormals and whose reciprocals are none.
DEVICE float reciprocal(float x) {
    float y;
    asm("rcp.approx.ftz.f32 %0, %1;" : "=f"(y) : "f"(x));
    return y;
}
// a * b + c on two halves of the type named; sm_80 has it for both.
DEVICE unsigned fma2_bf16(unsigned a, unsigned b, unsigned c) {
    unsigned y;
    asm("fma.rn.bf16x2 %0, %1, %2, %3;" : "=r"(y) : "r"(a), "r"(b), "r"(c));
    return y;
}
DEVICE unsigned fma2_fp16(unsigned a, unsigned b, unsigned c) {
    unsigned y;
    asm("fma.rn.f16x2 %0, %1, %2, %3;" : "=r"(y) : "r"(a), "r"(b), "r"(c));
    return y;
}
DEVICE unsigned permute(unsigned a, unsigned b, unsigned selector) { return __byte_perm(a, b, selector); }

#else

DEVICE half_bits float_to_bf16(float x) {
    unsigned u = bits_of(x);
    if ((u & 0x7fffffffu) > 0x7f800000u) {
        return 0x7fff;
    }
    return (half_bits)((u + 0x7fffu + (u >> 16 & 1)) >> 16);
}
DEVICE float fp16_to_float(half_bits x) { return (float)__builtin_bit_cast(_Float16, x); }
DEVICE half_bits float_to_fp16(float x) { return __builtin_bit_cast(half_bits, (_Float16)x); }
DEVICE unsigned pack_bf16(float low, float high) { return float_to_bf16(low) | (unsigned)float_to_bf16(high) << 16; }
DEVICE unsigned pack_fp16(float low, float high) { return float_to_fp16(low) | (unsigned)float_to_fp16(high) << 16; }
DEVICE float exp2_fast(float x) { return x < -126.0f ? 0.0f : __builtin_exp2f(x); }
DEVICE float reciprocal(float x) { return 1.0f / x; }
DEVICE unsigned fma2_bf16(unsigned a, unsigned b, unsigned c) {
    unsigned y = 0;
    for (int i = 0; i < 32; i += 16) {
        double p = (double)bf16_to_float(a >> i) * bf16_to_float(b >> i) + bf16_to_float(c >> i);
        y |= (unsigned)float_to_bf16((float)p) << i;
    }
    return y;
}
DEVICE unsigned fma2_fp16(unsigned a, unsigned b, unsigned c) {
    unsigned y = 0;
    for (int i = 0; i < 32; i += 16) {
        double p = (double)fp16_to_float(a >> i) * fp16_to_float(b >> i) + fp16_to_float(c >> i);
        y |= (unsigned)float_to_fp16((float)p) << i;
    }
    return y;
}
DEVICE unsigned permute(unsigned a, unsigned b, unsigned selector) {
    unsigned long long all = a | (unsigned long long)b << 32;
    unsigned y = 0;
    for (int i = 0; i < 4; i++) {
        y |= (unsigned)(all >> 8 * (selector >> 4 * i & 7) & 0xff) << 8 * i;
    }
    return y;
}

#endif

#if JETON_TYPE == 0
DEVICE float act_to_float(act x) { return bf16_to_float(x); }
DEVICE act float_to_act(float x) { return float_to_bf16(x); }
DEVICE unsigned pack_act(float low, float high) { return pack_bf16(low, high); }
#else
DEVICE float act_to_float(act x) { return fp16_to_float(x); }
DEVICE act float_to_act(float x) { return float_to_fp16(x); }
DEVICE unsigned pack_act(float low, float high) { return pack_fp16(low, high); }
#endif

// Nearest e4m3 (1 sign, 4 exponent bits of bias 7, 3 mantissa bits), ties to even, saturating at 448; NaN stays NaN.
INDEX unsigned char float_bits_to_e4m3(unsigned u) {
    unsigned sign = u >> 24 & 0x80u;
    unsigned magnitude = u & 0x7fffffffu;
    if (magnitude > 0x7f800000u) {
        return (unsigned char)(sign | 0x7fu);
    }
    if (magnitude >= 0x43e00000u) {
        return (unsigned char)(sign | 0x7eu);
    }
    int exponent = (int)(magnitude >> 23) - 127;
    if (exponent >= -6) {
        unsigned rounded = magnitude + 0x7ffffu + (magnitude >> 20 & 1);
        unsigned code = (rounded >> 20) - ((127 - 7) << 3);
        return (unsigned char)(sign | (code > 0x7eu ? 0x7eu : code));
    }
    if (exponent < -10) {
        return (unsigned char)sign;
    }
    // Below 2^-6: multiples of 2^-9.
    unsigned mantissa = (magnitude & 0x7fffffu) | 0x800000u;
    int shift = 23 - 9 - exponent;
    unsigned half = 1u << (shift - 1);
    unsigned down = mantissa >> shift;
    unsigned rest = mantissa & ((1u << shift) - 1);
    return (unsigned char)(sign | (down + (rest > half || (rest == half && (down & 1)) ? 1 : 0)));
}

// Two values as e4m3, the first in the low byte.
DEVICE unsigned pack_e4m3(float low, float high) {
#if !defined(JETON_HOST) && __CUDA_ARCH__ >= 890
    half_bits y;
    asm("cvt.rn.satfinite.e4m3x2.f32 %0, %1, %2;" : "=h"(y) : "f"(high), "f"(low));
    return y;
#else
    return float_bits_to_e4m3(bits_of(low)) | (unsigned)float_bits_to_e4m3(bits_of(high)) << 8;
#endif
}

// 1 / (1 + e^-x).
DEVICE float sigmoid(float x) { return 1.0f / (1.0f + expf(-x)); }

// What queries of a position are multiplied with, beside the scale of all scores.
INDEX float query_growth(int position, float growth, int growthContext) {
    return growth == 0 ? 1.0f : 1.0f + growth * logf((float)(1 + position / growthContext));
}

// ---- activations of gates -----------------------------------------------------------------------------------------

#define ACTIVATION_SILU 0
#define ACTIVATION_GELU 1
#define ACTIVATION_CLAMPED 2

// What the clamped activation bounds gate and up to, and what it multiplies the gate by in its sigmoid.
#define CLAMP_LIMIT 7.0f
#define CLAMP_ALPHA 1.702f

// x / (1 + e^-x), or x (1 + tanh(u)) / 2 with u = sqrt(2 / pi) (x + 0.044715 x^3), which is x / (1 + e^-2u), or
// x / (1 + e^-u) with u = CLAMP_ALPHA x.
template <int activation>
DEVICE float activated(float x) {
    float u = activation == ACTIVATION_SILU   ? x
              : activation == ACTIVATION_GELU ? 1.5957691216057308f * (x + 0.044715f * x * x * x)
                                              : CLAMP_ALPHA * x;
    return x / (1.0f + exp2_fast(u * -1.4426950408889634f));
}

// What a gate and its up become. Clamped: the gate to CLAMP_LIMIT, the up to it both ways, and 1 is added to the up. What is
// no number stays none.
template <int activation>
DEVICE float joined(float gate, float up) {
    if (activation == ACTIVATION_CLAMPED) {
        gate = gate > CLAMP_LIMIT ? CLAMP_LIMIT : gate;
        up = (up > CLAMP_LIMIT ? CLAMP_LIMIT : up < -CLAMP_LIMIT ? -CLAMP_LIMIT : up) + 1.0f;
    }
    return activated<activation>(gate) * up;
}

// ---- products -----------------------------------------------------------------------------------------------------

#define MODE_ACT 0
#define MODE_FLOAT 1
#define MODE_RESIDUAL 2
#define MODE_SWIGLU 4
#define MODE_GEGLU 5
#define MODE_CLAMPED 6

// Whether rows of w are gates and ups, which are joined.
INDEX bool gated(int mode) { return mode >= MODE_SWIGLU; }

DEVICE float join_of(int mode, float gate, float up) {
    return mode == MODE_CLAMPED ? joined<ACTIVATION_CLAMPED>(gate, up)
           : mode == MODE_GEGLU ? joined<ACTIVATION_GELU>(gate, up)
                                : joined<ACTIVATION_SILU>(gate, up);
}

// Row of w that row r of a block's tiles is, or -1: where gated, the first eight rows of each 16 are gates, the others
// their ups.
INDEX int weight_row(int block, int r, int n, int mode, int tiles) {
    if (gated(mode)) {
        int at = block * 8 * tiles + r / 16 * 8 + r % 8;
        return at >= n ? -1 : r % 16 < 8 ? at : at + n;
    }
    int at = block * 16 * tiles + r;
    return at < n ? at : -1;
}

// Where a value of a product goes: row and column n of y, whose rows are yStride apart, plus bias[n] where it is not 0.
DEVICE void store_result(void* y, int yStride, int mode, const act* bias, int row, int n, float value) {
    if (bias) {
        value += act_to_float(bias[n]);
    }
    long long at = (long long)row * yStride + n;
    if (mode == MODE_FLOAT) {
        ((float*)y)[at] = value;
    } else if (mode == MODE_RESIDUAL) {
#if JETON_RESIDUAL == 1
        ((float*)y)[at] += value;
#else
        ((act*)y)[at] = float_to_act(act_to_float(((act*)y)[at]) + value);
#endif
    } else {
        ((act*)y)[at] = float_to_act(value);
    }
}

// Rows of experts lie in slots: those of expert 0, of expert 1 and so on. A tile of slots is 4 ints {expert, first slot,
// slots, 0}; plan[0] is how many tiles there are.
#define EXPERT_TILE 4

// Blocks of threads of a product of experts go through its tiles and its blocks of columns in strips of so many tiles: those
// that run at once then share the rows of as few tiles and the weights of as few columns as they can.
#define STRIP 16

INDEX int strip_tile(int block, int tiles, int columns) {
    int first = block / (STRIP * columns) * STRIP;
    int width = tiles - first < STRIP ? tiles - first : STRIP;
    return first + (block - first * columns) % width;
}

INDEX int strip_column(int block, int tiles, int columns) {
    int first = block / (STRIP * columns) * STRIP;
    int width = tiles - first < STRIP ? tiles - first : STRIP;
    return (block - first * columns) / width;
}

// The row of x of a slot: the token of the choice that has the slot, or the slot itself.
INDEX int row_of_slot(const int* choices, int perToken, int slot) {
    return choices ? choices[slot] / perToken : slot;
}

// The row of y of a slot: its place, or the slot itself.
INDEX int row_of_y(const int* places, int slot) { return places ? places[slot] : slot; }

// ---- weights in fewer bits, as act pairs --------------------------------------------------------------------------

static_assert(WEIGHTS >= WEIGHTS_ACT && WEIGHTS <= WEIGHTS_MXFP4, "WEIGHTS must be 0 to 6");

// Whether weights are integers whose scales change along k, with zeros.
#define INTEGER_GROUPS (WEIGHTS == WEIGHTS_INT4 || WEIGHTS == WEIGHTS_INT8_GROUP)

// Whether a byte holds two.
#define FOUR_BITS (WEIGHTS == WEIGHTS_INT4 || WEIGHTS == WEIGHTS_MXFP4)

static_assert(WEIGHTS == WEIGHTS_MXFP4 ? SCALE_GROUP == 32
                                       : SCALE_GROUP == 128 || (INTEGER_GROUPS && (SCALE_GROUP == 64 || SCALE_GROUP == 32)),
              "SCALE_GROUP must be 128, of integers in groups 128, 64 or 32, of MXFP4 32");

#define SCALE_ROWS 8  // rows that share the scales of WEIGHTS_FP8_BLOCK

// Whether scales change along k.
#define GROUPED (INTEGER_GROUPS || WEIGHTS == WEIGHTS_FP8_BLOCK || WEIGHTS == WEIGHTS_MXFP4)

INDEX long long weight_bytes(long long values) {
    return WEIGHTS == WEIGHTS_ACT ? 2 * values : FOUR_BITS ? values / 2 : values;
}

// What scales are: floats; for int4 words of an fp16 scale and zero << 16; for int8 in groups floats whose last ZERO_BITS
// are the zero, so that the scale has fourteen bits of fraction: all of fp16's and bf16's; for MXFP4 bytes, the exponent of a
// power of two plus 127. Those of a row are a multiple of four, so that they are read in words; the last ones are 0.
#define ZERO_BITS 9
#define ZERO_MASK ((1u << ZERO_BITS) - 1)
#define SCALES_OF_WORD 4
#if INTEGER_GROUPS
typedef unsigned scale_of_weights;
#elif WEIGHTS == WEIGHTS_MXFP4
typedef unsigned char scale_of_weights;
#else
typedef float scale_of_weights;
#endif

INDEX int groups_of(int k) {
    const int step = WEIGHTS == WEIGHTS_MXFP4 ? SCALES_OF_WORD * SCALE_GROUP : SCALE_GROUP;
    return (k + step - 1) / step * (step / SCALE_GROUP);
}

// Index of a row's first scale in a matrix of k columns.
INDEX long long scale_index(long long row, int k) {
    return INTEGER_GROUPS || WEIGHTS == WEIGHTS_MXFP4 ? row * groups_of(k)
           : WEIGHTS == WEIGHTS_FP8_BLOCK             ? row / SCALE_ROWS * groups_of(k)
                                                      : row;
}

// The nibble of a word where value k (0 to 7) lies: pairs (0, 1), (2, 3)... 16 bits apart, so that one mask takes
// both.
INDEX int nibble_of(int k) { return k / 2 + k % 2 * 4; }

// Values 2j and 2j + 1 (of four) of a word of int8.
DEVICE unsigned int8_pair(unsigned word, int j) {
#if JETON_TYPE == 0
    unsigned shifted = word ^ 0x80808080u;
    // 2^23 + u as floats; bf16 holds -128 to 127 exactly, so the upper halves are the values.
    float low = float_of(permute(shifted, 0x4b000000u, j ? 0x7442u : 0x7440u)) - 8388736.0f;
    float high = float_of(permute(shifted, 0x4b000000u, j ? 0x7443u : 0x7441u)) - 8388736.0f;
    return permute(bits_of(low), bits_of(high), 0x7632u);
#else
    unsigned spread = permute(word ^ 0x80808080u, 0x64u, j ? 0x4342u : 0x4140u);
    return fma2_fp16(spread, 0x3c003c00u, 0xe480e480u);  // 1024 + u, minus 1152
#endif
}

// Values 2j and 2j + 1 (of four) of a word of bytes, minus a zero given as minus_byte_zero(): -256 to 255, which bf16 holds
// exactly, too.
DEVICE unsigned byte_pair(unsigned word, int j, unsigned zero) {
#if JETON_TYPE == 0
    // 2^23 + v as floats
    float low = float_of(permute(word, 0x4b000000u, j ? 0x7442u : 0x7440u)) + float_of(zero);
    float high = float_of(permute(word, 0x4b000000u, j ? 0x7443u : 0x7441u)) + float_of(zero);
    return permute(bits_of(low), bits_of(high), 0x7632u);
#else
    return fma2_fp16(permute(word, 0x64u, j ? 0x4342u : 0x4140u), 0x3c003c00u, zero);  // 1024 + v
#endif
}
DEVICE unsigned minus_byte_zero(unsigned zero) {
#if JETON_TYPE == 0
    return 0xcb000000u | zero;
#else
    return (0xe400u + zero) * 0x10001u;
#endif
}

// Values 2j and 2j + 1 (of eight) of a word of int4, minus a zero given as minus_zero().
DEVICE unsigned int4_pair(unsigned word, int j, unsigned zero) {
    unsigned nibbles = word >> 4 * j & 0x000f000fu;
#if JETON_TYPE == 0
    return fma2_bf16(nibbles | 0x43004300u, 0x3f803f80u, zero);  // 128 + v
#else
    return fma2_fp16(nibbles | 0x64006400u, 0x3c003c00u, zero);  // 1024 + v
#endif
}
DEVICE unsigned minus_zero(unsigned zero) {
#if JETON_TYPE == 0
    return (0xc300u + zero) * 0x10001u;
#else
    return (0xe400u + zero) * 0x10001u;
#endif
}

// Values 2j and 2j + 1 (of four) of a word of e4m3, as 1 / FP8_LIFT of their value. Their bits are those of a small bf16
// or fp16, subnormals included; bf16 would be too small for float sums, so one product brings it back.
DEVICE unsigned fp8_pair(unsigned word, int j) {
    unsigned spread = permute(word, 0, j ? 0x3424u : 0x1404u);
#if JETON_TYPE == 0
    return fma2_bf16((spread & 0x80008000u) | (spread >> 4 & 0x07f007f0u), 0x7b807b80u, 0x80008000u);  // times 2^120
#else
    return (spread & 0x80008000u) | (spread >> 1 & 0x3f803f80u);
#endif
}
#if JETON_TYPE == 0
#define FP8_LIFT 1.0f
#else
#define FP8_LIFT 256.0f
#endif

// Values 2j and 2j + 1 (of eight) of a word of e2m1, as 1 / MXFP4_LIFT of their value. As those of e4m3 they have the bits of
// a small number of the type, which bf16 brings back.
DEVICE unsigned mxfp4_pair(unsigned word, int j) {
    unsigned nibbles = word >> 4 * j;
#if JETON_TYPE == 0
    return fma2_bf16((nibbles << 12 & 0x80008000u) | (nibbles << 6 & 0x01c001c0u), 0x7e807e80u, 0x80008000u);  // times 2^126
#else
    return (nibbles << 12 & 0x80008000u) | (nibbles << 9 & 0x0e000e00u);
#endif
}
#if JETON_TYPE == 0
#define MXFP4_LIFT 1.0f
#else
#define MXFP4_LIFT 16384.0f
#endif

// A scale of MXFP4 times MXFP4_LIFT, twice: what pairs are multiplied by. In bf16 the product is exact; in fp16 it is rounded
// below 2^-14. A scale is at most 2^125, in fp16 2, so that the greatest product is a number.
DEVICE unsigned scale_pair(unsigned scale) {
#if JETON_TYPE == 0
    return scale ? scale * 0x00800080u : 0x00400040u;
#else
    // 2^(scale - 113), of which those below 2^-14 are subnormal and those below 2^-24 nothing
    return (scale > 98 ? (scale - 98) << 10 : scale > 88 ? 1u << (scale - 89) : 0u) * 0x10001u;
#endif
}
DEVICE unsigned times_scale(unsigned pair, unsigned scales) {
#if JETON_TYPE == 0
    return fma2_bf16(pair, scales, 0x80008000u);
#else
    return fma2_fp16(pair, scales, 0x80008000u);
#endif
}

// What the sum of pairs is multiplied by, of a scale.
DEVICE float factor_of(scale_of_weights scale) {
#if WEIGHTS == WEIGHTS_INT4
    return fp16_to_float((half_bits)scale);
#elif WEIGHTS == WEIGHTS_INT8_GROUP
    return float_of(scale & ~ZERO_MASK);
#elif WEIGHTS == WEIGHTS_FP8 || WEIGHTS == WEIGHTS_FP8_BLOCK
    return scale * FP8_LIFT;
#elif WEIGHTS == WEIGHTS_MXFP4
    return float_of(scale ? (unsigned)scale << 23 : 0x00400000u) * MXFP4_LIFT;
#else
    return scale;
#endif
}

// What pairs are given as the zero that belongs to a scale; of formats without zeros anything.
DEVICE unsigned zero_of(scale_of_weights scale) {
#if WEIGHTS == WEIGHTS_INT4
    return minus_zero(scale >> 16);
#elif WEIGHTS == WEIGHTS_INT8_GROUP
    return minus_byte_zero(scale & ZERO_MASK);
#else
    return 0;
#endif
}

// Values 2i and 2i + 1 of words of weights that follow each other.
DEVICE unsigned weight_pair(const unsigned* words, int i, unsigned zero) {
    if (WEIGHTS == WEIGHTS_ACT) {
        return words[i];
    }
    if (WEIGHTS == WEIGHTS_INT8) {
        return int8_pair(words[i / 2], i % 2);
    }
    if (WEIGHTS == WEIGHTS_INT4) {
        return int4_pair(words[i / 4], i % 4, zero);
    }
    if (WEIGHTS == WEIGHTS_INT8_GROUP) {
        return byte_pair(words[i / 2], i % 2, zero);
    }
    if (WEIGHTS == WEIGHTS_MXFP4) {
        return mxfp4_pair(words[i / 4], i % 4);
    }
    return fp8_pair(words[i / 2], i % 2);
}

// ---- vectors of eight ---------------------------------------------------------------------------------------------

DEVICE void unpack_act(unsigned x, float* to) {
#if JETON_TYPE == 0
    to[0] = float_of(x << 16);
    to[1] = float_of(x & 0xffff0000u);
#else
    to[0] = fp16_to_float((half_bits)x);
    to[1] = fp16_to_float((half_bits)(x >> 16));
#endif
}

DEVICE void load8(const act* from, float* to) {
    uint4 v = *(const uint4*)from;
    unpack_act(v.x, to);
    unpack_act(v.y, to + 2);
    unpack_act(v.z, to + 4);
    unpack_act(v.w, to + 6);
}
// Elements order[0] to order[7] of a row.
DEVICE uint4 gather8(const act* row, const int* order) {
    unsigned words[4];
#pragma unroll
    for (int j = 0; j < 4; j++) {
        words[j] = row[order[2 * j]] | (unsigned)row[order[2 * j + 1]] << 16;
    }
    return make_uint4(words[0], words[1], words[2], words[3]);
}
DEVICE void store8(act* to, const float* from) {
    *(uint4*)to = make_uint4(pack_act(from[0], from[1]), pack_act(from[2], from[3]), pack_act(from[4], from[5]),
                             pack_act(from[6], from[7]));
}
DEVICE void load8(const float* from, float* to) {
    float4 a = ((const float4*)from)[0];
    float4 b = ((const float4*)from)[1];
    to[0] = a.x, to[1] = a.y, to[2] = a.z, to[3] = a.w;
    to[4] = b.x, to[5] = b.y, to[6] = b.z, to[7] = b.w;
}
DEVICE void store8(float* to, const float* from) {
    ((float4*)to)[0] = make_float4(from[0], from[1], from[2], from[3]);
    ((float4*)to)[1] = make_float4(from[4], from[5], from[6], from[7]);
}
DEVICE void store8_e4m3(unsigned char* to, const float* from) {
    unsigned low = pack_e4m3(from[0], from[1]) | pack_e4m3(from[2], from[3]) << 16;
    unsigned high = pack_e4m3(from[4], from[5]) | pack_e4m3(from[6], from[7]) << 16;
    *(uint2*)to = make_uint2(low, high);
}

// ---- reductions: the same tree whatever runs beside it ------------------------------------------------------------

#define ALL_LANES 0xffffffffu

DEVICE float warp_sum(float x) {
    for (int d = 16; d > 0; d >>= 1) {
        x += __shfl_xor_sync(ALL_LANES, x, d);
    }
    return x;
}
DEVICE float warp_max(float x) {
    for (int d = 16; d > 0; d >>= 1) {
        x = fmaxf(x, __shfl_xor_sync(ALL_LANES, x, d));
    }
    return x;
}

// Sum (or maximum) over a block of whole warps, in every thread; scratch of 32 floats, free again after the next
// __syncthreads.
DEVICE float block_sum(float x, float* scratch) {
    x = warp_sum(x);
    if ((threadIdx.x & 31) == 0) {
        scratch[threadIdx.x >> 5] = x;
    }
    __syncthreads();
    int lane = threadIdx.x & 31;
    return warp_sum(lane < (int)blockDim.x / 32 ? scratch[lane] : 0.0f);
}
DEVICE float block_max(float x, float* scratch) {
    x = warp_max(x);
    if ((threadIdx.x & 31) == 0) {
        scratch[threadIdx.x >> 5] = x;
    }
    __syncthreads();
    int lane = threadIdx.x & 31;
    return warp_max(lane < (int)blockDim.x / 32 ? scratch[lane] : NEGATIVE_INFINITY);
}

// ---- copies to shared memory and tensor cores ---------------------------------------------------------------------

#ifndef JETON_HOST

DEVICE unsigned shared_address(const void* p) { return (unsigned)__cvta_generic_to_shared(p); }

// Copies 16 bytes without passing through registers; writes zeros instead where `take` is false.
DEVICE void copy16_async(void* to, const void* from, bool take) {
    asm volatile("cp.async.cg.shared.global.L2::128B [%0], [%1], 16, %2;"
                 :
                 : "r"(shared_address(to)), "l"(from), "r"(take ? 16 : 0)
                 : "memory");
}
// The same of four bytes, which stay in the first cache.
DEVICE void copy4_async(void* to, const void* from, bool take) {
    asm volatile("cp.async.ca.shared.global [%0], [%1], 4, %2;"
                 :
                 : "r"(shared_address(to)), "l"(from), "r"(take ? 4 : 0)
                 : "memory");
}
DEVICE void copies_commit() { asm volatile("cp.async.commit_group;" ::: "memory"); }
// Waits until at most `left` of this thread's committed groups are under way.
template <int left>
DEVICE void copies_wait() {
    asm volatile("cp.async.wait_group %0;" : : "n"(left) : "memory");
}

// Four 8x8 matrices of 16-bit elements: lane i gives the address of row i % 8 of matrix i / 8; lane i gets of each
// matrix the elements (row i / 4, columns 2 (i % 4) and + 1), or with _transposed (rows 2 (i % 4) and + 1, column i /
// 4).
DEVICE void load_matrices(unsigned* r, const void* row) {
    asm volatile("ldmatrix.sync.aligned.m8n8.x4.shared.b16 {%0,%1,%2,%3}, [%4];"
                 : "=r"(r[0]), "=r"(r[1]), "=r"(r[2]), "=r"(r[3])
                 : "r"(shared_address(row))
                 : "memory");
}
DEVICE void load_matrices_transposed(unsigned* r, const void* row) {
    asm volatile("ldmatrix.sync.aligned.m8n8.x4.trans.shared.b16 {%0,%1,%2,%3}, [%4];"
                 : "=r"(r[0]), "=r"(r[1]), "=r"(r[2]), "=r"(r[3])
                 : "r"(shared_address(row))
                 : "memory");
}

// c += a b, a 16x16, b 16x8, c 16x8. With g = lane / 4, q = lane % 4: a[0] holds (g, 2q..), a[1] (g + 8, 2q..), a[2]
// (g, 2q + 8..), a[3] (g + 8, 2q + 8..); b[0] (2q.., g), b[1] (2q + 8.., g); c[0..1] (g, 2q..), c[2..3] (g + 8, 2q..).
DEVICE void mma_bf16(float* c, const unsigned* a, const unsigned* b) {
    asm volatile(
        "mma.sync.aligned.m16n8k16.row.col.f32.bf16.bf16.f32 {%0,%1,%2,%3}, {%4,%5,%6,%7}, {%8,%9}, {%0,%1,%2,%3};"
        : "+f"(c[0]), "+f"(c[1]), "+f"(c[2]), "+f"(c[3])
        : "r"(a[0]), "r"(a[1]), "r"(a[2]), "r"(a[3]), "r"(b[0]), "r"(b[1]));
}
DEVICE void mma_fp16(float* c, const unsigned* a, const unsigned* b) {
    asm volatile(
        "mma.sync.aligned.m16n8k16.row.col.f32.f16.f16.f32 {%0,%1,%2,%3}, {%4,%5,%6,%7}, {%8,%9}, {%0,%1,%2,%3};"
        : "+f"(c[0]), "+f"(c[1]), "+f"(c[2]), "+f"(c[3])
        : "r"(a[0]), "r"(a[1]), "r"(a[2]), "r"(a[3]), "r"(b[0]), "r"(b[1]));
}

// 16 bytes that are read once: kept out of the first cache.
DEVICE uint4 load_once(const void* from) {
    uint4 v;
    asm volatile("ld.global.L1::no_allocate.L2::128B.v4.u32 {%0,%1,%2,%3}, [%4];"
                 : "=r"(v.x), "=r"(v.y), "=r"(v.z), "=r"(v.w)
                 : "l"(from));
    return v;
}
// Reads past the first cache, for what another block of this launch wrote.
DEVICE float load_fresh(const float* from) { return __ldcg(from); }

#else

// An asynchronous copy is made when it is waited for, no earlier, and its target is poisoned until then: a kernel that
// reads before it waited reads NaN.
struct jeton_copy {
    void* to;
    const void* from;  // null: what there is to take was read already
    int bytes;
    bool take;
    alignas(16) unsigned char early[16];
};

// What a thread has begun and not waited for, in order, and how much of it is of the groups up to each.
struct jeton_copies {
    int count;
    int groups;
    int ends[8];
    jeton_copy begun[128];
};

static jeton_copies jeton_pending[1024];
struct alignas(64) jeton_tile {
    float left[16][16];
    float right[8][16];
};
static jeton_tile jeton_tiles[32][2];
static const void* jeton_rows[32][32];

template <int bytes>
static inline void jeton_store(void* to, const void* from) {
    static_assert(bytes == 4 || bytes == 16, "copies have 4 or 16 bytes");
    if (bytes == 16) {
        *(uint4*)to = *(const uint4*)from;
    } else {
        *(unsigned*)to = *(const unsigned*)from;
    }
}
static const unsigned jeton_poison[4] __attribute__((aligned(16))) = {~0u, ~0u, ~0u, ~0u};
static const unsigned jeton_zeros[4] __attribute__((aligned(16))) = {0, 0, 0, 0};

template <int bytes>
static inline void jeton_begin_copy(void* to, const void* from, bool take) {
    assert((uintptr_t)to % bytes == 0 && (uintptr_t)from % bytes == 0);
    jeton_store<bytes>(to, jeton_poison);
    jeton_copies& mine = jeton_pending[threadIdx.x];
    assert(mine.count < 128);
    jeton_copy& copy = mine.begun[mine.count++];
    copy.to = to;
    copy.from = from;
    copy.bytes = bytes;
    copy.take = take;
}
static inline void copy16_async(void* to, const void* from, bool take) { jeton_begin_copy<16>(to, from, take); }
static inline void copy4_async(void* to, const void* from, bool take) { jeton_begin_copy<4>(to, from, take); }
template <int bytes>
static inline void jeton_make_copy(const jeton_copy& copy) {
    jeton_store<bytes>(copy.to, !copy.take ? jeton_zeros : copy.from ? copy.from : copy.early);
}
static inline void copies_commit() {
    jeton_copies& mine = jeton_pending[threadIdx.x];
    assert(mine.groups < 8);
    mine.ends[mine.groups++] = mine.count;
}
template <int left>
static inline void copies_wait() {
    jeton_copies& mine = jeton_pending[threadIdx.x];
    int over = mine.groups - left;
    if (over <= 0) {
        return;
    }
    int made = mine.ends[over - 1];
    for (int i = 0; i < made; i++) {
        const jeton_copy& copy = mine.begun[i];
        copy.bytes == 16 ? jeton_make_copy<16>(copy) : jeton_make_copy<4>(copy);
    }
    mine.count -= made;
    memmove(mine.begun, mine.begun + made, mine.count * sizeof(jeton_copy));
    for (int g = 0; g < left; g++) {
        mine.ends[g] = mine.ends[g + over] - made;
    }
    mine.groups = left;
}

// Copies that were begun before this wait read what there was before it: that is one of the times when a GPU may make
// them. They are put aside, since the kernel before may be of this module.
static inline void jeton_wait_for_previous() {
    jeton_copies& mine = jeton_pending[threadIdx.x];
    if (!::jeton::machine.launch->previous || mine.count == 0) {
        ::jeton::wait_for_previous();
        return;
    }
    for (int i = 0; i < mine.count; i++) {
        jeton_copy& copy = mine.begun[i];
        if (copy.take) {
            memcpy(copy.early, copy.from, copy.bytes);
            copy.from = nullptr;
        }
    }
    size_t bytes = offsetof(jeton_copies, begun) + mine.count * sizeof(jeton_copy);
    void* aside = malloc(bytes);
    memcpy(aside, &mine, bytes);
    mine.count = mine.groups = 0;
    ::jeton::wait_for_previous();
    memcpy(&mine, aside, bytes);
    free(aside);
}

static inline void jeton_load_matrices(unsigned* r, const void* row, bool transposed) {
    int warp = threadIdx.x / 32;
    int lane = threadIdx.x % 32;
    assert((uintptr_t)row % 16 == 0);
    jeton_rows[warp][lane] = row;
    jeton_meet();
    for (int m = 0; m < 4; m++) {
        const void** rows = jeton_rows[warp] + 8 * m;
        if (transposed) {
            unsigned low = ((const unsigned short*)rows[lane % 4 * 2])[lane / 4];
            unsigned high = ((const unsigned short*)rows[lane % 4 * 2 + 1])[lane / 4];
            r[m] = low | high << 16;
        } else {
            r[m] = ((const unsigned*)rows[lane / 4])[lane % 4];
        }
    }
    jeton_meet();
}
static inline void load_matrices(unsigned* r, const void* row) { jeton_load_matrices(r, row, false); }
static inline void load_matrices_transposed(unsigned* r, const void* row) { jeton_load_matrices(r, row, true); }

typedef float jeton_16 __attribute__((vector_size(64)));
typedef float jeton_8 __attribute__((vector_size(32)));
typedef float jeton_4 __attribute__((vector_size(16)));

static inline float jeton_dot(const float* left, const float* right) {
    union { jeton_16 all; jeton_8 half[2]; } p = {*(const jeton_16*)left * *(const jeton_16*)right};
    union { jeton_8 all; jeton_4 half[2]; } q = {p.half[0] + p.half[1]};
    jeton_4 r = q.half[0] + q.half[1];
    return (r[0] + r[2]) + (r[1] + r[3]);
}

// What lanes give each other is in one of two tiles by turns: a lane that writes to one again has met, in between, all that
// read it.
template <float (*to_float)(unsigned short)>
static inline void jeton_mma(float* c, const unsigned* a, const unsigned* b) {
    bool& turn = ::jeton::current->turn;
    turn = !turn;
    jeton_tile& tile = jeton_tiles[threadIdx.x / 32][turn];
    int row = threadIdx.x % 32 / 4;
    int pair = threadIdx.x % 4 * 2;
    for (int i = 0; i < 2; i++) {
        for (int half = 0; half < 2; half++) {
            tile.left[row][pair + i + 8 * half] = to_float((unsigned short)(a[2 * half] >> 16 * i));
            tile.left[row + 8][pair + i + 8 * half] = to_float((unsigned short)(a[2 * half + 1] >> 16 * i));
            tile.right[row][pair + i + 8 * half] = to_float((unsigned short)(b[half] >> 16 * i));
        }
    }
    jeton_meet();
    for (int i = 0; i < 4; i++) {
        c[i] += jeton_dot(tile.left[row + i / 2 * 8], tile.right[pair + i % 2]);
    }
}
static inline void mma_bf16(float* c, const unsigned* a, const unsigned* b) { jeton_mma<bf16_to_float>(c, a, b); }
static inline void mma_fp16(float* c, const unsigned* a, const unsigned* b) { jeton_mma<fp16_to_float>(c, a, b); }

static inline uint4 load_once(const void* from) { return *(const uint4*)from; }
static inline float load_fresh(const float* from) { return *from; }

#endif

#if JETON_TYPE == 0
#define mma_act mma_bf16
#else
#define mma_act mma_fp16
#endif

// Programmatic dependent launch (sm_90 on; nothing happens where the next launch does not ask for it, but a library's may
// ask whatever ours do). The next kernel's blocks may come onto the device as this one's blocks end, and wait there: its
// launch costs nothing then. Every kernel waits for the one before, also one that finds nothing to do, since its end
// stands for the end of all before it.
DEVICE void let_next_start() {
#if !defined(JETON_HOST) && __CUDA_ARCH__ >= 900
    asm volatile("griddepcontrol.launch_dependents;");
#endif
}
DEVICE void wait_for_previous() {
#if defined(JETON_HOST)
    jeton_wait_for_previous();
#elif __CUDA_ARCH__ >= 900
    asm volatile("griddepcontrol.wait;" ::: "memory");
#endif
}
DEVICE void take_turn() {
    let_next_start();
    wait_for_previous();
}

// Whether this block is the last of `parts` to get here; the counter is left at zero. What the others wrote before
// can be read with load_fresh afterwards. All threads must call it.
DEVICE bool last_to_arrive(int* counter, int parts) {
    __shared__ int last;
    __threadfence();
    __syncthreads();
    if (threadIdx.x == 0) {
        last = atomicAdd(counter, 1) == parts - 1;
        if (last) {
            *counter = 0;
        }
    }
    __syncthreads();
    __threadfence();
    return last;
}

#endif
