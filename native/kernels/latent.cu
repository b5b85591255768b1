// Attention to the vectors that keys and values are computed from (DeepSeek-AI: DeepSeek-V2, multi-head latent attention).
//
// Of a token pages have one row of KEY_PAD elements: the normed vector of LATENT_RANK, and behind RANK_PAD the ROTARY_DIM
// elements of the key that are turned; what is between is zero. Each head's query has been taken through its K, so it is as
// wide, and what a head attends to is the vector: the first LATENT_RANK elements are the value, too. One row of a page so
// serves all GROUP heads, as key and as value, and is read once.
//
// A query row is (input, head), as in attention.cu, whose plan of tiles this shares: tiles of LATENT_ROWS query rows, all in
// one list, since a decoding row of 128 heads is two whole tiles already. Softmax is taken online in base 2; splits of a
// context are put together by the block that comes last, in order of the splits.
#include "jeton.cuh"

#ifndef LATENT_RANK
#define LATENT_RANK 512
#endif
#ifndef LATENT_PAIRED
#define LATENT_PAIRED 1  // whether elements that are turned together are neighbours, not half of ROTARY_DIM apart
#endif

#define RANK_PAD ((LATENT_RANK + 15) / 16 * 16)
#define KEY_PAD (RANK_PAD + (ROTARY_DIM + 15) / 16 * 16)
#define KEY_BYTES (KEY_PAD * 2)
#define TURNED (ROTARY_DIM / 2)  // pairs that are turned
#define PLAIN (HEAD_DIM - ROTARY_DIM)

#define LATENT_ROWS 64
#define LATENT_WARPS 8
#define LATENT_THREADS (LATENT_WARPS * 32)
#define LATENT_TOKENS 32  // of a stage
#define CHUNKS (KEY_BYTES / 16)
// An odd number of chunks between rows: the eight rows of an ldmatrix lie in different banks.
#define ROW_STRIDE ((CHUNKS | 1) * 16)
#define STAGE_BYTES (LATENT_TOKENS * ROW_STRIDE)
#define WEIGHT_STRIDE ((LATENT_TOKENS * 2 / 16 | 1) * 16)
#define HALF_SCORES (4 * 32 * LATENT_TOKENS / 2)  // floats: of four warps' lanes, LATENT_TOKENS / 2 each
#define REST_BYTES (HALF_SCORES * 4 + LATENT_ROWS * WEIGHT_STRIDE + LATENT_ROWS * 4)
// Queries lie where the last two stages will be until they are in registers.
#define LATENT_STAGES (4 * STAGE_BYTES + REST_BYTES < JETON_SHARED && 4 * STAGE_BYTES + REST_BYTES <= 163 * 1024 ? 4 : 2)
#define LATENT_SHARED_BYTES (LATENT_STAGES * STAGE_BYTES + REST_BYTES)

#define STEPS (KEY_PAD / 16)
#define HALF_STEPS ((STEPS + 1) / 2)
#define VALUE_PAIRS (RANK_PAD / 16)  // of tiles of eight elements
#define WARP_PAIRS ((VALUE_PAIRS + LATENT_WARPS - 1) / LATENT_WARPS)

static_assert(LATENT_RANK % 2 == 0 && ROTARY_DIM % 2 == 0, "the vector and what is turned must be even");
static_assert(PLAIN > 0, "a head must have elements that are not turned");
static_assert(LATENT_SHARED_BYTES < JETON_SHARED, "a block has more shared memory than this device gives");

#define LOG2_E 1.4426950408889634f

#define DECODE_ROWS LATENT_ROWS
#define DECODE_LIMIT 0x7fffffff  // every row of the batch is in the first list
#define PREFILL_ROWS LATENT_ROWS
#include "plan.cuh"

// What a launch must know; one thread.
extern "C" __global__ void latent_constants(int* out) {
    const int values[8] = {KEY_PAD, RANK_PAD, LATENT_ROWS, LATENT_THREADS, LATENT_SHARED_BYTES, PLAN_THREADS, 0, 0};
    for (int i = 0; i < 8; i++) {
        out[i] = values[i];
    }
}

// ---- before attention ---------------------------------------------------------------------------------------------

// Turns pair i of ROTARY_DIM elements by a token's angles, as rows.cu made them.
INDEX int first_of_pair(int i) { return LATENT_PAIRED ? 2 * i : i; }
INDEX int second_of_pair(int i) { return LATENT_PAIRED ? 2 * i + 1 : i + TURNED; }
DEVICE void turn_pair(const act* from, const float* angles, int i, act* to) {
    float a = act_to_float(from[first_of_pair(i)]);
    float b = act_to_float(from[second_of_pair(i)]);
    float c = angles[i];
    float s = angles[HEAD_DIM / 2 + i];
    to[first_of_pair(i)] = float_to_act(a * c - b * s);
    to[second_of_pair(i)] = float_to_act(b * c + a * s);
}

// to[i] = from[i] / root of their mean square * weight[i] * by; all threads of a block of 128. Scratch is free again after the
// next __syncthreads.
DEVICE void norm_part(const act* from, int width, const float* weight, float epsilon, float by, float* scratch, act* to) {
    float sum = 0;
    for (int i = threadIdx.x; i < width; i += 128) {
        float v = act_to_float(from[i]);
        sum += v * v;
    }
    float inverse = by / sqrtf(block_sum(sum, scratch) / width + epsilon);
    for (int i = threadIdx.x; i < width; i += 128) {
        to[i] = float_to_act(act_to_float(from[i]) * inverse * weight[i]);
    }
}

// Of a token's row of x: norms what its queries are computed from, of queryRank elements (0: they are not computed from
// these), into narrow[token][queryRank], multiplied with what queries grow by, since they are products of it; norms the
// vector behind it and turns what is behind that, into its page.
// Bytes per token: 2 * (queryRank + rank + rotary) read and written. DeepSeek-V3: 8.4 KB, 69 MB for 8,192 tokens: 21 us on
// H100. Elements are read one by one, since nothing says that parts of a row begin at vectors.
extern "C" __global__ void __launch_bounds__(128)
latent_append(const int* header, const act* x, int xStride, int queryRank, const float* queryNorm, const float* norm,
              float epsilon, float growth, int growthContext, const float* rotary, const int* tokenRow,
              const int* tokenPosition, const int* blocks, const int* tableStart, char* pages, long long blockBytes,
              act* narrow) {
    take_turn();
    __shared__ float scratch[2][32];
    int token = blockIdx.x;
    if (token >= header[HEADER_TOKENS]) {
        return;
    }
    const act* from = x + (long long)token * xStride;
    int position = tokenPosition[token];
    if (queryRank > 0) {
        float grown = query_growth(position, growth, growthContext);
        norm_part(from, queryRank, queryNorm, epsilon, grown, scratch[0], narrow + (long long)token * queryRank);
    }
    from += queryRank;
    int block = blocks[tableStart[tokenRow[token]] + position / BLOCK_SIZE];
    act* to = (act*)(pages + block * blockBytes + (long long)(position % BLOCK_SIZE) * KEY_BYTES);
    norm_part(from, LATENT_RANK, norm, epsilon, 1.0f, scratch[1], to);
    for (int i = LATENT_RANK + threadIdx.x; i < RANK_PAD; i += 128) {
        to[i] = 0;
    }
    for (int i = RANK_PAD + ROTARY_DIM + threadIdx.x; i < KEY_PAD; i += 128) {
        to[i] = 0;
    }
    for (int i = threadIdx.x; i < TURNED; i += 128) {
        turn_pair(from + LATENT_RANK, rotary + (long long)token * HEAD_DIM, i, to + RANK_PAD);
    }
}

// Turns the end of every query, x[token][GROUP][HEAD_DIM], into y[token][GROUP][KEY_PAD] behind RANK_PAD, whose first
// LATENT_RANK elements are another's.
// Bytes per token: GROUP * ROTARY_DIM * 2 read, and written with padding. DeepSeek-V3: 32 KB, 0.27 GB for 8,192 tokens: 80 us
// on H100, beside 1,200 of the products with K.
extern "C" __global__ void __launch_bounds__(128)
latent_turn(const int* header, const act* x, const float* rotary, act* y) {
    take_turn();
    int token = blockIdx.x;
    if (token >= header[HEADER_TOKENS]) {
        return;
    }
    const float* angles = rotary + (long long)token * HEAD_DIM;
    const int padding = KEY_PAD - LATENT_RANK - ROTARY_DIM;
    for (int i = threadIdx.x; i < GROUP * TURNED; i += 128) {
        long long head = (long long)token * GROUP + i / TURNED;
        turn_pair(x + head * HEAD_DIM + PLAIN, angles, i % TURNED, y + head * KEY_PAD + RANK_PAD);
    }
    for (int i = threadIdx.x; i < GROUP * padding; i += 128) {
        long long head = (long long)token * GROUP + i / max(padding, 1);
        int at = LATENT_RANK + i % max(padding, 1);
        y[head * KEY_PAD + (at < RANK_PAD ? at : at + ROTARY_DIM)] = 0;
    }
}

// The rows of a step as those of experts, which are the heads: head h has rows token * GROUP + h of all tokens, in slots h *
// tokens + token. What expert_few and expert_many (matmul.cu, wide.cu) take: tiles of tileRows slots, and slots' rows.
// One pass over GROUP * tokens rows; once per step. 8,192 tokens of 128 heads: 4.2 MB written, 2 us.
extern "C" __global__ void __launch_bounds__(256)
plan_heads(const int* header, int tileRows, int* plan, int* tiles, int* rows) {
    take_turn();
    int tokens = header[HEADER_TOKENS];
    int ofHead = (tokens + tileRows - 1) / tileRows;
    if (blockIdx.x == 0 && threadIdx.x == 0) {
        plan[0] = GROUP * ofHead;
        plan[1] = GROUP * tokens;
    }
    int step = gridDim.x * 256;
    for (int i = blockIdx.x * 256 + threadIdx.x; i < GROUP * ofHead; i += step) {
        int head = i / ofHead;
        int first = i % ofHead * tileRows;
        int* tile = tiles + EXPERT_TILE * i;
        tile[0] = head;
        tile[1] = head * tokens + first;
        tile[2] = tokens - first < tileRows ? tokens - first : tileRows;
        tile[3] = 0;
    }
    for (int i = blockIdx.x * 256 + threadIdx.x; i < GROUP * tokens; i += step) {
        rows[i] = i % tokens * GROUP + i / tokens;
    }
}

// Each head's K and V, both[GROUP][PLAIN + value][LATENT_RANK], apart: keys[GROUP][LATENT_RANK][PLAIN], as queries are taken
// through them, and values[GROUP][value][LATENT_RANK]. Bytes: as many read and written; once per model.
extern "C" __global__ void __launch_bounds__(256)
split_heads(const act* both, int value, act* keys, act* values) {
    take_turn();
    int ofHead = PLAIN + value;
    long long all = (long long)GROUP * ofHead * LATENT_RANK;
    for (long long i = blockIdx.x * 256LL + threadIdx.x; i < all; i += gridDim.x * 256LL) {
        int r = (int)(i % LATENT_RANK);
        int row = (int)(i / LATENT_RANK % ofHead);
        long long head = i / LATENT_RANK / ofHead;
        if (row < PLAIN) {
            keys[(head * LATENT_RANK + r) * PLAIN + row] = both[i];
        } else {
            values[(head * value + row - PLAIN) * LATENT_RANK + r] = both[i];
        }
    }
}

// ---- attention ----------------------------------------------------------------------------------------------------

// Starts the copies of a stage's tokens.
DEVICE void fetch_stage(unsigned char* to, const char* pages, long long blockBytes, const int* table, int token, int end) {
    for (int i = threadIdx.x; i < LATENT_TOKENS * CHUNKS; i += LATENT_THREADS) {
        int t = i / CHUNKS;
        int at = token + t;
        bool there = at < end;
        const char* from = pages + (there ? table[at / BLOCK_SIZE] : 0) * blockBytes +
                           (long long)(at % BLOCK_SIZE) * KEY_BYTES + i % CHUNKS * 16;
        copy16_async(to + t * ROW_STRIDE + i % CHUNKS * 16, from, there);
    }
}

// The scores of 16 query rows and a stage's tokens over some of the elements: steps [0, count) from `keys` on, of which the
// queries are in registers.
DEVICE void half_scores(float (&s)[LATENT_TOKENS / 8][4], const unsigned (&query)[HALF_STEPS][4],
                        const unsigned char* keys, int count) {
    int lane = threadIdx.x % 32;
    const unsigned char* row = keys + (lane / 16 * 8 + lane % 8) * ROW_STRIDE + (lane / 8 % 2) * 16;
#pragma unroll
    for (int n = 0; n < LATENT_TOKENS / 8; n++) {
        s[n][0] = s[n][1] = s[n][2] = s[n][3] = 0;
    }
#pragma unroll
    for (int step = 0; step < HALF_STEPS; step++) {
        if (step < count) {
#pragma unroll
            for (int n = 0; n < LATENT_TOKENS / 16; n++) {
                unsigned r[4];
                load_matrices(r, row + n * 16 * ROW_STRIDE + step * 32);
                mma_act(s[2 * n], query[step], r);
                mma_act(s[2 * n + 1], query[step], r + 2);
            }
        }
    }
}

// Of the two query rows (g and g + 8) of a lane: greatest score in units of log 2, and this lane's part of the sum.
struct Softmax {
    float greatest[2];
    float sum[2];
};

// Turns raw scores of tokens `token` onward into weights; factor gets what earlier outputs of each row are multiplied with.
// Row `row` + 8 h sees tokens up to last[h].
DEVICE void soften(float (&s)[LATENT_TOKENS / 8][4], Softmax& state, float scale, const int* last, int token,
                   float* factor) {
    int q = threadIdx.x % 4;
#pragma unroll
    for (int h = 0; h < 2; h++) {
        float most = NEGATIVE_INFINITY;
#pragma unroll
        for (int n = 0; n < LATENT_TOKENS / 8; n++) {
#pragma unroll
            for (int i = 0; i < 2; i++) {
                float& score = s[n][2 * h + i];
                score = token + 8 * n + 2 * q + i > last[h] ? NEGATIVE_INFINITY : score * scale;
                most = fmaxf(most, score);
            }
        }
        most = fmaxf(most, __shfl_xor_sync(ALL_LANES, most, 1));
        most = fmaxf(most, __shfl_xor_sync(ALL_LANES, most, 2));
        most = fmaxf(most, state.greatest[h]);
        // A row that has seen nothing yet: any finite reference does, all its weights are zero.
        float reference = most == NEGATIVE_INFINITY ? 0.0f : most;
        factor[h] = exp2_fast(state.greatest[h] - reference);
        state.greatest[h] = most;
        float sum = 0;
#pragma unroll
        for (int n = 0; n < LATENT_TOKENS / 8; n++) {
            s[n][2 * h] = exp2_fast(s[n][2 * h] - reference);
            s[n][2 * h + 1] = exp2_fast(s[n][2 * h + 1] - reference);
            sum += s[n][2 * h] + s[n][2 * h + 1];
        }
        state.sum[h] = state.sum[h] * factor[h] + sum;
    }
}

DEVICE float quad_sum(float x) {
    x += __shfl_xor_sync(ALL_LANES, x, 1);
    return x + __shfl_xor_sync(ALL_LANES, x, 2);
}

// Puts a tile's splits together. Each block has stored its sums; the last one gets here.
DEVICE void combine(const Tile& tile, int count, const float* partialOut, const float* partialSum, act* out) {
    long long first = (long long)(tile.partial - tile.split) * LATENT_ROWS;
    for (int i = threadIdx.x; i < count * RANK_PAD; i += LATENT_THREADS) {
        int r = i / RANK_PAD;
        int e = i % RANK_PAD;
        float greatest = NEGATIVE_INFINITY;
        for (int s = 0; s < tile.splits; s++) {
            greatest = fmaxf(greatest, load_fresh(partialSum + 2 * (first + s * LATENT_ROWS + r)));
        }
        float sum = 0;
        float value = 0;
        for (int s = 0; s < tile.splits; s++) {
            long long at = first + s * LATENT_ROWS + r;
            float weight = exp2_fast(load_fresh(partialSum + 2 * at) - greatest);
            sum += weight * load_fresh(partialSum + 2 * at + 1);
            value += weight * load_fresh(partialOut + at * RANK_PAD + e);
        }
        out[(long long)r * RANK_PAD + e] = float_to_act(value / sum);
    }
}

// q[token][GROUP][KEY_PAD], out[token][GROUP][RANK_PAD].
//
// Bytes per context token: 2 * KEY_PAD (1,152 of DeepSeek-V3), once for all heads: of two tiles of 64 heads the second finds
// them in the second cache. Operations: 2 * GROUP * (KEY_PAD + RANK_PAD), 278,528 for 128 heads: 242 per byte, where 206 of
// 990 TFLOP/s by 4.8 TB/s would balance and mma.sync reaches two thirds of that: with 128 heads on one GPU tensor cores are
// the limit, on eight GPUs (16 heads, whose tile is padded to 64 rows: 121 per byte) memory is. 256 sequences of 4,096 tokens:
// 1.2 GB a layer, 252 us on H200 by memory, 292 GFLOP or 440 us by mma.sync with 128 heads.
// Prefill of n tokens: GROUP * n^2 / 2 pairs of 2,176 operations, 3.4 times those of heads that are computed first; 8,192
// tokens of 128 heads 9.3 TFLOP a layer, 14 ms.
//
// A block has one tile. Scores: warp w has 16 query rows (w % 4) and half of the elements (w / 4), its queries in registers; the
// halves meet in shared memory, where the first four warps leave weights. Outputs: warp w has all 64 rows and an eighth of the
// elements of the vector, 128 sums a thread. Read from shared memory in a stage of 32 tokens: 147 KB of keys, 64 KB of weights
// and values, 1,650 of its clocks, for 1,088 products of 16 by 8 by 16, some 1,700 clocks: neither waits long for the other.
// Three stages of 37 KB are under way.
extern "C" __global__ void __launch_bounds__(LATENT_THREADS, 1)
attention_latent(const int* plan, const int* tiles, const act* q, const char* pages, long long blockBytes,
                 const int* blocks, const int* tableStart, const int* position, const int* inputStart, float scale,
                 float* partialOut, float* partialSum, int* counters, act* out) {
    take_turn();
    DYNAMIC_SHARED(shared);
    if ((int)blockIdx.x >= plan[0]) {
        return;
    }
    Tile tile = ((const Tile*)tiles)[blockIdx.x];
    int warp = threadIdx.x / 32;
    int lane = threadIdx.x % 32;
    int start = inputStart[tile.row];
    int rows = (inputStart[tile.row + 1] - start) * GROUP;
    int count = min(LATENT_ROWS, rows - tile.first);
    const int* table = blocks + tableStart[tile.row];
    const long long firstRow = (long long)start * GROUP + tile.first;
    float* halves = (float*)(shared + LATENT_STAGES * STAGE_BYTES);
    unsigned char* weights = (unsigned char*)(halves + HALF_SCORES);
    float* factors = (float*)(weights + LATENT_ROWS * WEIGHT_STRIDE);
    unsigned char* queries = shared + (LATENT_STAGES - 2) * STAGE_BYTES;

    for (int i = threadIdx.x; i < LATENT_ROWS * CHUNKS; i += LATENT_THREADS) {
        int r = i / CHUNKS;
        bool there = r < count;
        copy16_async(queries + r * ROW_STRIDE + i % CHUNKS * 16,
                     (const char*)(q + (firstRow + (there ? r : 0)) * KEY_PAD) + i % CHUNKS * 16, there);
    }
    copies_commit();
    int fetched = tile.from;
#pragma unroll
    for (int s = 0; s < LATENT_STAGES - 2; s++) {
        if (fetched < tile.to) {
            fetch_stage(shared + s * STAGE_BYTES, pages, blockBytes, table, fetched, tile.to);
        }
        copies_commit();
        fetched += LATENT_TOKENS;
    }
    copies_wait<LATENT_STAGES - 2>();
    __syncthreads();
    const int part = warp / 4;
    const int steps = part ? STEPS - HALF_STEPS : HALF_STEPS;
    unsigned query[HALF_STEPS][4];
#pragma unroll
    for (int s = 0; s < HALF_STEPS; s++) {
        if (s < steps) {
            load_matrices(query[s], queries + (warp % 4 * 16 + lane % 16) * ROW_STRIDE + (part * HALF_STEPS + s) * 32 +
                                        lane / 16 * 16);
        } else {
            query[s][0] = query[s][1] = query[s][2] = query[s][3] = 0;
        }
    }
    __syncthreads();
    if (fetched < tile.to) {
        fetch_stage(shared + (LATENT_STAGES - 2) * STAGE_BYTES, pages, blockBytes, table, fetched, tile.to);
    }
    copies_commit();
    fetched += LATENT_TOKENS;

    Softmax state;
    state.greatest[0] = state.greatest[1] = NEGATIVE_INFINITY;
    state.sum[0] = state.sum[1] = 0;
    int last[2];
#pragma unroll
    for (int h = 0; h < 2; h++) {
        int row = tile.first + warp % 4 * 16 + lane / 4 + 8 * h;
        last[h] = row < rows ? min(position[tile.row] + row / GROUP, tile.to - 1) : -1;
    }
    float o[LATENT_ROWS / 16][2 * WARP_PAIRS][4];
#pragma unroll
    for (int m = 0; m < LATENT_ROWS / 16; m++) {
#pragma unroll
        for (int t = 0; t < 2 * WARP_PAIRS; t++) {
            o[m][t][0] = o[m][t][1] = o[m][t][2] = o[m][t][3] = 0;
        }
    }
    int used = 0;
    for (int token = tile.from; token < tile.to; token += LATENT_TOKENS) {
        int filled = used == 0 ? LATENT_STAGES - 1 : used - 1;
        copies_wait<LATENT_STAGES - 2>();
        // Every thread's copies are there, and every warp is done with the stage that is filled next.
        __syncthreads();
        if (fetched < tile.to) {
            fetch_stage(shared + filled * STAGE_BYTES, pages, blockBytes, table, fetched, tile.to);
        }
        copies_commit();
        fetched += LATENT_TOKENS;
        const unsigned char* keys = shared + used * STAGE_BYTES;
        float s[LATENT_TOKENS / 8][4];
        half_scores(s, query, keys + part * HALF_STEPS * 32, steps);
        float* mine = halves + (warp % 4 * 32 + lane) * (LATENT_TOKENS / 2);
        if (part == 1) {
#pragma unroll
            for (int n = 0; n < LATENT_TOKENS / 8; n++) {
                *(float4*)(mine + (n + lane) % 4 * 4) = make_float4(s[n][0], s[n][1], s[n][2], s[n][3]);
            }
        }
        __syncthreads();
        if (part == 0) {
#pragma unroll
            for (int n = 0; n < LATENT_TOKENS / 8; n++) {
                float4 other = *(const float4*)(mine + (n + lane) % 4 * 4);
                s[n][0] += other.x, s[n][1] += other.y, s[n][2] += other.z, s[n][3] += other.w;
            }
            float factor[2];
            soften(s, state, scale * LOG2_E, last, token, factor);
#pragma unroll
            for (int h = 0; h < 2; h++) {
                int r = warp * 16 + lane / 4 + 8 * h;
                if (lane % 4 == 0) {
                    factors[r] = factor[h];
                }
#pragma unroll
                for (int n = 0; n < LATENT_TOKENS / 8; n++) {
                    *(unsigned*)(weights + r * WEIGHT_STRIDE + n * 16 + lane % 4 * 4) =
                        pack_act(s[n][2 * h], s[n][2 * h + 1]);
                }
            }
        }
        __syncthreads();
#pragma unroll
        for (int m = 0; m < LATENT_ROWS / 16; m++) {
            float low = factors[16 * m + lane / 4];
            float high = factors[16 * m + lane / 4 + 8];
            if (__any_sync(ALL_LANES, low != 1.0f || high != 1.0f)) {
#pragma unroll
                for (int t = 0; t < 2 * WARP_PAIRS; t++) {
                    o[m][t][0] *= low, o[m][t][1] *= low, o[m][t][2] *= high, o[m][t][3] *= high;
                }
            }
        }
#pragma unroll
        for (int k = 0; k < LATENT_TOKENS / 16; k++) {
            unsigned a[LATENT_ROWS / 16][4];
#pragma unroll
            for (int m = 0; m < LATENT_ROWS / 16; m++) {
                load_matrices(a[m], weights + (16 * m + lane % 16) * WEIGHT_STRIDE + k * 32 + lane / 16 * 16);
            }
#pragma unroll
            for (int p = 0; p < WARP_PAIRS; p++) {
                int pair = warp * WARP_PAIRS + p;
                if (pair < VALUE_PAIRS) {
                    unsigned r[4];
                    load_matrices_transposed(r, keys + (16 * k + lane % 16) * ROW_STRIDE + pair * 32 + lane / 16 * 16);
#pragma unroll
                    for (int m = 0; m < LATENT_ROWS / 16; m++) {
                        mma_act(o[m][2 * p], a[m], r);
                        mma_act(o[m][2 * p + 1], a[m], r + 2);
                    }
                }
            }
        }
        used = used + 1 == LATENT_STAGES ? 0 : used + 1;
    }

    // What rows' outputs are multiplied with; of splits nothing, and their sums go to memory.
    __syncthreads();
    if (part == 0) {
#pragma unroll
        for (int h = 0; h < 2; h++) {
            int r = warp * 16 + lane / 4 + 8 * h;
            float sum = quad_sum(state.sum[h]);
            if (lane % 4 == 0) {
                factors[r] = tile.splits == 1 ? 1.0f / sum : 1.0f;
                if (tile.splits > 1 && r < count) {
                    long long at = (long long)tile.partial * LATENT_ROWS + r;
                    partialSum[2 * at] = state.greatest[h];
                    partialSum[2 * at + 1] = sum;
                }
            }
        }
    }
    __syncthreads();
#pragma unroll
    for (int m = 0; m < LATENT_ROWS / 16; m++) {
#pragma unroll
        for (int h = 0; h < 2; h++) {
            int r = 16 * m + lane / 4 + 8 * h;
            float by = factors[r];
#pragma unroll
            for (int t = 0; t < 2 * WARP_PAIRS; t++) {
                int e = (2 * warp * WARP_PAIRS + t) * 8 + lane % 4 * 2;
                if (r < count && e < RANK_PAD) {
                    float low = o[m][t][2 * h] * by;
                    float high = o[m][t][2 * h + 1] * by;
                    if (tile.splits == 1) {
                        *(unsigned*)(out + (firstRow + r) * RANK_PAD + e) = pack_act(low, high);
                    } else {
                        long long at = (long long)tile.partial * LATENT_ROWS + r;
                        *(float2*)(partialOut + at * RANK_PAD + e) = make_float2(low, high);
                    }
                }
            }
        }
    }
    if (tile.splits > 1 && last_to_arrive(counters + tile.counter, tile.splits)) {
        combine(tile, count, partialOut, partialSum, out + firstRow * RANK_PAD);
    }
}
