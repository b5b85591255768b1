// Matrix products of few rows, y[row][n] = sum over k of x[row][k] * w[n][k]: bound by reading w once.
//
// A launch takes 16 rows of x from `first` on; a few launches after another serve more rows as long as they read less
// than the ways of large batches, which first write quantised weights out in 16 bits.
//
// The weights are the 16-row operand of mma.sync m16n8k16 and the rows of x its 8 columns, so one to eight rows cost
// the same, nine to sixteen twice the arithmetic. Weights go from memory straight to registers, 16 bytes a lane: a
// lane 4 g + q reads values of rows g and g + 8 that lie side by side along k, where mma wants k = 2q, 2q + 1, 2q +
// 8, 2q + 9. A sum over k does not mind the order, so x is read in the same order and nothing is shuffled. Quantised
// weights become bf16 or fp16 in registers, exactly; scales are applied to float sums.
//
// Eight warps of a block share 32 (int4: 64) rows of w and take turns along k (so together they read 512 bytes of a
// row in sequence); their sums are added in order, and so are those of `splits` blocks: the same bits each time.
// Weights pass through a ring of stages in shared memory, where each lane reads only what it copied itself: the ring
// needs no barrier and no registers, and keeps memory busy whatever order the compiler gives the loads. x comes from
// the caches when it is used; the other warps cover its latency.
#include "jeton.cuh"

#define WARPS 8
#define THREADS (WARPS * 32)

#define KIND_ACT 0
#define KIND_INT8 1
#define KIND_INT4 2
#define KIND_FP8 3

#define INT4_GROUP 128

// ---- index arithmetic ---------------------------------------------------------------------------------------------

// Values of one row that 16 bytes hold, and along k that a warp takes in a turn.
INDEX constexpr int values_of(int kind) { return kind == KIND_ACT ? 8 : kind == KIND_INT4 ? 32 : 16; }
INDEX constexpr int turn_of(int kind) { return 4 * values_of(kind); }

// 16-row tiles of a block: int4 takes more, so that x is read less often beside its few bytes of weights.
INDEX constexpr int tiles_of(int kind) { return kind == KIND_INT4 ? 4 : 2; }
INDEX constexpr int stage_bytes(int kind) { return tiles_of(kind) * 2 * 16 * THREADS; }
INDEX constexpr int stages_of(int kind) { return kind == KIND_INT4 ? 4 : 6; }
INDEX constexpr int ring_bytes(int kind) { return stages_of(kind) * stage_bytes(kind); }

// The nibble of a word where value k (0 to 7) lies: pairs (0, 1), (2, 3)... 16 bits apart, so that one mask takes
// both.
INDEX int nibble_of(int k) { return k / 2 + k % 2 * 4; }

// ---- weights as act pairs -----------------------------------------------------------------------------------------

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

// ---- the product --------------------------------------------------------------------------------------------------

struct Product {
    const int* header;
    int count;
    int first;                // row of x, and of y, that this block begins with
    int block;                // of columns
    int split;                // of k
    const int* choices;       // rows of experts: which choice has a slot, or 0
    int perToken;
    const act* x;
    int xStride;
    const unsigned char* w;
    const float* scales;      // int8, fp8: of each row
    const unsigned* groups;   // int4: of each row and 128 values: fp16 scale, and zero << 16
    int n;
    int k;
    int mode;
    const act* bias;
    void* y;
    int yStride;
    int splits;
    float* partials;
    int* counters;
};

DEVICE unsigned word_of(const uint4& v, int i) { return i == 0 ? v.x : i == 1 ? v.y : i == 2 ? v.z : v.w; }

template <int kind>
DEVICE long long weight_bytes(long long values) {
    return kind == KIND_ACT ? 2 * values : kind == KIND_INT4 ? values / 2 : values;
}

// Values 2i and 2i + 1 of 16 bytes of weights.
template <int kind>
DEVICE unsigned weight_pair(const uint4& w, int i, unsigned zero) {
    if (kind == KIND_ACT) {
        return word_of(w, i);
    }
    if (kind == KIND_INT8) {
        return int8_pair(word_of(w, i / 2), i % 2);
    }
    if (kind == KIND_FP8) {
        return fp8_pair(word_of(w, i / 2), i % 2);
    }
    return int4_pair(word_of(w, i / 4), i % 4, zero);
}

// Where a lane reads: rows g and g + 8 of each tile of weights, and of x. Rows that do not exist read another one;
// what comes of them is not stored.
template <int kind>
struct Sources {
    const unsigned char* w[2 * tiles_of(kind)];
    const unsigned* groups[2 * tiles_of(kind)];
    const act* x[2];
};

template <int kind>
DEVICE void begin_turn(uint4* stage, const Sources<kind>& s, int k, bool exists) {
#pragma unroll
    for (int i = 0; i < 2 * tiles_of(kind); i++) {
        copy16_async(stage + i * THREADS + threadIdx.x, s.w[i] + (exists ? weight_bytes<kind>(k) : 0), exists);
    }
}

template <int kind, bool two>
DEVICE void multiply_turn(const uint4* stage, const Sources<kind>& s, int k,
                          float (&sum)[tiles_of(kind)][2][4]) {
    const int vectors = values_of(kind) / 8;
    uint4 x[2][vectors];
#pragma unroll
    for (int h = 0; h < (two ? 2 : 1); h++) {
#pragma unroll
        for (int i = 0; i < vectors; i++) {
            x[h][i] = *(const uint4*)(s.x[h] + k + 8 * i);
        }
    }
#pragma unroll
    for (int m = 0; m < tiles_of(kind); m++) {
        uint4 w[2] = {stage[2 * m * THREADS + threadIdx.x], stage[(2 * m + 1) * THREADS + threadIdx.x]};
        unsigned group[2] = {0, 0};
        if (kind == KIND_INT4) {
            group[0] = s.groups[2 * m][k / INT4_GROUP];
            group[1] = s.groups[2 * m + 1][k / INT4_GROUP];
        }
        unsigned zero[2] = {minus_zero(group[0] >> 16), minus_zero(group[1] >> 16)};
        float part[2][4] = {{0, 0, 0, 0}, {0, 0, 0, 0}};
        float(&to)[2][4] = kind == KIND_INT4 ? part : sum[m];
#pragma unroll
        for (int step = 0; step < values_of(kind) / 4; step++) {
            unsigned a[4] = {weight_pair<kind>(w[0], 2 * step, zero[0]), weight_pair<kind>(w[1], 2 * step, zero[1]),
                             weight_pair<kind>(w[0], 2 * step + 1, zero[0]),
                             weight_pair<kind>(w[1], 2 * step + 1, zero[1])};
#pragma unroll
            for (int h = 0; h < (two ? 2 : 1); h++) {
                unsigned b[2] = {word_of(x[h][step / 2], step % 2 * 2), word_of(x[h][step / 2], step % 2 * 2 + 1)};
                mma_act(to[h], a, b);
            }
        }
        if (kind == KIND_INT4) {
            float low = fp16_to_float((half_bits)group[0]);
            float high = fp16_to_float((half_bits)group[1]);
#pragma unroll
            for (int h = 0; h < (two ? 2 : 1); h++) {
                sum[m][h][0] += low * part[h][0], sum[m][h][1] += low * part[h][1];
                sum[m][h][2] += high * part[h][2], sum[m][h][3] += high * part[h][3];
            }
        }
    }
}

template <int kind>
DEVICE Sources<kind> weight_sources(const Product& p) {
    Sources<kind> s;
#pragma unroll
    for (int i = 0; i < 2 * tiles_of(kind); i++) {
        long long row = max(weight_row(p.block, threadIdx.x % 32 / 4 + 8 * i, p.n, p.mode, tiles_of(kind)), 0);
        s.w[i] = p.w + weight_bytes<kind>(row * p.k);
        s.groups[i] = p.groups + row * (p.k / INT4_GROUP);
    }
    return s;
}

// This lane's first value along k, and how far apart its turns are.
template <int kind>
DEVICE int first_value(const Product& p) {
    return (p.split * WARPS + threadIdx.x / 32) * turn_of(kind) + threadIdx.x % 4 * values_of(kind);
}
template <int kind>
DEVICE int turn_step(const Product& p) {
    return WARPS * p.splits * turn_of(kind);
}

// Fills the ring but for one stage. Weights depend on no kernel before, so this comes ahead of the wait for it.
template <int kind>
DEVICE void fill_ring(const Product& p, uint4* ring, const Sources<kind>& s) {
    int k = first_value<kind>(p);
#pragma unroll
    for (int i = 0; i < stages_of(kind) - 1; i++) {
        begin_turn<kind>(ring + i * 2 * tiles_of(kind) * THREADS, s, k, k < p.k);
        copies_commit();
        k += turn_step<kind>(p);
    }
}

// This warp's part of the sums: turns split * WARPS + warp, and every WARPS * splits further.
template <int kind, bool two>
DEVICE void sum_turns(const Product& p, uint4* ring, const Sources<kind>& s, float (&sum)[tiles_of(kind)][2][4]) {
    const int stages = stages_of(kind);
    const int stage = 2 * tiles_of(kind) * THREADS;
    int step = turn_step<kind>(p);
    int k = first_value<kind>(p);
    int fetched = k + (stages - 1) * step;
    int used = 0;
    int filled = stages - 1;
    for (; k < p.k; k += step) {
        copies_wait<stages - 2>();
        begin_turn<kind>(ring + filled * stage, s, fetched, fetched < p.k);
        copies_commit();
        fetched += step;
        multiply_turn<kind, two>(ring + used * stage, s, k, sum);
        used = used + 1 == stages ? 0 : used + 1;
        filled = filled + 1 == stages ? 0 : filled + 1;
    }
}

DEVICE void store_result(const Product& p, int row, int n, float value) {
    if (p.bias) {
        value += act_to_float(p.bias[n]);
    }
    long long at = (long long)row * p.yStride + n;
    if (p.mode == MODE_FLOAT) {
        ((float*)p.y)[at] = value;
    } else if (p.mode == MODE_RESIDUAL) {
#if JETON_RESIDUAL == 1
        ((float*)p.y)[at] += value;
#else
        ((act*)p.y)[at] = float_to_act(act_to_float(((act*)p.y)[at]) + value);
#endif
    } else {
        ((act*)p.y)[at] = float_to_act(value);
    }
}

// The sums of `rows` rows, of which 16 at most are computed; weights are under way already.
template <int kind>
DEVICE void skinny_rows(const Product& p, Sources<kind>& s, unsigned char* ring, int rows) {
    const int tiles = tiles_of(kind);
    int warp = threadIdx.x / 32;
    int g = threadIdx.x % 32 / 4;
    int q = threadIdx.x % 4;
    float sum[tiles][2][4];
#pragma unroll
    for (int m = 0; m < tiles; m++) {
#pragma unroll
        for (int h = 0; h < 2; h++) {
            sum[m][h][0] = sum[m][h][1] = sum[m][h][2] = sum[m][h][3] = 0;
        }
    }
    for (int h = 0; h < 2; h++) {
        int slot = p.first + max(min(g + 8 * h, rows - 1), 0);
        s.x[h] = p.x + (long long)row_of_slot(p.choices, p.perToken, slot) * p.xStride;
    }
    if (rows > 8) {
        sum_turns<kind, true>(p, (uint4*)ring, s, sum);
    } else if (rows > 0) {
        sum_turns<kind, false>(p, (uint4*)ring, s, sum);
    }
    copies_wait<0>();
    if (rows <= 0) {
        return;
    }
    __syncthreads();
    // [warp][weight row][row of x], 17 apart against bank conflicts.
    float* sums = (float*)ring;
    const int plane = 16 * tiles * 17;
#pragma unroll
    for (int m = 0; m < tiles; m++) {
#pragma unroll
        for (int h = 0; h < 2; h++) {
#pragma unroll
            for (int i = 0; i < 4; i++) {
                sums[warp * plane + (16 * m + g + i / 2 * 8) * 17 + 8 * h + 2 * q + i % 2] = sum[m][h][i];
            }
        }
    }
    __syncthreads();
    float value[tiles];
#pragma unroll
    for (int m = 0; m < tiles; m++) {
        int i = m * THREADS + threadIdx.x;
        value[m] = 0;
        for (int w = 0; w < WARPS; w++) {
            value[m] += sums[w * plane + i % (16 * tiles) * 17 + i / (16 * tiles)];
        }
    }
    if (p.splits > 1) {
        float* parts = p.partials + (long long)p.block * p.splits * tiles * THREADS;
#pragma unroll
        for (int m = 0; m < tiles; m++) {
            parts[(p.split * tiles + m) * THREADS + threadIdx.x] = value[m];
            value[m] = 0;
        }
        if (!last_to_arrive(p.counters + p.block, p.splits)) {
            return;
        }
        for (int split = 0; split < p.splits; split++) {
#pragma unroll
            for (int m = 0; m < tiles; m++) {
                value[m] += load_fresh(parts + (split * tiles + m) * THREADS + threadIdx.x);
            }
        }
    }
#pragma unroll
    for (int m = 0; m < tiles; m++) {
        int i = m * THREADS + threadIdx.x;
        int r = i % (16 * tiles);
        int row = i / (16 * tiles);
        int n = weight_row(p.block, r, p.n, p.mode, tiles);
        if (kind == KIND_INT8 && n >= 0) {
            value[m] *= p.scales[n];
        }
        if (kind == KIND_FP8 && n >= 0) {
            value[m] *= p.scales[n] * FP8_LIFT;
        }
        if (gated(p.mode)) {
            // A place that nobody but this thread has read.
            sums[r * 17 + row] = value[m];
        } else if (n >= 0 && row < rows) {
            store_result(p, p.first + row, n, value[m]);
        }
    }
    if (gated(p.mode)) {
        __syncthreads();
        for (int i = threadIdx.x; i < 16 * 8 * tiles; i += THREADS) {
            int out = i % (8 * tiles);
            int row = i / (8 * tiles);
            int n = p.block * 8 * tiles + out;
            int r = out / 8 * 16 + out % 8;
            if (n < p.n && row < rows) {
                float gate = sums[r * 17 + row];
                float up = sums[(r + 8) * 17 + row];
                ((act*)p.y)[(long long)(p.first + row) * p.yStride + n] = float_to_act(gate_of(p.mode, gate) * up);
            }
        }
    }
}

template <int kind>
DEVICE void skinny_product(const Product& p) {
    DYNAMIC_SHARED(shared);
    let_next_start();
    Sources<kind> s = weight_sources<kind>(p);
    fill_ring<kind>(p, (uint4*)shared, s);
    wait_for_previous();
    skinny_rows<kind>(p, s, shared, min(count_of(p.header, p.count) - p.first, 16));
}

// Of the rows of one of the tiles, by its expert's weights.
DEVICE void expert_product(Product p, const int* plan, const int* tiles) {
    DYNAMIC_SHARED(shared);
    int outputs = 16 * tiles_of(KIND_ACT) / (gated(p.mode) ? 2 : 1);
    int columns = (p.n + outputs - 1) / outputs;
    if ((int)blockIdx.x >= plan[0] * columns) {
        return;
    }
    const int* tile = tiles + EXPERT_TILE * strip_tile(blockIdx.x, plan[0], columns);
    p.block = strip_column(blockIdx.x, plan[0], columns);
    p.first = tile[1];
    p.w += weight_bytes<KIND_ACT>((long long)tile[0] * (gated(p.mode) ? 2 * p.n : p.n) * p.k);
    Sources<KIND_ACT> s = weight_sources<KIND_ACT>(p);
    fill_ring<KIND_ACT>(p, (uint4*)shared, s);
    skinny_rows<KIND_ACT>(p, s, shared, tile[2]);
}

// What a launch must know; one thread.
extern "C" __global__ void matmul_constants(int* out) {
    const int values[8] = {16 * tiles_of(KIND_ACT),  ring_bytes(KIND_ACT),  16 * tiles_of(KIND_INT8),
                           ring_bytes(KIND_INT8), 16 * tiles_of(KIND_INT4), ring_bytes(KIND_INT4),
                           16 * tiles_of(KIND_FP8),  ring_bytes(KIND_FP8)};
    for (int i = 0; i < 8; i++) {
        out[i] = values[i];
    }
}

// Bytes: 2 * n * k (plus 2 * k per row of x, from the caches). Llama-3.1-8B, all layers: 13.9 GB a step, 4.2 ms on
// H100, 2.9 ms on H200. Operations: 16 * n * k up to eight rows, 8 per byte: 38 TFLOP/s at 4.8 TB/s.
// Under way per block: 5 of 6 stages of 16 KB, 80 KB; two blocks a multiprocessor (29 KB are needed at 4.8 TB/s). From
// the second cache x adds `rows` / 32 of the weights' bytes.
extern "C" __global__ void __launch_bounds__(THREADS)
skinny_matmul(const int* header, int count, int first, const act* x, int xStride, const act* w, int n, int k, int mode,
              const act* bias, void* y, int yStride, int splits, float* partials, int* counters) {
    Product p = {header, count, first, (int)blockIdx.x, (int)blockIdx.y, 0, 0, x, xStride, (const unsigned char*)w, 0, 0, n, k, mode, bias, y,
                 yStride, splits, partials, counters};
    skinny_product<KIND_ACT>(p);
}

// The products of experts for few rows each, at most 16 a tile: y[slot] = the row of slot by the weights of its tile's
// expert, w[expert][n (twice that where gated)][k]. choices: see row_of_slot. k % 128 == 0.
// Bytes: 2 * n * k (gated 4 * n * k) for each expert that has a tile, once for each of its tiles, of which all but the
// first come from the second cache, since they run together. Qwen3-30B-A3B, a layer: 9.4 MB an expert. One token goes
// through 8 of 128: 75 MB, 16 us on H200; 32 tokens through about 112: 1.06 GB, 220 us. Mixtral-8x7B, 8 tokens through
// about 7 of 8: 2.5 GB, 530 us. Operations as skinny_matmul. Weights cannot be asked for before the choice is known.
extern "C" __global__ void __launch_bounds__(THREADS)
expert_few(const int* plan, const int* tiles, const int* choices, int perToken, const act* x, int xStride, const act* w,
           int n, int k, int mode, act* y, int yStride) {
    take_turn();
    Product p = {0, 0, 0, 0, 0, choices, perToken, x, xStride, (const unsigned char*)w, 0, 0, n, k, mode, 0, y,
                 yStride, 1, 0, 0};
    expert_product(p, plan, tiles);
}

// Bytes: n * k + 4 * n.
extern "C" __global__ void __launch_bounds__(THREADS)
skinny_matmul_int8(const int* header, int count, int first, const act* x, int xStride, const signed char* w, const float* scales,
                   int n, int k, int mode, const act* bias, void* y, int yStride, int splits, float* partials,
                   int* counters) {
    Product p = {header, count, first, (int)blockIdx.x, (int)blockIdx.y, 0, 0, x, xStride, (const unsigned char*)w, scales, 0, n, k, mode, bias, y,
                 yStride, splits, partials, counters};
    skinny_product<KIND_INT8>(p);
}

// Bytes: n * k + 4 * n. Per pair three instructions for fp16 and four for bf16 (spread, two masks with a shift, a product),
// 1.5 to 2 a value as for int8: 4.8 TB/s bring 4.8e12 values a second, 1.0e13 lane instructions of 3.0e13.
extern "C" __global__ void __launch_bounds__(THREADS)
skinny_matmul_fp8(const int* header, int count, int first, const act* x, int xStride, const unsigned char* w, const float* scales,
                  int n, int k, int mode, const act* bias, void* y, int yStride, int splits, float* partials,
                  int* counters) {
    Product p = {header, count, first, (int)blockIdx.x, (int)blockIdx.y, 0, 0, x, xStride, w, scales, 0, n, k, mode, bias, y,
                 yStride, splits, partials, counters};
    skinny_product<KIND_FP8>(p);
}

// Bytes: n * k / 2 + n * k / 32 of scales and zeros. Per value about 0.75 integer and 0.5 half-precision instructions:
// 4.8 TB/s bring 9.0e12 values a second, 1.1e13 lane instructions of 3.0e13 that 132 multiprocessors issue.
extern "C" __global__ void __launch_bounds__(THREADS)
skinny_matmul_int4(const int* header, int count, int first, const act* x, int xStride, const unsigned char* w,
                   const unsigned* groups, int n, int k, int mode, const act* bias, void* y, int yStride, int splits,
                   float* partials, int* counters) {
    Product p = {header, count, first, (int)blockIdx.x, (int)blockIdx.y, 0, 0, x, xStride, w, 0, groups, n, k, mode, bias, y, yStride, splits,
                 partials, counters};
    skinny_product<KIND_INT4>(p);
}

// ---- weights at load ----------------------------------------------------------------------------------------------

// AWQ: qweight[k][n / 8] with columns 0, 2, 4, 6, 1, 3, 5, 7 from the lowest nibble of a word, qzeros[k / 128][n / 8]
// likewise, scales[k / 128][n].
INDEX int awq_nibble(int n) { return n % 2 * 4 + n % 8 / 2; }

// Bytes: about n * k, once per model.
extern "C" __global__ void __launch_bounds__(256)
repack_awq(const int* qweight, const int* qzeros, const half_bits* scales, int n, int k, unsigned* w,
           unsigned* groups) {
    take_turn();
    long long words = (long long)n * (k / 8);
    for (long long i = blockIdx.x * 256LL + threadIdx.x; i < words; i += gridDim.x * 256LL) {
        // Neighbouring threads take neighbouring columns, which lie side by side in qweight.
        int row = (int)(i % n);
        int at = (int)(i / n) * 8;
        unsigned word = 0;
        for (int j = 0; j < 8; j++) {
            unsigned v = (unsigned)qweight[(long long)(at + j) * (n / 8) + row / 8] >> 4 * awq_nibble(row) & 15;
            word |= v << 4 * nibble_of(j);
        }
        w[(long long)row * (k / 8) + at / 8] = word;
        if (at % INT4_GROUP == 0) {
            int group = at / INT4_GROUP;
            unsigned zero = (unsigned)qzeros[(long long)group * (n / 8) + row / 8] >> 4 * awq_nibble(row) & 15;
            groups[(long long)row * (k / INT4_GROUP) + group] = scales[(long long)group * n + row] | zero << 16;
        }
    }
}

// GPTQ without reordering of k: qweight[k / 8][n], k from the lowest nibble; qzeros[k / 128][n / 8], n from the lowest
// nibble, of which the old format stores one less.
extern "C" __global__ void __launch_bounds__(256)
repack_gptq(const int* qweight, const int* qzeros, const half_bits* scales, int n, int k, unsigned* w,
            unsigned* groups, int zeroOffset) {
    take_turn();
    long long words = (long long)n * (k / 8);
    for (long long i = blockIdx.x * 256LL + threadIdx.x; i < words; i += gridDim.x * 256LL) {
        int row = (int)(i % n);
        int at = (int)(i / n) * 8;
        unsigned from = (unsigned)qweight[(long long)(at / 8) * n + row];
        unsigned word = 0;
        for (int j = 0; j < 8; j++) {
            word |= (from >> 4 * j & 15) << 4 * nibble_of(j);
        }
        w[(long long)row * (k / 8) + at / 8] = word;
        if (at % INT4_GROUP == 0) {
            int group = at / INT4_GROUP;
            unsigned zero = ((unsigned)qzeros[(long long)group * (n / 8) + row / 8] >> 4 * (row % 8) & 15) + zeroOffset;
            groups[(long long)row * (k / INT4_GROUP) + group] = scales[(long long)group * n + row] | zero << 16;
        }
    }
}

// Bytes: 2.5 * n * k; for products of more rows with cuBLASLt.
extern "C" __global__ void __launch_bounds__(256)
dequantize_int4(const unsigned* w, const unsigned* groups, int n, int k, act* out) {
    take_turn();
    long long words = (long long)n * (k / 8);
    for (long long i = blockIdx.x * 256LL + threadIdx.x; i < words; i += gridDim.x * 256LL) {
        unsigned word = w[i];
        unsigned group = groups[i * 8 / INT4_GROUP];
        float scale = fp16_to_float((half_bits)group);
        float v[8];
        for (int j = 0; j < 8; j++) {
            v[j] = scale * ((int)(word >> 4 * nibble_of(j) & 15) - (int)(group >> 16));
        }
        store8(out + i * 8, v);
    }
}

// Bytes: 3 * n * k.
extern "C" __global__ void __launch_bounds__(256)
dequantize_int8(const signed char* w, const float* scales, int n, int k, act* out) {
    take_turn();
    long long parts = (long long)n * (k / 8);
    for (long long i = blockIdx.x * 256LL + threadIdx.x; i < parts; i += gridDim.x * 256LL) {
        float scale = scales[i * 8 / k];
        float v[8];
        for (int j = 0; j < 8; j++) {
            v[j] = scale * w[i * 8 + j];
        }
        store8(out + i * 8, v);
    }
}

// Bytes: 3 * n * k.
extern "C" __global__ void __launch_bounds__(256)
dequantize_fp8(const unsigned char* w, const float* scales, int n, int k, act* out) {
    take_turn();
    long long parts = (long long)n * (k / 8);
    for (long long i = blockIdx.x * 256LL + threadIdx.x; i < parts; i += gridDim.x * 256LL) {
        float scale = scales[i * 8 / k] * FP8_LIFT;
        uint2 word = *(const uint2*)(w + i * 8);
        float v[8];
        for (int j = 0; j < 4; j++) {
            unpack_act(fp8_pair(j < 2 ? word.x : word.y, j % 2), v + 2 * j);
        }
        for (int j = 0; j < 8; j++) {
            v[j] *= scale;
        }
        store8(out + i * 8, v);
    }
}
