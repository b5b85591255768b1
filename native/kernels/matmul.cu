// Matrix products of few rows, y[row][n] = sum over k of x[row][k] * w[n][k]: bound by reading w once.
//
// A launch takes 16 rows of x from `first` on; wide.cu is for more, and cuBLASLt for many, for which quantised weights are
// written out in 16 bits first.
//
// The weights are the 16-row operand of mma.sync m16n8k16 and the rows of x its 8 columns, so one to eight rows cost
// the same, nine to sixteen twice the arithmetic. Weights go from memory straight to registers, 16 bytes a lane: a
// lane 4 g + q reads values of rows g and g + 8 that lie side by side along k, where mma wants k = 2q, 2q + 1, 2q +
// 8, 2q + 9. A sum over k does not mind the order, so x is read in the same order and nothing is shuffled. Quantised
// weights become bf16 or fp16 in registers, exactly; scales are applied to float sums.
//
// Eight warps of a block share 32 (of four bits 64) rows of w and take turns along k (so together they read 512 bytes of a
// row in sequence); their sums are added in order, and so are those of `splits` blocks: the same bits each time.
// Weights pass through a ring of stages in shared memory, where each lane reads only what it copied itself (where groups
// are shorter than a turn: what the four lanes of its row copied): the ring needs no barrier of the block and no registers, and
// keeps memory busy whatever order the compiler gives the loads. x comes from the caches when it is used; the other warps
// cover its latency.
#include "jeton.cuh"

#define WARPS 8
#define THREADS (WARPS * 32)

// ---- index arithmetic ---------------------------------------------------------------------------------------------

// Values of one row that 16 bytes hold, and along k that a warp takes in a turn.
#define VALUES (WEIGHTS == WEIGHTS_ACT ? 8 : FOUR_BITS ? 32 : 16)
#define TURN (4 * VALUES)

// Groups of values with scales of their own in a turn, and values of a group that are a lane's: side by side, those of four
// lanes beside each other. All that a mma sums then has one scale.
#define PARTS (SCALE_GROUP < TURN ? TURN / SCALE_GROUP : 1)
#define PART_VALUES (VALUES / PARTS)
#define PART_WORDS (4 / PARTS)

// 16-row tiles of a block: four bits take more, so that x is read less often beside their few bytes of weights.
#define TILES (FOUR_BITS ? 4 : 2)
#define STAGE (2 * TILES * THREADS)  // of 16 bytes
// Of 96 KB; four bits one more, where a block may have it.
#define STAGES (!FOUR_BITS ? 6 : JETON_SHARED > 130 * 1024 ? 4 : 3)
#define RING_BYTES (STAGES * STAGE * 16)

static_assert(RING_BYTES < JETON_SHARED, "a block has more shared memory than this device gives");

// ---- the product --------------------------------------------------------------------------------------------------

struct Product {
    const int* header;
    int count;
    int first;                // row of x, and of y, that this block begins with
    int block;                // of columns
    int split;                // of k
    const int* choices;       // rows of experts: which choice has a slot, or 0
    int perToken;
    const int* places;        // the same: which row of y a slot has, or 0
    const act* x;
    int xStride;
    const unsigned char* w;
    const scale_of_weights* scales;
    int n;
    int k;
    int mode;
    const act* bias;
    const float* expertBias;  // of each row of w, or 0
    void* y;
    int yStride;
    int splits;
    float* partials;
    int* counters;
};

DEVICE unsigned word_of(const uint4& v, int i) { return i == 0 ? v.x : i == 1 ? v.y : i == 2 ? v.z : v.w; }

// Where a lane copies and reads: rows g and g + 8 of each tile of weights, and of x. Rows that do not exist read another
// one; what comes of them is not stored.
struct Sources {
    const unsigned char* w[2 * TILES];
    const scale_of_weights* scales[2 * TILES];
    const act* x[2];
};

struct alignas(sizeof(scale_of_weights) * PARTS) Scales {
    scale_of_weights of[PARTS];
};

// Where the 16 bytes lie that a lane's row has from piece * VALUES on: turned from row to row, so that lanes which read words
// of all four pieces find them in different banks.
DEVICE int piece_place(int piece) {
    int g = threadIdx.x % 32 / 4;
    return threadIdx.x / 4 * 4 + (piece ^ (PARTS == 4 ? g / 2 : PARTS == 2 ? g / 2 % 2 * 2 : 0));
}

// `left` values along k are what there is from k on, of MXFP4 perhaps less than a turn: what is past them is zeros.
DEVICE void begin_turn(uint4* stage, const Sources& s, int k, int left) {
    int place = piece_place(threadIdx.x % 4);
    bool exists = (WEIGHTS == WEIGHTS_MXFP4 ? (int)threadIdx.x % 4 * VALUES : 0) < left;
#pragma unroll
    for (int i = 0; i < 2 * TILES; i++) {
        copy16_async(stage + i * THREADS + place, s.w[i] + (exists ? weight_bytes(k) : 0), exists);
    }
}

// A lane's words of a row, part by part.
DEVICE void load_turn(const uint4* row, unsigned (&w)[4]) {
    int q = threadIdx.x % 4;
#pragma unroll
    for (int part = 0; part < PARTS; part++) {
        const unsigned* from = (const unsigned*)(row + piece_place((4 * part + q) / PARTS)) + q % PARTS * PART_WORDS;
        if (PARTS == 1) {
            uint4 v = *(const uint4*)from;
            w[0] = v.x, w[1] = v.y, w[2] = v.z, w[3] = v.w;
        } else if (PARTS == 2) {
            uint2 v = *(const uint2*)from;
            w[2 * part] = v.x, w[2 * part + 1] = v.y;
        } else {
            w[part] = *from;
        }
    }
}

template <bool two>
DEVICE void multiply_turn(const uint4* stage, const Sources& s, int k, int left, float (&sum)[TILES][2][4]) {
    const int vectors = VALUES / 8;
    uint4 x[2][vectors];
#pragma unroll
    for (int h = 0; h < (two ? 2 : 1); h++) {
#pragma unroll
        for (int i = 0; i < vectors; i++) {
            int part = 8 * i / PART_VALUES * (4 * PART_VALUES);
            x[h][i] = make_uint4(0, 0, 0, 0);
            if (WEIGHTS != WEIGHTS_MXFP4 || part < left) {
                x[h][i] = *(const uint4*)(s.x[h] + k + part + 8 * i % PART_VALUES);
            }
        }
    }
#pragma unroll
    for (int m = 0; m < TILES; m++) {
        unsigned w[2][4];
        Scales scales[2] = {};
#pragma unroll
        for (int i = 0; i < 2; i++) {
            load_turn(stage + (2 * m + i) * THREADS, w[i]);
            if (GROUPED) {
                scales[i] = *(const Scales*)(s.scales[2 * m + i] + k / SCALE_GROUP);
            }
        }
#pragma unroll
        for (int p = 0; p < PARTS; p++) {
            scale_of_weights scale[2] = {scales[0].of[p], scales[1].of[p]};
            unsigned zero[2] = {zero_of(scale[0]), zero_of(scale[1])};
            float part[2][4] = {{0, 0, 0, 0}, {0, 0, 0, 0}};
            float(&to)[2][4] = GROUPED ? part : sum[m];
#pragma unroll
            for (int step = p * PART_VALUES / 4; step < (p + 1) * PART_VALUES / 4; step++) {
                unsigned a[4] = {weight_pair(w[0], 2 * step, zero[0]), weight_pair(w[1], 2 * step, zero[1]),
                                 weight_pair(w[0], 2 * step + 1, zero[0]), weight_pair(w[1], 2 * step + 1, zero[1])};
#pragma unroll
                for (int h = 0; h < (two ? 2 : 1); h++) {
                    unsigned b[2] = {word_of(x[h][step / 2], step % 2 * 2), word_of(x[h][step / 2], step % 2 * 2 + 1)};
                    mma_act(to[h], a, b);
                }
            }
            if (GROUPED) {
                float low = factor_of(scale[0]);
                float high = factor_of(scale[1]);
#pragma unroll
                for (int h = 0; h < (two ? 2 : 1); h++) {
                    sum[m][h][0] += low * part[h][0], sum[m][h][1] += low * part[h][1];
                    sum[m][h][2] += high * part[h][2], sum[m][h][3] += high * part[h][3];
                }
            }
        }
    }
}

DEVICE Sources weight_sources(const Product& p) {
    Sources s;
#pragma unroll
    for (int i = 0; i < 2 * TILES; i++) {
        long long row = max(weight_row(p.block, threadIdx.x % 32 / 4 + 8 * i, p.n, p.mode, TILES), 0);
        s.w[i] = p.w + weight_bytes(row * p.k + threadIdx.x % 4 * VALUES);
        s.scales[i] = p.scales + scale_index(row, p.k);
    }
    return s;
}

// A warp's first value along k, and how far apart its turns are.
DEVICE int first_value(const Product& p) { return (p.split * WARPS + threadIdx.x / 32) * TURN; }
DEVICE int turn_step(const Product& p) { return WARPS * p.splits * TURN; }

// Fills the ring but for one stage. Weights depend on no kernel before, so this comes ahead of the wait for it.
DEVICE void fill_ring(const Product& p, uint4* ring, const Sources& s) {
    int k = first_value(p);
#pragma unroll
    for (int i = 0; i < STAGES - 1; i++) {
        begin_turn(ring + i * STAGE, s, k, p.k - k);
        copies_commit();
        k += turn_step(p);
    }
}

// This warp's part of the sums: turns split * WARPS + warp, and every WARPS * splits further.
template <bool two>
DEVICE void sum_turns(const Product& p, uint4* ring, const Sources& s, float (&sum)[TILES][2][4]) {
    int step = turn_step(p);
    int k = first_value(p);
    int fetched = k + (STAGES - 1) * step;
    int used = 0;
    int filled = STAGES - 1;
    for (; k < p.k; k += step) {
        copies_wait<STAGES - 2>();
        if (PARTS > 1) {
            // the lanes of a row have their copies, and none reads the stage that is filled next any more
            __syncwarp();
        }
        begin_turn(ring + filled * STAGE, s, fetched, p.k - fetched);
        copies_commit();
        fetched += step;
        multiply_turn<two>(ring + used * STAGE, s, k, p.k - k, sum);
        used = used + 1 == STAGES ? 0 : used + 1;
        filled = filled + 1 == STAGES ? 0 : filled + 1;
    }
}

// The sums of `rows` rows, of which 16 at most are computed; weights are under way already.
DEVICE void skinny_rows(const Product& p, Sources& s, unsigned char* ring, int rows) {
    const int tiles = TILES;
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
        s.x[h] = p.x + (long long)row_of_slot(p.choices, p.perToken, slot) * p.xStride + q * PART_VALUES;
    }
    if (rows > 8) {
        sum_turns<true>(p, (uint4*)ring, s, sum);
    } else if (rows > 0) {
        sum_turns<false>(p, (uint4*)ring, s, sum);
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
        if (WEIGHTS != WEIGHTS_ACT && !GROUPED && n >= 0) {
            value[m] *= factor_of(p.scales[n]);
        }
        if (p.expertBias && n >= 0) {
            value[m] += p.expertBias[n];
        }
        if (gated(p.mode)) {
            // A place that nobody but this thread has read.
            sums[r * 17 + row] = value[m];
        } else if (n >= 0 && row < rows) {
            store_result(p.y, p.yStride, p.mode, p.bias, row_of_y(p.places, p.first + row), n, value[m]);
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
                long long to = row_of_y(p.places, p.first + row);
                ((act*)p.y)[to * p.yStride + n] = float_to_act(join_of(p.mode, gate, up));
            }
        }
    }
}

DEVICE void skinny_product(const Product& p) {
    DYNAMIC_SHARED(shared);
    let_next_start();
    Sources s = weight_sources(p);
    fill_ring(p, (uint4*)shared, s);
    wait_for_previous();
    skinny_rows(p, s, shared, min(count_of(p.header, p.count) - p.first, 16));
}

// Of the rows of one of the tiles, by its expert's weights.
DEVICE void expert_product(Product p, const int* plan, const int* tiles) {
    DYNAMIC_SHARED(shared);
    int outputs = 16 * TILES / (gated(p.mode) ? 2 : 1);
    int columns = (p.n + outputs - 1) / outputs;
    if ((int)blockIdx.x >= plan[0] * columns) {
        return;
    }
    const int* tile = tiles + EXPERT_TILE * strip_tile(blockIdx.x, plan[0], columns);
    p.block = strip_column(blockIdx.x, plan[0], columns);
    p.first = tile[1];
    long long firstRow = (long long)tile[0] * (gated(p.mode) ? 2 * p.n : p.n);
    p.w += weight_bytes(firstRow * p.k);
    p.scales += scale_index(firstRow, p.k);
    p.expertBias += p.expertBias ? firstRow : 0;
    Sources s = weight_sources(p);
    fill_ring(p, (uint4*)shared, s);
    skinny_rows(p, s, shared, tile[2]);
}

// What a launch must know; one thread.
extern "C" __global__ void matmul_constants(int* out) {
    out[0] = 16 * TILES;
    out[1] = RING_BYTES;
}

// Bytes: 2 * n * k in sixteen bits (plus 2 * k per row of x, from the caches). Llama-3.1-8B, all layers: 13.9 GB a step,
// 4.2 ms on H100, 2.9 ms on H200. Operations: 16 * n * k up to eight rows, 8 per byte: 38 TFLOP/s at 4.8 TB/s.
// Under way per block: 5 of 6 stages of 16 KB, 80 KB; two blocks a multiprocessor (29 KB are needed at 4.8 TB/s). From
// the second cache x adds `rows` / 32 of the weights' bytes.
// int8: n * k + 4 * n. fp8: as much; per pair three instructions for fp16 and four for bf16 (spread, two masks with a
// shift, a product), 1.5 to 2 a value as for int8: 4.8 TB/s bring 4.8e12 values a second, 1.0e13 lane instructions of
// 3.0e13. fp8 with scales of blocks: n * k + n * k / 256, and a multiplication of sums for each 64 values.
// int8 in groups: n * k + n * k / 32 (groups of 64: n * k / 16, of 32: n * k / 8); for the value alone 2.5 instructions for
// bf16 and 1 for fp16. ptxas makes 258 instructions of a warp's turn of 32 by 64 values up to eight rows (groups of 32: 286),
// 4.0 (4.5) a value: 4.7e12 (4.3e12) values a second take 1.9e13 of 3.0e13, of which permutations and other integer
// instructions, at half that rate, 1.0e13 of 1.5e13.
// int4: n * k / 2 + n * k / 32 of scales and zeros (groups of 64: n * k / 16, of 32: n * k / 8); for the value alone about
// 0.75 integer and 0.5 half-precision instructions. ptxas makes 664 instructions of a warp's turn of 64 by 128 values up to
// eight rows (groups of 64: 714, of 32: 828), with copies, reads of x and products: 2.6 (2.8, 3.2) a value. 4.8 TB/s bring
// 9.0e12 (8.5e12, 7.7e12) values a second: 2.3e13 (2.4e13, 2.5e13) lane instructions of 3.0e13 that 132 multiprocessors
// issue.
extern "C" __global__ void __launch_bounds__(THREADS)
skinny_matmul(const int* header, int count, int first, const act* x, int xStride, const unsigned char* w,
              const scale_of_weights* scales, int n, int k, int mode, const act* bias, void* y, int yStride, int splits,
              float* partials, int* counters) {
    Product p = {header, count, first, (int)blockIdx.x, (int)blockIdx.y, 0, 0, 0,       x,      xStride,  w,
                 scales, n,     k,     mode,            bias,            0, y, yStride, splits, partials, counters};
    skinny_product(p);
}

// The products of experts for few rows each, at most 16 a tile: y[slot] = the row of slot by the weights of its tile's
// expert, w[expert][n (twice that where gated)][k], plus its bias[expert][n (twice that)] where that is not 0. choices: see
// row_of_slot, places: row_of_y. k % TURN == 0, of MXFP4 k % 32 == 0.
// Bytes: 2 * n * k (gated 4 * n * k) for each expert that has a tile, once for each of its tiles, of which all but the
// first come from the second cache, since they run together; int8 and fp8 half of that, int4 17 in 64 of it (18 or 20 in
// groups of 64 or 32).
// Qwen3-30B-A3B, a layer: 9.4 MB an expert, 4.7 MB in fp8. One token goes through 8 of 128: 75 MB, 16 us on H200, 8 us in
// fp8; 32 tokens through about 112: 1.06 GB, 220 us, 110 us. Mixtral-8x7B, 8 tokens through about 7 of 8: 2.5 GB, 530 us,
// in int4 0.67 GB, 140 us. Operations as skinny_matmul. Weights cannot be asked for before the choice is known.
// MXFP4: 4.25 bits a weight, 4.26 where the scales of a row are padded to whole words. gpt-oss-120b, a layer: 13.3 MB an expert
// (2,880 by 8,640). One token goes through 4 of 128: 53 MB, 11 us on H200, 36 layers 0.4 ms; 32 tokens through about 82:
// 1.09 GB, 230 us. gpt-oss-20b has 32 experts of the same size in 24 layers. For the value alone about 4 integer instructions
// a pair and one half-precision, as fp8; scales are a shift and a select, and a product of sums for each 32 values.
// The last turn of 2,880 values is half a turn: what is past the end is neither read nor multiplied with anything but zeros.
extern "C" __global__ void __launch_bounds__(THREADS)
expert_few(const int* plan, const int* tiles, const int* choices, int perToken, const int* places, const act* x,
           int xStride, const unsigned char* w, const scale_of_weights* scales, const float* bias, int n, int k, int mode,
           act* y, int yStride) {
    take_turn();
    Product p = {0, 0, 0,    0, 0,    choices, perToken, places, x, xStride, w, scales,
                 n, k, mode, 0, bias, y,       yStride,  1,      0, 0};
    expert_product(p, plan, tiles);
}

// ---- weights at load ----------------------------------------------------------------------------------------------

#if INTEGER_GROUPS

// Scales of more than SCALE_GROUP values are given to each SCALE_GROUP of them: groupSize is a multiple of it.

#define CODES (WEIGHTS == WEIGHTS_INT4 ? 8 : 4)  // values of a word
#define CODE_BITS (32 / CODES)

DEVICE unsigned code_of(unsigned word, int j) { return word >> CODE_BITS * (j % CODES) & ((1u << CODE_BITS) - 1); }

// A code as value j of one of our words.
DEVICE unsigned own_code(unsigned code, int j) {
    return code << (WEIGHTS == WEIGHTS_INT4 ? 4 * nibble_of(j) : 8 * j);
}

// The word of a scale, which comes as fp16 for int4 and as float for int8. One of nothing, which no checkpoint should have,
// becomes the least that there may be: sums are kept in units of scales (wide.cu).
#if WEIGHTS == WEIGHTS_INT4
typedef half_bits given_scale;
DEVICE unsigned group_word(half_bits scale, unsigned zero) { return (scale & 0x7fff ? scale : 1u) | zero << 16; }
#else
typedef float given_scale;
DEVICE unsigned group_word(float scale, unsigned zero) {
    float kept = fabsf(scale) < 1e-18f ? 1e-18f : scale;
    return ((bits_of(kept) + (1u << (ZERO_BITS - 1))) & ~ZERO_MASK) | zero;
}
#endif

#if WEIGHTS == WEIGHTS_INT4

// AWQ: qweight[k][n / 8] with columns 0, 2, 4, 6, 1, 3, 5, 7 from the lowest nibble of a word, qzeros[k / groupSize][n /
// 8] likewise, scales[k / groupSize][n].
INDEX int awq_nibble(int n) { return n % 2 * 4 + n % 8 / 2; }

// Bytes: about n * k, once per model.
extern "C" __global__ void __launch_bounds__(256)
repack_awq(const int* qweight, const int* qzeros, const half_bits* scales, int groupSize, int n, int k, unsigned* w,
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
        if (at % SCALE_GROUP == 0) {
            int group = at / groupSize;
            unsigned zero = (unsigned)qzeros[(long long)group * (n / 8) + row / 8] >> 4 * awq_nibble(row) & 15;
            groups[(long long)row * (k / SCALE_GROUP) + at / SCALE_GROUP] =
                group_word(scales[(long long)group * n + row], zero);
        }
    }
}

#endif

// GPTQ: qweight[k / CODES][n], k from the lowest bits; qzeros[k / groupSize][n / CODES], n from the lowest bits, of which the
// old format stores one less. order[k] (0: as it is) names the input of the files that each of ours is: those of a group
// beside each other. rowOrder[n] (0: as it is) the same of outputs: those that another matrix has in an order of its own.
extern "C" __global__ void __launch_bounds__(256)
repack_gptq(const int* qweight, const int* qzeros, const given_scale* scales, const int* order, const int* rowOrder,
            int groupSize, int n, int k, unsigned* w, unsigned* groups, int zeroOffset) {
    take_turn();
    long long words = (long long)n * (k / CODES);
    for (long long i = blockIdx.x * 256LL + threadIdx.x; i < words; i += gridDim.x * 256LL) {
        int row = (int)(i % n);
        int at = (int)(i / n) * CODES;
        int source = rowOrder ? rowOrder[row] : row;
        unsigned word = 0;
        for (int j = 0; j < CODES; j++) {
            int from = order ? order[at + j] : at + j;
            word |= own_code(code_of(qweight[(long long)(from / CODES) * n + source], from), j);
        }
        w[(long long)row * (k / CODES) + at / CODES] = word;
        if (at % SCALE_GROUP == 0) {
            int group = at / groupSize;
            unsigned zero = code_of(qzeros[(long long)group * (n / CODES) + source / CODES], source) + zeroOffset;
            groups[(long long)row * (k / SCALE_GROUP) + at / SCALE_GROUP] =
                group_word(scales[(long long)group * n + source], zero);
        }
    }
}

// compressed-tensors (pack-quantized): packed[n][k / CODES], k from the lowest bits, each value plus half of its range;
// scales[n][k / groupSize]; zeros[n / CODES][k / groupSize], n from the lowest bits, plus as much, or 0 where there are none.
// Orders as above.
extern "C" __global__ void __launch_bounds__(256)
repack_packed(const int* packed, const int* zeros, const given_scale* scales, const int* order, const int* rowOrder,
              int groupSize, int n, int k, unsigned* w, unsigned* groups) {
    take_turn();
    long long words = (long long)n * (k / CODES);
    for (long long i = blockIdx.x * 256LL + threadIdx.x; i < words; i += gridDim.x * 256LL) {
        int row = (int)(i / (k / CODES));
        int at = (int)(i % (k / CODES)) * CODES;
        int source = rowOrder ? rowOrder[row] : row;
        unsigned word = 0;
        for (int j = 0; j < CODES; j++) {
            int from = order ? order[at + j] : at + j;
            word |= own_code(code_of(packed[(long long)source * (k / CODES) + from / CODES], from), j);
        }
        w[i] = word;
        if (at % SCALE_GROUP == 0) {
            int of = k / groupSize;
            int group = at / groupSize;
            unsigned zero =
                zeros ? code_of(zeros[(long long)(source / CODES) * of + group], source) : 1u << (CODE_BITS - 1);
            groups[(long long)row * (k / SCALE_GROUP) + at / SCALE_GROUP] =
                group_word(scales[(long long)source * of + group], zero);
        }
    }
}

#endif

#if WEIGHTS == WEIGHTS_MXFP4

#define BLOCK_BYTES 17  // of 32 values of a row: the scale, then values 0 and 16, 1 and 17 ..., the lower first

// Bytes: about 1.1 * n * k, once per model.
extern "C" __global__ void __launch_bounds__(256)
repack_mxfp4(const unsigned char* blocks, int n, int k, unsigned* w, unsigned char* scales) {
    take_turn();
    long long words = (long long)n * (k / 8);
    for (long long i = blockIdx.x * 256LL + threadIdx.x; i < words; i += gridDim.x * 256LL) {
        int row = (int)(i / (k / 8));
        int at = (int)(i % (k / 8)) * 8;
        const unsigned char* block = blocks + ((long long)row * (k / SCALE_GROUP) + at / SCALE_GROUP) * BLOCK_BYTES;
        unsigned word = 0;
        for (int j = 0; j < 8; j++) {
            int value = at % SCALE_GROUP + j;
            word |= ((unsigned)block[1 + value % 16] >> value / 16 * 4 & 15) << 4 * nibble_of(j);
        }
        w[i] = word;
        if (at % SCALE_GROUP == 0) {
            unsigned char* of = scales + scale_index(row, k);
            int group = at / SCALE_GROUP;
            of[group] = block[0];
            for (group++; at + SCALE_GROUP == k && group < groups_of(k); group++) {
                of[group] = 0;
            }
        }
    }
}

#endif

#if WEIGHTS != WEIGHTS_ACT

// For products of more rows with cuBLASLt. k % 8 == 0.
// Bytes: 3 * n * k, of four bits 2.5 * n * k.
extern "C" __global__ void __launch_bounds__(256)
dequantize(const unsigned char* w, const scale_of_weights* scales, int n, int k, act* out) {
    take_turn();
    long long parts = (long long)n * (k / 8);
    for (long long i = blockIdx.x * 256LL + threadIdx.x; i < parts; i += gridDim.x * 256LL) {
        int row = (int)(i / (k / 8));
        int at = (int)(i % (k / 8)) * 8;
        scale_of_weights scale = scales[scale_index(row, k) + (GROUPED ? at / SCALE_GROUP : 0)];
        unsigned words[2] = {*(const unsigned*)(w + weight_bytes(i * 8)), 0};
        if (!FOUR_BITS) {
            words[1] = *(const unsigned*)(w + i * 8 + 4);
        }
        float by = factor_of(scale);
        float v[8];
        for (int j = 0; j < 4; j++) {
            unpack_act(weight_pair(words, j, zero_of(scale)), v + 2 * j);
        }
        for (int j = 0; j < 8; j++) {
            v[j] *= by;
        }
        store8(out + i * 8, v);
    }
}

#endif
