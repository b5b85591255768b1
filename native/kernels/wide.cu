// Matrix products of some rows to many by weights in any format: for 17 to 256 rows by weights in fewer bits, and for the
// rows of experts. Weights are read once as they are and become bf16 or fp16 on their way into the fragments, exactly.
//
// A block computes 64 (dense) or 128 (experts) rows of x by 128 rows of w on tensor cores; a warp 64 by 32. Stages of 64
// values along k pass through a ring in shared memory. As in matmul.cu, weights are the 16-row operand of mma.sync m16n8k16
// and rows of x its 8 columns, so that both fragments are what lanes read as it lies: no register is moved. Where mma wants
// k = 2q, 2q + 1, 2q + 8, 2q + 9 of lane 4 g + q, it is given four that lie side by side, of x and of w alike, since a sum
// over k does not mind the order: a lane reads 16 values of a row of w at once (twice eight where groups have 32), and the
// same 16 of each row of x. Weights in sixteen bits come by ldmatrix in mma's own order, and so does x then.
//
// Scales that change along k are not multiplied into weights, which would round them. Sums are kept in units of the scale
// at hand: where it changes, they are brought to the next one's, 64 products for the values along k that share one. Those of
// MXFP4 are powers of two: multiplied by them, a weight is still a number of bf16, exactly, and sums have no units.
#include "jeton.cuh"

#define COLUMNS 128  // rows of w of a block
#define DEPTH 64     // values along k of a stage: 128 bytes of a row of x
#define WARP_ROWS 64
#define WARP_COLUMNS 32
#define COLUMN_WARPS (COLUMNS / WARP_COLUMNS)

// ---- index arithmetic: of blocks with so many warps along x's rows ------------------------------------------------

INDEX constexpr int rows_of_block(int rowWarps) { return rowWarps * WARP_ROWS; }
INDEX constexpr int threads_of(int rowWarps) { return rowWarps * COLUMN_WARPS * 32; }

#define X_PIECES 8  // of 16 bytes of a row in a stage
#define W_PIECES (WEIGHTS == WEIGHTS_ACT ? 8 : FOUR_BITS ? 2 : 4)
#define W_WORDS W_PIECES  // of a lane in a stage: 16 values
#define STAGE_GROUPS (SCALE_GROUP < DEPTH ? DEPTH / SCALE_GROUP : 1)  // with scales of their own that begin in a stage
// Whether sums are kept in units of the scale at hand.
#define IN_UNITS (GROUPED && WEIGHTS != WEIGHTS_MXFP4)
// Of MXFP4 each stage has a word of each row, the scales of two stages.
#define SCALE_BYTES (IN_UNITS ? COLUMNS * 4 * STAGE_GROUPS : GROUPED ? COLUMNS * SCALES_OF_WORD : 0)

INDEX constexpr int x_bytes(int rowWarps) { return rows_of_block(rowWarps) * X_PIECES * 16; }
INDEX constexpr int stage_bytes(int rowWarps) { return x_bytes(rowWarps) + COLUMNS * W_PIECES * 16 + SCALE_BYTES; }

// About 100 KB, so that an H100's multiprocessor has two blocks; fewer stages where a block cannot have as much.
INDEX constexpr int wanted_stages(int rowWarps) {
    return rowWarps == 1 ? (WEIGHTS == WEIGHTS_ACT ? 4 : FOUR_BITS ? 8 : 6)
                         : (WEIGHTS == WEIGHTS_ACT ? 3 : FOUR_BITS ? 5 : 4);
}
INDEX constexpr int stages_of(int rowWarps) {
    return wanted_stages(rowWarps) * stage_bytes(rowWarps) < JETON_SHARED - 1024
               ? wanted_stages(rowWarps)
               : (JETON_SHARED - 1024) / stage_bytes(rowWarps);
}
INDEX constexpr int ring_bytes(int rowWarps) { return stages_of(rowWarps) * stage_bytes(rowWarps); }

// Byte offset of 16 bytes of a row of 128 bytes: those that eight lanes read at once, every other piece of two rows (of groups
// of 32 half of each, of sixteen bits one of each of eight), lie in different banks.
INDEX int piece_offset(int row, int piece) {
    int turned = WEIGHTS == WEIGHTS_ACT ? row & 7 : (row & 1) * (STAGE_GROUPS == 2 ? 4 : 1);
    return row * (X_PIECES * 16) + ((piece ^ turned) << 4);
}

// The same of a row of w, which is as long or in order: two rows of 64 bytes or four of 32 are what is read at once, of
// groups of 32 half of four or eight.
INDEX int weight_offset(int row, int piece) {
    int turned = STAGE_GROUPS == 1 ? 0 : FOUR_BITS ? row >> 2 & 1 : row & 2;
    return WEIGHTS == WEIGHTS_ACT ? piece_offset(row, piece) : (row * W_PIECES + (piece ^ turned)) << 4;
}

// The piece of a row of x that a lane reads for the j-th half of a stage.
INDEX int own_piece(int q, int j) { return STAGE_GROUPS == 2 ? 4 * j + q : 2 * q + j; }

// ---- stages -------------------------------------------------------------------------------------------------------

// What a thread copies of a stage: the same piece of rows threadIdx.x / pieces and so many further, of x and of w, whose
// beginnings are counted in 16 bytes. A bit says whether a row is there; the others are zeros.
template <int rowWarps>
struct Copied {
    static const int X_COPIES = rows_of_block(rowWarps) * X_PIECES / threads_of(rowWarps);
    static const int W_COPIES = COLUMNS * W_PIECES / threads_of(rowWarps);
    const act* x;
    const unsigned char* w;
    const scale_of_weights* scales;  // of row threadIdx.x
    int xRow[X_COPIES];
    int wRow[W_COPIES];
    unsigned xThere;
    unsigned wThere;
    bool scaleThere;
};

template <int rowWarps>
DEVICE void begin_stage(const Copied<rowWarps>& s, int k, int at, unsigned char* stage) {
    const int threads = threads_of(rowWarps);
    int xAt = at + threadIdx.x % X_PIECES * 8;
#pragma unroll
    for (int i = 0; i < Copied<rowWarps>::X_COPIES; i++) {
        bool take = (s.xThere >> i & 1) && xAt < k;
        copy16_async(stage + piece_offset(threadIdx.x / X_PIECES + threads / X_PIECES * i, threadIdx.x % X_PIECES),
                     s.x + (take ? s.xRow[i] * 8LL + xAt : 0), take);
    }
    unsigned char* w = stage + x_bytes(rowWarps);
    int wAt = at + threadIdx.x % W_PIECES * (DEPTH / W_PIECES);
#pragma unroll
    for (int i = 0; i < Copied<rowWarps>::W_COPIES; i++) {
        bool take = (s.wThere >> i & 1) && wAt < k;
        copy16_async(w + weight_offset(threadIdx.x / W_PIECES + threads / W_PIECES * i, threadIdx.x % W_PIECES),
                     s.w + (take ? s.wRow[i] * 16LL + weight_bytes(wAt) : 0), take);
    }
    if (WEIGHTS == WEIGHTS_MXFP4 && threadIdx.x < COLUMNS) {
        bool take = s.scaleThere && at < k;
        copy4_async(w + COLUMNS * W_PIECES * 16 + SCALES_OF_WORD * threadIdx.x,
                    s.scales + (take ? at / SCALE_GROUP / SCALES_OF_WORD * SCALES_OF_WORD : 0), take);
    }
    if (IN_UNITS && at % SCALE_GROUP == 0 && threadIdx.x < COLUMNS) {
#pragma unroll
        for (int i = 0; i < STAGE_GROUPS; i++) {
            bool take = s.scaleThere && at + i * SCALE_GROUP < k;
            copy4_async(w + COLUMNS * (W_PIECES * 16 + 4 * i) + 4 * threadIdx.x, s.scales + (take ? at / SCALE_GROUP + i : 0),
                        take);
        }
    }
}

// A warp's sums: of[m][c] of rows 8 m + 2 (lane % 4) + i % 2 of x and 16 c + lane / 4 + i / 2 * 8 of w, and what they are in
// units of.
struct Sums {
    float of[8][2][4];
    float unit[2][2];
    unsigned zero[2][2];
};

DEVICE void change_units(const unsigned char* scales, int warpColumn, Sums& sums) {
    const scale_of_weights* of = (const scale_of_weights*)scales + warpColumn + threadIdx.x % 32 / 4;
#pragma unroll
    for (int c = 0; c < 2; c++) {
#pragma unroll
        for (int h = 0; h < 2; h++) {
            scale_of_weights scale = of[16 * c + 8 * h];
            float unit = factor_of(scale);
            float by = sums.unit[c][h] * reciprocal(unit);
            sums.unit[c][h] = unit;
            sums.zero[c][h] = zero_of(scale);
#pragma unroll
            for (int m = 0; m < 8; m++) {
                sums.of[m][c][2 * h] *= by;
                sums.of[m][c][2 * h + 1] *= by;
            }
        }
    }
}

// The 16 values of a row of w that are a lane's in a stage, of fewer bits.
DEVICE void load_words(const unsigned char* w, int row, unsigned (&words)[W_WORDS]) {
    int q = threadIdx.x % 4;
    if (STAGE_GROUPS == 2 && WEIGHTS == WEIGHTS_INT8_GROUP) {
        uint2 first = *(const uint2*)(w + weight_offset(row, q / 2) + 8 * (q % 2));
        uint2 second = *(const uint2*)(w + weight_offset(row, 2 + q / 2) + 8 * (q % 2));
        words[0] = first.x, words[1] = first.y, words[W_WORDS - 2] = second.x, words[W_WORDS - 1] = second.y;
    } else if (STAGE_GROUPS == 2) {
        words[0] = *(const unsigned*)(w + weight_offset(row, 0) + 4 * q);
        words[1] = *(const unsigned*)(w + weight_offset(row, 1) + 4 * q);
    } else if (FOUR_BITS) {
        uint2 v = *(const uint2*)(w + weight_offset(row, 0) + 8 * q);
        words[0] = v.x, words[1] = v.y;
    } else {
        uint4 v = *(const uint4*)(w + weight_offset(row, q));
        words[0] = v.x, words[1] = v.y, words[W_WORDS - 2] = v.z, words[W_WORDS - 1] = v.w;
    }
}

// Of 16 rows of w the fragment for step i of the four of a stage, whose words are of rows lane / 4 and 8 further; `zero` is
// theirs, of MXFP4 the scales of both.
DEVICE void load_pairs(const unsigned char* w, int row, int i, const unsigned (*words)[W_WORDS], const unsigned* zero,
                       unsigned (&a)[4]) {
    if (WEIGHTS == WEIGHTS_ACT) {
        int lane = threadIdx.x & 31;
        load_matrices(a, w + weight_offset(row + lane % 16, 2 * i + lane / 16));
    } else {
#pragma unroll
        for (int h = 0; h < 4; h++) {
            a[h] = weight_pair(words[h % 2], 2 * i + h / 2, zero[h % 2]);
            if (WEIGHTS == WEIGHTS_MXFP4) {
                a[h] = times_scale(a[h], zero[h % 2]);
            }
        }
    }
}

// Of 8 rows of x the fragments for steps 2 j and 2 j + 1.
DEVICE void load_inputs(const unsigned char* x, int row, int j, unsigned (&b)[4]) {
    int lane = threadIdx.x & 31;
    if (WEIGHTS == WEIGHTS_ACT) {
        load_matrices(b, x + piece_offset(row + lane % 8, 4 * j + lane / 8));
    } else {
        uint4 v = *(const uint4*)(x + piece_offset(row + lane / 4, own_piece(lane % 4, j)));
        b[0] = v.x, b[1] = v.y, b[2] = v.z, b[3] = v.w;
    }
}

// The scales of MXFP4 for a lane's rows of w and the 32 values that are `group` of the scales there.
DEVICE void load_scales(const unsigned char* scales, int warpColumn, int group, unsigned (&to)[2][2]) {
#pragma unroll
    for (int c = 0; c < 4; c++) {
        to[c / 2][c % 2] = scale_pair(scales[SCALES_OF_WORD * (warpColumn + 8 * c + threadIdx.x % 32 / 4) + group]);
    }
}

// One stage for a warp's 64 by 32 sums; of its eight tiles of 8 rows of x only the first `rowTiles` have rows. `left` values
// along k are what there is from its beginning on; where all of it has one scale, sums are in units of that already. Of the
// scales of MXFP4 its own begin with `group`.
DEVICE void multiply_stage(const unsigned char* x, const unsigned char* w, int warpRow, int warpColumn, int rowTiles, int left,
                           int group, Sums& sums) {
    int g = threadIdx.x % 32 / 4;
    unsigned words[4][W_WORDS];
    if (WEIGHTS != WEIGHTS_ACT) {
#pragma unroll
        for (int c = 0; c < 4; c++) {
            load_words(w, warpColumn + 8 * c + g, words[c]);
        }
    }
#pragma unroll
    for (int j = 0; j < 2; j++) {
        if (WEIGHTS == WEIGHTS_MXFP4) {
            load_scales(w + COLUMNS * W_PIECES * 16, warpColumn, group + j, sums.zero);
        } else if (STAGE_GROUPS == 2 && j * SCALE_GROUP < left) {
            change_units(w + COLUMNS * (W_PIECES * 16 + 4 * j), warpColumn, sums);
        }
        unsigned a[2][2][4];
#pragma unroll
        for (int c = 0; c < 2; c++) {
#pragma unroll
            for (int i = 0; i < 2; i++) {
                load_pairs(w, warpColumn + 16 * c, 2 * j + i, words + 2 * c, sums.zero[c], a[c][i]);
            }
        }
#pragma unroll
        for (int m = 0; m < 8; m += 2) {
            if (m < rowTiles) {
                unsigned b[2][4];
                load_inputs(x, warpRow + 8 * m, j, b[0]);
                load_inputs(x, warpRow + 8 * m + 8, j, b[1]);
#pragma unroll
                for (int i = 0; i < 8; i++) {
                    mma_act(sums.of[m + i / 2 % 2][i % 2], a[i % 2][i / 4], b[i / 2 % 2] + i / 4 * 2);
                }
            }
        }
    }
}

// The sums over values `from` to `to` along k, `from` % 128 == 0.
template <int rowWarps>
DEVICE void sum_stages(const Copied<rowWarps>& s, unsigned char* ring, int k, int from, int to, int rowTiles, Sums& sums) {
    const int stages = stages_of(rowWarps);
    const int stage = stage_bytes(rowWarps);
    int warp = threadIdx.x / 32;
    int warpRow = warp % rowWarps * WARP_ROWS;
    int warpColumn = warp / rowWarps * WARP_COLUMNS;
#pragma unroll
    for (int i = 0; i < 64; i++) {
        sums.of[i / 8][i / 4 % 2][i % 4] = 0;
    }
#pragma unroll
    for (int c = 0; c < 2; c++) {
        sums.unit[c][0] = sums.unit[c][1] = 1;
        sums.zero[c][0] = sums.zero[c][1] = 0;
    }
    int end = min(to, k);
    for (int i = 0; i < stages - 1; i++) {
        begin_stage(s, end, from + i * DEPTH, ring + i * stage);
        copies_commit();
    }
    int used = 0;
    int filled = stages - 1;
    for (int at = from; at < end; at += DEPTH) {
        copies_wait<stages - 2>();
        // all have their copies, and nobody reads the stage that is filled next any more
        __syncthreads();
        begin_stage(s, end, at + (stages - 1) * DEPTH, ring + filled * stage);
        copies_commit();
        const unsigned char* x = ring + used * stage;
        const unsigned char* w = x + x_bytes(rowWarps);
        if (IN_UNITS && STAGE_GROUPS == 1 && at % SCALE_GROUP == 0) {
            change_units(w + COLUMNS * W_PIECES * 16, warpColumn, sums);
        }
        multiply_stage(x, w, warpRow, warpColumn, rowTiles, end - at, at / DEPTH % 2 * 2, sums);
        used = used + 1 == stages ? 0 : used + 1;
        filled = filled + 1 == stages ? 0 : filled + 1;
    }
    copies_wait<0>();
}

// Brings sums to what they are: scales is those of the whole matrix.
DEVICE void apply_units(Sums& sums, const scale_of_weights* scales, int column, int warpColumn, int n, int mode) {
#if WEIGHTS != WEIGHTS_ACT && WEIGHTS != WEIGHTS_MXFP4
#pragma unroll
    for (int c = 0; c < 2; c++) {
#pragma unroll
        for (int h = 0; h < 2; h++) {
            float unit = sums.unit[c][h];
            if (!GROUPED) {
                int row = weight_row(column, warpColumn + 16 * c + 8 * h + threadIdx.x % 32 / 4, n, mode, COLUMNS / 16);
                unit = factor_of(scales[max(row, 0)]);
            }
#pragma unroll
            for (int m = 0; m < 8; m++) {
                sums.of[m][c][2 * h] *= unit;
                sums.of[m][c][2 * h + 1] *= unit;
            }
        }
    }
#endif
}

// Where a thread's rows of w begin, and of their scales.
template <int rowWarps>
DEVICE void find_weights(Copied<rowWarps>& s, const unsigned char* w, const scale_of_weights* scales, int column, int n,
                         int k, int mode) {
    s.w = w;
    s.wThere = 0;
#pragma unroll
    for (int i = 0; i < Copied<rowWarps>::W_COPIES; i++) {
        int row = weight_row(column, threadIdx.x / W_PIECES + threads_of(rowWarps) / W_PIECES * i, n, mode, COLUMNS / 16);
        s.wRow[i] = (int)(weight_bytes((long long)max(row, 0) * k) / 16);
        s.wThere |= (row >= 0) << i;
    }
    int row = threadIdx.x < COLUMNS ? weight_row(column, threadIdx.x, n, mode, COLUMNS / 16) : -1;
    s.scaleThere = row >= 0;
    s.scales = scales + (GROUPED ? scale_index(max(row, 0), k) : 0);
}

// ---- experts ------------------------------------------------------------------------------------------------------

// Adds the biases of an expert's rows of w, of which there is one for each.
DEVICE void add_biases(Sums& sums, const float* bias, int column, int warpColumn, int n, int mode) {
#pragma unroll
    for (int c = 0; c < 4; c++) {
        int row = weight_row(column, warpColumn + 8 * c + threadIdx.x % 32 / 4, n, mode, COLUMNS / 16);
        float add = row < 0 ? 0.0f : bias[row];
#pragma unroll
        for (int m = 0; m < 8; m++) {
            sums.of[m][c / 2][c % 2 * 2] += add;
            sums.of[m][c / 2][c % 2 * 2 + 1] += add;
        }
    }
}

// Stores two neighbours of a row of y at once, which lanes g and g + 1 have, of two rows each: one is exchanged, and the even
// lane stores of the first row, the odd one of the second. n % 8 == 0.
DEVICE void store_pair(float first, float second, bool there, act* row, int at) {
    bool odd = threadIdx.x / 4 % 2 != 0;
    float other = __shfl_xor_sync(ALL_LANES, odd ? first : second, 4);
    if (there) {
        *(unsigned*)(row + at - odd) = odd ? pack_act(other, second) : pack_act(first, other);
    }
}

DEVICE void store_acts(const Sums& sums, const int* tile, const int* places, int column, int warpRow, int warpColumn, int n,
                       int mode, act* y, int yStride) {
    int g = threadIdx.x % 32 / 4;
    int q = threadIdx.x % 4;
#pragma unroll
    for (int m = 0; m < 8; m++) {
        int row = warpRow + 8 * m + 2 * q + g % 2;
        bool there = row < tile[2];
        act* to = y + (long long)(there ? row_of_y(places, tile[1] + row) : 0) * yStride;
#pragma unroll
        for (int c = 0; c < 2; c++) {
            const float* of = sums.of[m][c];
            if (gated(mode)) {
                int at = column * (COLUMNS / 2) + warpColumn / 2 + 8 * c + g;
                store_pair(join_of(mode, of[0], of[2]), join_of(mode, of[1], of[3]), there && at < n, to, at);
            } else {
                int at = column * COLUMNS + warpColumn + 16 * c + g;
                store_pair(of[0], of[1], there && at < n, to, at);
                store_pair(of[2], of[3], there && at + 8 < n, to, at + 8);
            }
        }
    }
}

#define MANY_WARPS 2  // along rows of x
#define MANY_ROWS rows_of_block(MANY_WARPS)
#define MANY_THREADS threads_of(MANY_WARPS)
#define MANY_SHARED ring_bytes(MANY_WARPS)

// The products of experts for many rows: as expert_few (matmul.cu), with tiles of MANY_ROWS slots; n % 8 == 0, yStride % 2
// == 0, k % 8 == 0, of int8 and fp8 k % 16 == 0, of int4, int8 in groups and MXFP4 k % SCALE_GROUP == 0.
// Operations: 2 * n * k (gated 4 * n * k) a slot. Mixtral-8x7B, 8,192 tokens, a layer: 5.8 TFLOP; 990 TFLOP/s would take
// 5.8 ms, mma.sync reaches some 60% of what wgmma does: 9.7 ms. Qwen3-30B-A3B: 0.62 TFLOP, 0.62 and 1.0 ms.
// Bytes, in sixteen bits: all weights of the layer once (2.8 GB, 0.6 ms; 1.2 GB, 0.25 ms), and with strips of 16 tiles by
// what fits beside each other, 264 blocks: about 32 MB for 264 tiles of sums, 3.7 GB and 0.8 ms for Mixtral. int8 and fp8
// half, int4 17 in 64 of the weights' part (18 or 20 in groups of 64 or 32): Mixtral in int4 0.75 GB. Bound by the tensor
// cores from some 200 rows an expert on (int8, fp8: 100, int4: 55), below by weights: tiles of 16 rows without rows are not
// multiplied. Conversions are done by both warps that share columns: 16 to 20 instructions a warp for eight products of 16
// rows, hidden behind them. Where scales change, 64 products and some 20 instructions more a warp, beside 128 mma of full
// tiles, in groups of 64 or 32 beside 64 or 32.
// MXFP4: 17 in 64 of the weights' part. gpt-oss-120b, 8,192 tokens by 4 of 128, a layer: 1.6 TFLOP, 1.65 ms and 2.7 at 60% of
// the rate, beside 1.7 GB of weights, 0.35 ms. A pair takes about 4 integer instructions and two half-precision ones, the
// second of which makes it the weight, so sums have no units: 64 products a warp's stage less than int4 in groups of 32.
// Under way: all but one of the stages of 20 to 32 KB, two blocks a multiprocessor.
extern "C" __global__ void __launch_bounds__(MANY_THREADS, 2)
expert_many(const int* plan, const int* tiles, const int* choices, int perToken, const int* places, const act* x,
            int xStride, const unsigned char* w, const scale_of_weights* scales, const float* bias, int n, int k, int mode,
            act* y, int yStride) {
    take_turn();
    DYNAMIC_SHARED(shared);
    int outputs = COLUMNS / (gated(mode) ? 2 : 1);
    int columns = (n + outputs - 1) / outputs;
    if ((int)blockIdx.x >= plan[0] * columns) {
        return;
    }
    const int* tile = tiles + EXPERT_TILE * strip_tile(blockIdx.x, plan[0], columns);
    int column = strip_column(blockIdx.x, plan[0], columns);
    long long firstRow = (long long)tile[0] * (gated(mode) ? 2 * n : n);
    Copied<MANY_WARPS> s;
    find_weights(s, w + weight_bytes(firstRow * k), scales + scale_index(firstRow, k), column, n, k, mode);
    s.x = x;
    s.xThere = 0;
#pragma unroll
    for (int i = 0; i < Copied<MANY_WARPS>::X_COPIES; i++) {
        int r = threadIdx.x / X_PIECES + MANY_THREADS / X_PIECES * i;
        bool there = r < tile[2];
        s.xRow[i] = there ? (int)((long long)row_of_slot(choices, perToken, tile[1] + r) * xStride / 8) : 0;
        s.xThere |= there << i;
    }
    int warp = threadIdx.x / 32;
    int warpRow = warp % MANY_WARPS * WARP_ROWS;
    int warpColumn = warp / MANY_WARPS * WARP_COLUMNS;
    Sums sums;
    sum_stages(s, shared, k, 0, k, (tile[2] - warpRow + 7) / 8, sums);
    apply_units(sums, scales + scale_index(firstRow, k), column, warpColumn, n, mode);
    if (bias) {
        add_biases(sums, bias + firstRow, column, warpColumn, n, mode);
    }
    store_acts(sums, tile, places, column, warpRow, warpColumn, n, mode, y, yStride);
}

// ---- dense --------------------------------------------------------------------------------------------------------

#define WIDE_WARPS 1
#define WIDE_ROWS rows_of_block(WIDE_WARPS)
#define WIDE_THREADS threads_of(WIDE_WARPS)
#define WIDE_SHARED ring_bytes(WIDE_WARPS)
#define SPLIT 128  // values along k of which splits take multiples: whole groups

#if WEIGHTS != WEIGHTS_ACT

DEVICE void store_results(const Sums& sums, int first, int rows, int column, int warpColumn, int n, int mode,
                          const act* bias, void* y, int yStride) {
    int g = threadIdx.x % 32 / 4;
    int q = threadIdx.x % 4;
#pragma unroll
    for (int m = 0; m < 8; m++) {
#pragma unroll
        for (int i = 0; i < 2; i++) {
            int row = 8 * m + 2 * q + i;
            if (row >= rows) {
                continue;
            }
#pragma unroll
            for (int c = 0; c < 2; c++) {
                const float* of = sums.of[m][c];
                if (gated(mode)) {
                    int at = column * (COLUMNS / 2) + warpColumn / 2 + 8 * c + g;
                    if (at < n) {
                        store_result(y, yStride, MODE_ACT, 0, first + row, at, join_of(mode, of[i], of[2 + i]));
                    }
                } else {
                    int at = column * COLUMNS + warpColumn + 16 * c + g;
                    if (at < n) {
                        store_result(y, yStride, mode, bias, first + row, at, of[i]);
                    }
                    if (at + 8 < n) {
                        store_result(y, yStride, mode, bias, first + row, at + 8, of[2 + i]);
                    }
                }
            }
        }
    }
}

// Gives the last of a block's splits the sums of all, in their order; false for the others.
DEVICE bool join_splits(Sums& sums, int block, int split, int splits, int rowTiles, float* partials, int* counters) {
    float* parts = partials + (long long)block * splits * 64 * WIDE_THREADS;
#pragma unroll
    for (int i = 0; i < 64; i++) {
        if (i / 8 < rowTiles) {
            parts[(split * 64 + i) * WIDE_THREADS + threadIdx.x] = sums.of[i / 8][i / 4 % 2][i % 4];
            sums.of[i / 8][i / 4 % 2][i % 4] = 0;
        }
    }
    if (!last_to_arrive(counters + block, splits)) {
        return false;
    }
    for (int other = 0; other < splits; other++) {
#pragma unroll
        for (int i = 0; i < 64; i++) {
            if (i / 8 < rowTiles) {
                sums.of[i / 8][i / 4 % 2][i % 4] += load_fresh(parts + (other * 64 + i) * WIDE_THREADS + threadIdx.x);
            }
        }
    }
    return true;
}

// y[row][n] as skinny_matmul (matmul.cu), for any number of rows: blocks of 64 of them that share weights run together.
// k % 16 == 0, of int4, int8 in groups and MXFP4 k % SCALE_GROUP == 0; splits take multiples of 128 values along k.
// Bytes: weights once up to 64 rows, from the second cache for the others; 128 rows of w read each row of x once, 2 * k *
// rows / 128 a row of w: at 64 rows as much as fp8 weights, from the second cache; 512 * rows a block and split of partial
// sums. Operations: 2 * n * k * rows, and 16 to 20 instructions of conversions a warp and eight products.
// Llama-3.1-8B, fp8 or int8, all layers, H200: 7.0 GB, 1.5 ms; 64 rows are 0.9 TFLOP, 0.9 ms, 1.5 ms at 60% of the rate:
// bound by memory and by tensor cores alike. int4: 3.7 GB, 0.8 ms (groups of 64: 3.9 GB, of 32: 4.4): 64 rows are bound by
// tensor cores, 32 by memory.
// Under way per block: 5 of 6 stages of 16 KB (int4: 7 of 8 of 12.5 KB), half of it (a third) weights; two blocks a
// multiprocessor: 80 KB (56 KB) of weights, 29 KB are needed at 4.8 TB/s.
extern "C" __global__ void __launch_bounds__(WIDE_THREADS, 2)
wide_matmul(const int* header, int count, int rowBlocks, const act* x, int xStride, const unsigned char* w,
            const scale_of_weights* scales, int n, int k, int mode, const act* bias, void* y, int yStride, int splits,
            float* partials, int* counters) {
    take_turn();
    DYNAMIC_SHARED(shared);
    int column = blockIdx.x / rowBlocks;
    int first = blockIdx.x % rowBlocks * WIDE_ROWS;
    int rows = min(count_of(header, count) - first, WIDE_ROWS);
    if (rows <= 0) {
        return;
    }
    Copied<WIDE_WARPS> s;
    find_weights(s, w, scales, column, n, k, mode);
    s.x = x;
    s.xThere = 0;
#pragma unroll
    for (int i = 0; i < Copied<WIDE_WARPS>::X_COPIES; i++) {
        int r = threadIdx.x / X_PIECES + WIDE_THREADS / X_PIECES * i;
        s.xRow[i] = (int)((long long)(first + min(r, rows - 1)) * xStride / 8);
        s.xThere |= (r < rows) << i;
    }
    int warpColumn = threadIdx.x / 32 * WARP_COLUMNS;
    int rowTiles = (rows + 7) / 8;
    int steps = (k + SPLIT - 1) / SPLIT;
    int from = (int)((long long)steps * blockIdx.y / splits) * SPLIT;
    int to = (int)((long long)steps * (blockIdx.y + 1) / splits) * SPLIT;
    Sums sums;
    sum_stages(s, shared, k, from, to, rowTiles, sums);
    apply_units(sums, scales, column, warpColumn, n, mode);
    if (splits == 1 || join_splits(sums, blockIdx.x, blockIdx.y, splits, rowTiles, partials, counters)) {
        store_results(sums, first, rows, column, warpColumn, n, mode, bias, y, yStride);
    }
}

#endif

// What a launch must know; one thread.
extern "C" __global__ void wide_constants(int* out) {
    const int values[8] = {MANY_ROWS, COLUMNS, MANY_THREADS, MANY_SHARED, WIDE_ROWS, COLUMNS, WIDE_THREADS, WIDE_SHARED};
    for (int i = 0; i < 8; i++) {
        out[i] = values[i];
    }
}
