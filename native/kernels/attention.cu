// Paged attention on tensor cores, for rows of one input (decode), a few (drafts) or many (prefill).
//
// The work of a step is a list of tiles made by plan_attention: some query rows of one batch row, and a stretch of its
// context. Query rows are (input, head of the group) pairs, so all heads that share a key head share each K and V
// read. Scores and outputs are mma.sync m16n8k16 products with float sums; softmax is taken online in base 2 (Milakov,
// Gimelshein; Dao, FlashAttention-2). A context split over several blocks is put together by the block that comes
// last, in order of the splits, so the bits do not depend on which block that is.
//
// K and V of 8 bits become fp16 in registers, exactly. Two permutations save all shuffling. K: a lane of an ldmatrix
// of bytes holds four adjacent elements where mma wants elements 2q, 2q + 1, 2q + 8, 2q + 9; a sum over elements does
// not mind the order, so q is laid out in the same order. V: a transposed ldmatrix moves byte pairs, so a lane gets
// two adjacent elements of two tokens; they go to two column tiles, one of even and one of odd elements (see
// pair_element).
#include "jeton.cuh"

// Heads of 256 leave room for two warps' stages where a block has 99 KB (compute capability 8.6, 8.9, 12.x).
#define DECODE_WARPS (HEAD_PAD > 128 && JETON_SHARED < SHARED_FOR_TWO ? 2 : 4)
#define DECODE_ROWS 16
#define DECODE_LIMIT 32  // rows of the batch with at most this many query rows go to attention_decode
#define PREFILL_WARPS 4
#define MATRIX_ROWS (HEAD_PAD <= 128 ? 2 : 1)  // 16-row tiles of a prefill warp
#define PREFILL_ROWS (PREFILL_WARPS * 16 * MATRIX_ROWS)
#define KEY_TILE (HEAD_PAD <= 128 ? 64 : 32)  // tokens of a prefill step

#define DIM_STEPS (HEAD_PAD / 16)
#define DIM_TILES (HEAD_PAD / 8)
#define TOKEN_CHUNKS (HEAD_PAD * KV_BYTES / 16)  // 16-byte chunks of a token's K or V
// An odd number of chunks between rows: the eight rows of an ldmatrix lie in different banks.
#define KV_STRIDE ((TOKEN_CHUNKS | 1) * 16)
#define Q_STRIDE ((HEAD_PAD * 2 / 16 | 1) * 16)
#define WARP_TOKENS (16 * (3 - KV_BYTES))  // tokens of a decode warp's step: 16 of two bytes, 32 of one
#define DECODE_STAGE (2 * WARP_TOKENS * KV_STRIDE + (JETON_KV == 3 ? 2 * WARP_TOKENS * 4 : 0))
// As many stages as let two blocks share the 228 KB of an H100's multiprocessor (1 KB of each block is reserved); at
// least 2, at most 6. Where a block has less than that in all, as many as fit, beside what is static.
#define SHARED_FOR_TWO (113 * 1024)
#define DECODE_ROOM (JETON_SHARED < SHARED_FOR_TWO ? JETON_SHARED - 1024 : SHARED_FOR_TWO)
#define STAGES_THAT_FIT ((DECODE_ROOM - DECODE_ROWS * Q_STRIDE) / (DECODE_WARPS * DECODE_STAGE))
#define DECODE_STAGES (STAGES_THAT_FIT < 2 ? 2 : STAGES_THAT_FIT > 6 ? 6 : STAGES_THAT_FIT)
#define DECODE_PIPELINE_BYTES (DECODE_ROWS * Q_STRIDE + DECODE_WARPS * DECODE_STAGES * DECODE_STAGE)
#define DECODE_MERGE_BYTES (DECODE_WARPS * DECODE_ROWS * (HEAD_PAD + 2) * 4)
#define DECODE_SHARED_BYTES \
    (DECODE_PIPELINE_BYTES > DECODE_MERGE_BYTES ? DECODE_PIPELINE_BYTES : DECODE_MERGE_BYTES)
#define PREFILL_SHARED_BYTES \
    (PREFILL_ROWS * Q_STRIDE + 2 * KEY_TILE * KV_STRIDE + (JETON_KV == 3 ? 2 * KEY_TILE * 4 : 0))

static_assert(PREFILL_SHARED_BYTES <= 163 * 1024 && DECODE_SHARED_BYTES <= 163 * 1024,
              "a block has more shared memory than an A100 gives");
static_assert(PREFILL_SHARED_BYTES < JETON_SHARED && DECODE_SHARED_BYTES < JETON_SHARED,
              "a block has more shared memory than this device gives");

#define LOG2_E 1.4426950408889634f

#include "plan.cuh"

// What a launch must know; one thread.
extern "C" __global__ void attention_constants(int* out) {
    const int values[8] = {HEAD_PAD,
                           DECODE_ROWS,
                           PREFILL_ROWS,
                           DECODE_WARPS * 32,
                           PREFILL_WARPS * 32,
                           DECODE_SHARED_BYTES,
                           PREFILL_SHARED_BYTES,
                           PLAN_THREADS};
    for (int i = 0; i < 8; i++) {
        out[i] = values[i];
    }
}

// ---- index arithmetic ---------------------------------------------------------------------------------------------

// A lane 4 g + q holds, of the 16 elements of a step, two pairs of neighbours: pair p begins at this element.
INDEX int pair_element(int step, int pair, int q) {
    return step * 16 + (KV_BYTES == 2 ? 8 * pair + 2 * q : 4 * q + 2 * pair);
}

// The column of shared q where element `e` (even; with its neighbour) lies.
INDEX int q_column(int e) {
    return KV_BYTES == 2 ? e : (e & ~15) + (e & 2) * 4 + (e >> 2 & 3) * 2;
}

// ---- fragments ----------------------------------------------------------------------------------------------------

#if JETON_KV == 0
#define mma_kv mma_bf16
DEVICE unsigned pack_kv(float low, float high) { return pack_bf16(low, high); }
DEVICE unsigned pack_query(float low, float high) { return pack_bf16(low, high); }
#else
#define mma_kv mma_fp16
DEVICE unsigned pack_kv(float low, float high) { return pack_fp16(low, high); }
// Saturating: a q of bf16 may be greater than the greatest fp16.
DEVICE unsigned pack_query(float low, float high) {
    return pack_fp16(fminf(fmaxf(low, -65504.0f), 65504.0f), fminf(fmaxf(high, -65504.0f), 65504.0f));
}
#endif

// Stored fp8 become fp16 of 2^-8 times their value.
#define FP8_FACTOR 256.0f
// Weights times int8 scales are small: this factor keeps them clear of fp16's subnormals.
#define INT8_LIFT 64.0f
#if JETON_KV == 2
#define VALUE_FACTOR (vScale * FP8_FACTOR)
#elif JETON_KV == 3
#define VALUE_FACTOR (1.0f / INT8_LIFT)
#else
#define VALUE_FACTOR 1.0f
#endif

#if KV_BYTES == 1
DEVICE unsigned bytes_to_fp16x2(unsigned bytes, unsigned e4m3Selector, unsigned int8Selector) {
#if JETON_KV == 2
    unsigned spread = permute(bytes, 0, e4m3Selector);
    return (spread & 0x80008000u) | (spread >> 1 & 0x3f803f80u);
#else
    unsigned spread = permute(bytes ^ 0x80808080u, 0x64u, int8Selector);
    return fma2_fp16(spread, 0x3c003c00u, 0xe480e480u);  // 0x6400 | u is 1024 + u; times 1, minus 1152
#endif
}
#endif

// b fragments of the scores of WARP_TOKENS tokens from shared `keys` on, elements 16 step onward: b[n] for tokens 8 n.
DEVICE void load_keys(unsigned (&b)[WARP_TOKENS / 8][2], const unsigned char* keys, int step) {
    int lane = threadIdx.x % 32;
    unsigned r[4];
#if KV_BYTES == 2
    int token = lane / 16 * 8 + lane % 8;
    load_matrices(r, keys + token * KV_STRIDE + step * 32 + (lane / 8 % 2) * 16);
    b[0][0] = r[0], b[0][1] = r[1], b[1][0] = r[2], b[1][1] = r[3];
#else
    load_matrices(r, keys + lane * KV_STRIDE + step * 16);
#pragma unroll
    for (int n = 0; n < 4; n++) {
        b[n][0] = bytes_to_fp16x2(r[n], 0x1404u, 0x4140u);
        b[n][1] = bytes_to_fp16x2(r[n], 0x3424u, 0x4342u);
    }
#endif
}

// b fragments of the outputs, elements 16 step onward, of WARP_TOKENS tokens: b[k][t] for tokens 16 k, column tile
// 2 step + t.
DEVICE void load_values(unsigned (&b)[WARP_TOKENS / 16][2][2], const unsigned char* values, int step) {
    int lane = threadIdx.x % 32;
    unsigned r[4];
#if KV_BYTES == 2
    load_matrices_transposed(r, values + lane % 16 * KV_STRIDE + step * 32 + lane / 16 * 16);
    b[0][0][0] = r[0], b[0][0][1] = r[1], b[0][1][0] = r[2], b[0][1][1] = r[3];
#else
    load_matrices_transposed(r, values + lane * KV_STRIDE + step * 16);
#pragma unroll
    for (int k = 0; k < 2; k++) {
#pragma unroll
        for (int half = 0; half < 2; half++) {
            b[k][0][half] = bytes_to_fp16x2(r[2 * k + half], 0x2404u, 0x4240u);
            b[k][1][half] = bytes_to_fp16x2(r[2 * k + half], 0x3414u, 0x4341u);
        }
    }
#endif
}

// Brings query rows [first, first + tileRows) of a batch row to shared memory as mma's type, zero where there are
// none.
DEVICE void stage_queries(unsigned char* to, const act* q, int qStride, int token, int first, int tileRows, int rows,
                          int kvHead, int threads) {
    const int pairs = HEAD_PAD / 2;
    for (int i = threadIdx.x; i < tileRows * pairs; i += threads) {
        int r = i / pairs;
        int e = i % pairs * 2;
        int row = first + r;
        float v[2] = {0, 0};
        if (row < rows && e < HEAD_DIM) {
            unpack_act(*(const unsigned*)(q + (long long)(token + row / GROUP) * qStride +
                                          (kvHead * GROUP + row % GROUP) * HEAD_DIM + e),
                       v);
        }
        *(unsigned*)(to + r * Q_STRIDE + q_column(e) * 2) = pack_query(v[0], v[1]);
    }
}

DEVICE void load_queries(unsigned* a, const unsigned char* rows, int step) {
    int lane = threadIdx.x % 32;
    load_matrices(a, rows + lane % 16 * Q_STRIDE + step * 32 + lane / 16 * 16);
}

// ---- softmax ------------------------------------------------------------------------------------------------------

// Of the two query rows (g and g + 8) of a lane: greatest score in units of log 2, and this lane's part of the sum.
struct Softmax {
    float greatest[2];
    float sum[2];
};

// What a query row sees of a tile.
struct Sight {
    int from;
    int to;
    int position;  // of the batch row
    int rows;      // query rows of the batch row
    int window;
};

struct Scoring {
    float factor;   // scores times this are in units of log 2
    float cap;      // 0: none
    float before;   // with a cap: what raw scores are multiplied with to be cap units
};

DEVICE Scoring scoring_of(float scale, float softCap, float kScale) {
#if JETON_KV == 2
    scale *= kScale * FP8_FACTOR;
#endif
    Scoring s;
    s.cap = softCap;
    s.before = softCap > 0 ? scale / softCap : 1.0f;
    s.factor = softCap > 0 ? LOG2_E : scale * LOG2_E;
    return s;
}

DEVICE void begin(Softmax& state) {
    state.greatest[0] = state.greatest[1] = NEGATIVE_INFINITY;
    state.sum[0] = state.sum[1] = 0;
}

// First and last token that query row `row` sees; none where there is no such row.
INDEX int first_seen(const Sight& sight, int row) {
    int first = sight.position + row / GROUP - sight.window + 1;
    return sight.window > 0 && first > sight.from ? first : sight.from;
}
INDEX int last_seen(const Sight& sight, int row) {
    int at = sight.position + row / GROUP;
    return row >= sight.rows ? -1 : at < sight.to ? at : sight.to - 1;
}

// Turns raw scores of tokens `token` onward, of query rows `row` and row + 8, into weights, and brings sums and
// outputs up to the new maximum.
template <int tiles>
DEVICE void soften(float (&s)[tiles][4], Softmax& state, float (&out)[DIM_TILES][4], const Scoring& by,
                   const Sight& sight, bool masked, int row, int token, const float* keyScales) {
    int q = threadIdx.x % 4;
#if JETON_KV == 3
#pragma unroll
    for (int n = 0; n < tiles; n++) {
        float2 k = *(const float2*)(keyScales + n * 8 + 2 * q);
        s[n][0] *= k.x, s[n][1] *= k.y, s[n][2] *= k.x, s[n][3] *= k.y;
    }
#endif
    if (by.cap > 0) {
#pragma unroll
        for (int n = 0; n < tiles; n++) {
#pragma unroll
            for (int i = 0; i < 4; i++) {
                // cap * tanh(x), as 1 - 2 / (e^2x + 1)
                float e = exp2_fast(s[n][i] * by.before * (2.0f * LOG2_E));
                s[n][i] = by.cap * (1.0f - __fdividef(2.0f, e + 1.0f));
            }
        }
    }
    if (masked) {
#pragma unroll
        for (int h = 0; h < 2; h++) {
            int low = first_seen(sight, row + 8 * h);
            int high = last_seen(sight, row + 8 * h);
#pragma unroll
            for (int n = 0; n < tiles; n++) {
#pragma unroll
                for (int i = 0; i < 2; i++) {
                    int t = token + n * 8 + 2 * q + i;
                    s[n][2 * h + i] = t < low || t > high ? NEGATIVE_INFINITY : s[n][2 * h + i];
                }
            }
        }
    }
    float factor[2];
#pragma unroll
    for (int h = 0; h < 2; h++) {
        float most = NEGATIVE_INFINITY;
#pragma unroll
        for (int n = 0; n < tiles; n++) {
            most = fmaxf(most, fmaxf(s[n][2 * h], s[n][2 * h + 1]));
        }
        most = fmaxf(most, __shfl_xor_sync(ALL_LANES, most, 1));
        most = fmaxf(most, __shfl_xor_sync(ALL_LANES, most, 2));
        most = fmaxf(most * by.factor, state.greatest[h]);
        // A row that has seen nothing yet: any finite reference does, all its weights are zero.
        float reference = most == NEGATIVE_INFINITY ? 0.0f : most;
        factor[h] = exp2_fast(state.greatest[h] - reference);
        state.greatest[h] = most;
        float sum = 0;
#pragma unroll
        for (int n = 0; n < tiles; n++) {
            s[n][2 * h] = exp2_fast(s[n][2 * h] * by.factor - reference);
            s[n][2 * h + 1] = exp2_fast(s[n][2 * h + 1] * by.factor - reference);
            sum += s[n][2 * h] + s[n][2 * h + 1];
        }
        state.sum[h] = state.sum[h] * factor[h] + sum;
    }
    if (__any_sync(ALL_LANES, factor[0] != 1.0f || factor[1] != 1.0f)) {
#pragma unroll
        for (int t = 0; t < DIM_TILES; t++) {
            out[t][0] *= factor[0], out[t][1] *= factor[0], out[t][2] *= factor[1], out[t][3] *= factor[1];
        }
    }
}

// Weights times the int8 scale of their token's values. Scales of tokens past the end may be anything: their weight
// is 0.
template <int tiles>
DEVICE void scale_weights(float (&s)[tiles][4], const float* valueScales) {
    int q = threadIdx.x % 4;
#pragma unroll
    for (int n = 0; n < tiles; n++) {
#pragma unroll
        for (int i = 0; i < 4; i++) {
            s[n][i] = s[n][i] > 0 ? s[n][i] * (valueScales[n * 8 + 2 * q + i % 2] * INT8_LIFT) : 0.0f;
        }
    }
}

// The a fragment of the weights of tokens 16 k onward.
template <int tiles>
DEVICE void weights_fragment(unsigned (&a)[4], const float (&s)[tiles][4], int k) {
    a[0] = pack_kv(s[2 * k][0], s[2 * k][1]);
    a[1] = pack_kv(s[2 * k][2], s[2 * k][3]);
    a[2] = pack_kv(s[2 * k + 1][0], s[2 * k + 1][1]);
    a[3] = pack_kv(s[2 * k + 1][2], s[2 * k + 1][3]);
}

// ---- results ------------------------------------------------------------------------------------------------------

// Where the results of a tile go.
struct Results {
    float* partialOut;
    float* partialSum;
    act* out;
    int outStride;
    int kvHead;
    int kvHeads;
    int token;  // first input of the batch row
    int rows;   // query rows of the batch row
    const float* sinks;
};

INDEX long long partial_row(int partial, int kvHead, int kvHeads, int tileRows, int r) {
    return ((long long)partial * kvHeads + kvHead) * tileRows + r;
}

DEVICE act* out_row(const Results& to, int row) {
    return to.out + (long long)(to.token + row / GROUP) * to.outStride + (to.kvHead * GROUP + row % GROUP) * HEAD_DIM;
}

// What a sink adds to the sum of weights e^(score - greatest) of query row `row`, once for its whole context: a sink is the
// score of a key without a value (Xiao et al.: Efficient Streaming Language Models with Attention Sinks). One far greater
// than all scores makes the sum infinite, and outputs zero.
DEVICE float sink_of(const Results& to, int row, float greatest) {
    return to.sinks ? exp2_fast(to.sinks[to.kvHead * GROUP + row % GROUP] * LOG2_E - greatest) : 0.0f;
}

// Pair `pair` of a step of query row g (half 0) or g + 8 (half 1).
DEVICE float2 out_pair(const float (&o)[DIM_TILES][4], int step, int pair, int half) {
#if KV_BYTES == 2
    return make_float2(o[2 * step + pair][2 * half], o[2 * step + pair][2 * half + 1]);
#else
    return make_float2(o[2 * step][2 * half + pair], o[2 * step + 1][2 * half + pair]);
#endif
}

// Writes a lane's part of a query row as floats, times `by`.
DEVICE void store_floats(float* row, const float (&o)[DIM_TILES][4], int half, float by) {
#pragma unroll
    for (int i = 0; i < DIM_TILES; i++) {
        float2 v = out_pair(o, i / 2, i % 2, half);
        *(float2*)(row + pair_element(i / 2, i % 2, threadIdx.x % 4)) = make_float2(v.x * by, v.y * by);
    }
}

// The same as activations.
DEVICE void store_acts(act* row, const float (&o)[DIM_TILES][4], int half, float by) {
#pragma unroll
    for (int i = 0; i < DIM_TILES; i++) {
        float2 v = out_pair(o, i / 2, i % 2, half);
        int e = pair_element(i / 2, i % 2, threadIdx.x % 4);
        if (e < HEAD_DIM) {
            *(unsigned*)(row + e) = pack_act(v.x * by, v.y * by);
        }
    }
}

// Puts a tile's splits together. Each block has stored its sums; the last one gets here.
DEVICE void combine(const Results& to, const Tile& tile, int tileRows, int threads) {
    int count = min(tileRows, to.rows - tile.first);
    int partial = tile.partial - tile.split;
    for (int i = threadIdx.x; i < count * HEAD_PAD; i += threads) {
        int r = i / HEAD_PAD;
        int e = i % HEAD_PAD;
        float greatest = NEGATIVE_INFINITY;
        for (int s = 0; s < tile.splits; s++) {
            long long at = partial_row(partial + s, to.kvHead, to.kvHeads, tileRows, r);
            greatest = fmaxf(greatest, load_fresh(to.partialSum + 2 * at));
        }
        float sum = 0;
        float value = 0;
        for (int s = 0; s < tile.splits; s++) {
            long long at = partial_row(partial + s, to.kvHead, to.kvHeads, tileRows, r);
            float weight = exp2_fast(load_fresh(to.partialSum + 2 * at) - greatest);
            sum += weight * load_fresh(to.partialSum + 2 * at + 1);
            value += weight * load_fresh(to.partialOut + at * HEAD_PAD + e);
        }
        if (e < HEAD_DIM) {
            float all = sum + sink_of(to, tile.first + r, greatest);
            out_row(to, tile.first + r)[e] = float_to_act(value / all);
        }
    }
}

// ---- decode -------------------------------------------------------------------------------------------------------

DEVICE float quad_sum(float x) {
    x += __shfl_xor_sync(ALL_LANES, x, 1);
    return x + __shfl_xor_sync(ALL_LANES, x, 2);
}

// Starts the copies of a warp's next WARP_TOKENS tokens; `block` has their block ids, 16 tokens each.
DEVICE void fetch_tokens(unsigned char* stage, const char* pages, long long blockBytes, const int* block, int token,
                         int to, int kvHead, int kvHeads) {
    int lane = threadIdx.x % 32;
#pragma unroll
    for (int part = 0; part < WARP_TOKENS / 16; part++) {
        int start = token + 16 * part;
        bool exists = block[part] >= 0;
        const char* layer = pages + (exists ? block[part] : 0) * blockBytes;
#pragma unroll
        for (int kv = 0; kv < 2; kv++) {
            const char* from = layer + kv_offset(kv, kvHead, kvHeads, start % BLOCK_SIZE);
            unsigned char* target = stage + (kv * WARP_TOKENS + 16 * part) * KV_STRIDE;
#pragma unroll
            for (int base = 0; base < 16 * TOKEN_CHUNKS; base += 32) {
                int i = base + lane;
                int t = i / TOKEN_CHUNKS;
                if (16 * TOKEN_CHUNKS % 32 == 0 || t < 16) {
                    copy16_async(target + t * KV_STRIDE + i % TOKEN_CHUNKS * 16, from + i * 16,
                                 exists && start + t < to);
                }
            }
#if JETON_KV == 3
            if (lane < 4) {
                copy16_async(stage + 2 * WARP_TOKENS * KV_STRIDE + (kv * WARP_TOKENS + 16 * part + 4 * lane) * 4,
                             layer + kv_scale_offset(kv, kvHead, kvHeads, start % BLOCK_SIZE + 4 * lane),
                             exists && start + 4 * lane < to);
            }
#endif
        }
    }
}

DEVICE void find_blocks(int* block, const int* table, int token, int to) {
#pragma unroll
    for (int part = 0; part < WARP_TOKENS / 16; part++) {
        block[part] = token + 16 * part < to ? table[(token + 16 * part) / BLOCK_SIZE] : -1;
    }
}

// Bytes per context token and key head: 2 * HEAD_PAD * KV_BYTES (512 at HEAD_DIM 128 in 16 bits), read once for all
// GROUP heads: that is the limit. 256 sequences of 1,024 tokens of Llama-3.1-8B read 1.07 GB a layer: 321 us on H100
// (3.35 TB/s), 224 us on H200 (4.8 TB/s). Arithmetic, padded to 16 query rows: 64 * HEAD_PAD operations per token and
// key head, 16 per byte: 77 TFLOP/s at 4.8 TB/s of 990, so tensor cores are never the limit, whatever the group.
//
// Four warps take turns with 16 (8 bits: 32) tokens each and share nothing until the end: a warp copies what it reads
// with cp.async, DECODE_STAGES deep, and needs no barrier of the block. In flight per multiprocessor with two blocks
// of 3 stages of 8 KB: 2 * 4 * 2 * 8 = 128 KB; Little's law wants 4.8 TB/s * 0.8 us / 132 = 29 KB.
extern "C" __global__ void __launch_bounds__(DECODE_WARPS * 32)
attention_decode(const int* plan, const int* tiles, const act* q, int qStride, const char* pages,
                 long long blockBytes, const int* blocks, const int* tableStart, const int* position,
                 const int* inputStart, const float* sinks, float scale, float softCap, int window, float kScale,
                 float vScale, float* partialOut, float* partialSum, int* counters, act* out, int outStride) {
    take_turn();
    DYNAMIC_SHARED(shared);
    if ((int)blockIdx.x >= plan[0]) {
        return;
    }
    Tile tile = ((const Tile*)tiles)[blockIdx.x];
    int kvHead = blockIdx.y;
    int kvHeads = gridDim.y;
    int warp = threadIdx.x / 32;
    int lane = threadIdx.x % 32;
    int start = inputStart[tile.row];
    int inputs = inputStart[tile.row + 1] - start;
    const int* table = blocks + tableStart[tile.row];

    unsigned char* stages = shared + DECODE_ROWS * Q_STRIDE + warp * DECODE_STAGES * DECODE_STAGE;
    const int turn = DECODE_WARPS * WARP_TOKENS;
    int token = tile.from + warp * WARP_TOKENS;
    int fetched = token;
    int block[WARP_TOKENS / 16];
#pragma unroll
    for (int s = 0; s < DECODE_STAGES - 1; s++) {
        find_blocks(block, table, fetched, tile.to);
        if (fetched < tile.to) {
            fetch_tokens(stages + s * DECODE_STAGE, pages, blockBytes, block, fetched, tile.to, kvHead, kvHeads);
        }
        copies_commit();
        fetched += turn;
    }
    find_blocks(block, table, fetched, tile.to);

    stage_queries(shared, q, qStride, start, tile.first, DECODE_ROWS, inputs * GROUP, kvHead, DECODE_WARPS * 32);
    __syncthreads();
    unsigned query[DIM_STEPS][4];
#pragma unroll
    for (int s = 0; s < DIM_STEPS; s++) {
        load_queries(query[s], shared, s);
    }

    Softmax state;
    begin(state);
    Sight sight = {tile.from, tile.to, position[tile.row], inputs * GROUP, window};
    Scoring by = scoring_of(scale, softCap, kScale);
    float o[DIM_TILES][4];
#pragma unroll
    for (int t = 0; t < DIM_TILES; t++) {
        o[t][0] = o[t][1] = o[t][2] = o[t][3] = 0;
    }
    int filled = DECODE_STAGES - 1;
    int used = 0;
    for (; token < tile.to; token += turn) {
        copies_wait<DECODE_STAGES - 2>();
        // Every lane's copies are there, and every lane is done with the stage that is filled next.
        __syncwarp();
        if (fetched < tile.to) {
            fetch_tokens(stages + filled * DECODE_STAGE, pages, blockBytes, block, fetched, tile.to, kvHead, kvHeads);
        }
        copies_commit();
        fetched += turn;
        find_blocks(block, table, fetched, tile.to);
        const unsigned char* keys = stages + used * DECODE_STAGE;
        const unsigned char* values = keys + WARP_TOKENS * KV_STRIDE;
        const float* scales = (const float*)(values + WARP_TOKENS * KV_STRIDE);
        float s[WARP_TOKENS / 8][4];
#pragma unroll
        for (int n = 0; n < WARP_TOKENS / 8; n++) {
            s[n][0] = s[n][1] = s[n][2] = s[n][3] = 0;
        }
#pragma unroll
        for (int step = 0; step < DIM_STEPS; step++) {
            unsigned b[WARP_TOKENS / 8][2];
            load_keys(b, keys, step);
#pragma unroll
            for (int n = 0; n < WARP_TOKENS / 8; n++) {
                mma_kv(s[n], query[step], b[n]);
            }
        }
        soften(s, state, o, by, sight, true, tile.first + lane / 4, token, scales);
#if JETON_KV == 3
        scale_weights(s, scales + WARP_TOKENS);
#endif
        unsigned a[WARP_TOKENS / 16][4];
#pragma unroll
        for (int k = 0; k < WARP_TOKENS / 16; k++) {
            weights_fragment(a[k], s, k);
        }
#pragma unroll
        for (int step = 0; step < DIM_STEPS; step++) {
            unsigned b[WARP_TOKENS / 16][2][2];
            load_values(b, values, step);
#pragma unroll
            for (int k = 0; k < WARP_TOKENS / 16; k++) {
                mma_kv(o[2 * step], a[k], b[k][0]);
                mma_kv(o[2 * step + 1], a[k], b[k][1]);
            }
        }
        filled = filled + 1 == DECODE_STAGES ? 0 : filled + 1;
        used = used + 1 == DECODE_STAGES ? 0 : used + 1;
    }

    // The warps' sums, through shared memory.
    copies_wait<0>();
    __syncthreads();
    float* merged = (float*)shared;
    float* sums = merged + DECODE_WARPS * DECODE_ROWS * HEAD_PAD;
    int count = min(DECODE_ROWS, inputs * GROUP - tile.first);
#pragma unroll
    for (int h = 0; h < 2; h++) {
        int r = lane / 4 + 8 * h;
        float sum = quad_sum(state.sum[h]);
        if (r < count) {
            if (lane % 4 == 0) {
                sums[(warp * DECODE_ROWS + r) * 2] = state.greatest[h];
                sums[(warp * DECODE_ROWS + r) * 2 + 1] = sum;
            }
            store_floats(merged + (warp * DECODE_ROWS + r) * HEAD_PAD, o, h, 1);
        }
    }
    __syncthreads();
    Results to = {partialOut, partialSum, out, outStride, kvHead, kvHeads, start, inputs * GROUP, sinks};
    float valueFactor = VALUE_FACTOR;
    for (int i = threadIdx.x; i < count * HEAD_PAD; i += DECODE_WARPS * 32) {
        int r = i / HEAD_PAD;
        int e = i % HEAD_PAD;
        float greatest = NEGATIVE_INFINITY;
        for (int w = 0; w < DECODE_WARPS; w++) {
            greatest = fmaxf(greatest, sums[(w * DECODE_ROWS + r) * 2]);
        }
        float reference = greatest == NEGATIVE_INFINITY ? 0.0f : greatest;
        float sum = 0;
        float value = 0;
        for (int w = 0; w < DECODE_WARPS; w++) {
            float weight = exp2_fast(sums[(w * DECODE_ROWS + r) * 2] - reference);
            sum += weight * sums[(w * DECODE_ROWS + r) * 2 + 1];
            value += weight * merged[(w * DECODE_ROWS + r) * HEAD_PAD + e];
        }
        value *= valueFactor;
        if (tile.splits == 1) {
            if (e < HEAD_DIM) {
                float all = sum + sink_of(to, tile.first + r, greatest);
                out_row(to, tile.first + r)[e] = float_to_act(value / all);
            }
        } else {
            long long at = partial_row(tile.partial, kvHead, kvHeads, DECODE_ROWS, r);
            partialOut[at * HEAD_PAD + e] = value;
            if (e == 0) {
                partialSum[2 * at] = greatest;
                partialSum[2 * at + 1] = sum;
            }
        }
    }
    if (tile.splits > 1 && last_to_arrive(counters + tile.counter * kvHeads + kvHead, tile.splits)) {
        combine(to, tile, DECODE_ROWS, DECODE_WARPS * 32);
    }
}

// ---- prefill ------------------------------------------------------------------------------------------------------

// Starts the copies of K or V of KEY_TILE tokens.
DEVICE void fetch_tile(unsigned char* target, float* scales, const char* pages, long long blockBytes,
                       const int* table, int kv, int token, int to, int kvHead, int kvHeads) {
    const int copies = KEY_TILE * TOKEN_CHUNKS;
#pragma unroll
    for (int base = 0; base < copies; base += PREFILL_WARPS * 32) {
        int i = base + threadIdx.x;
        if (copies % (PREFILL_WARPS * 32) == 0 || i < copies) {
            int t = i / TOKEN_CHUNKS;
            int at = token + t;
            int block = at < to ? table[at / BLOCK_SIZE] : -1;
            const char* from = pages + (block < 0 ? 0 : block) * blockBytes +
                               kv_offset(kv, kvHead, kvHeads, at % BLOCK_SIZE) + i % TOKEN_CHUNKS * 16;
            copy16_async(target + t * KV_STRIDE + i % TOKEN_CHUNKS * 16, from, block >= 0);
        }
    }
#if JETON_KV == 3
    if (threadIdx.x < KEY_TILE / 4) {
        int at = token + 4 * threadIdx.x;
        int block = at < to ? table[at / BLOCK_SIZE] : -1;
        copy16_async(scales + 4 * threadIdx.x,
                     pages + (block < 0 ? 0 : block) * blockBytes +
                         kv_scale_offset(kv, kvHead, kvHeads, at % BLOCK_SIZE),
                     block >= 0);
    }
#endif
}

// Operations: 4 * HEAD_PAD per query row and token seen; a prompt of n tokens has GROUP * n^2 / 2 such pairs a key
// head: 8,192 tokens of Llama-3.1-8B 0.55 TFLOP a layer, 0.56 ms of 990 TFLOP/s on H100 and H200, 1.8 ms of 312 on
// A100. mma.sync reaches about two thirds of Hopper's rate (wgmma alone reaches all), FlashAttention-2 350 to 400
// TFLOP/s: 1.5 ms. Bytes: each tile reads its context once, 512 bytes a token for PREFILL_ROWS * 512 operations: 128
// per byte of the second cache.
//
// A warp has 32 query rows (16 where the head is wider than 128), so each K and V fragment serves two products: with
// 16 the shared memory's 128 bytes a clock would be the limit. K of the next tile is copied during the products with
// V, V during the scores, as in FlashAttention-2: one buffer each, 70 KB at HEAD_DIM 128, two blocks a multiprocessor.
extern "C" __global__ void __launch_bounds__(PREFILL_WARPS * 32)
attention_prefill(const int* plan, const int* tiles, const act* q, int qStride, const char* pages,
                  long long blockBytes, const int* blocks, const int* tableStart, const int* position,
                  const int* inputStart, const float* sinks, float scale, float softCap, int window, float kScale,
                  float vScale, float* partialOut, float* partialSum, int* counters, act* out, int outStride) {
    take_turn();
    DYNAMIC_SHARED(shared);
    if ((int)blockIdx.x >= plan[1]) {
        return;
    }
    Tile tile = ((const Tile*)tiles)[blockIdx.x];
    int kvHead = blockIdx.y;
    int kvHeads = gridDim.y;
    int warp = threadIdx.x / 32;
    int lane = threadIdx.x % 32;
    int start = inputStart[tile.row];
    int inputs = inputStart[tile.row + 1] - start;
    int at = position[tile.row];
    const int* table = blocks + tableStart[tile.row];
    unsigned char* keys = shared + PREFILL_ROWS * Q_STRIDE;
    unsigned char* values = keys + KEY_TILE * KV_STRIDE;
    float* keyScales = (float*)(values + KEY_TILE * KV_STRIDE);
    float* valueScales = keyScales + KEY_TILE;

    fetch_tile(keys, keyScales, pages, blockBytes, table, 0, tile.from, tile.to, kvHead, kvHeads);
    copies_commit();
    stage_queries(shared, q, qStride, start, tile.first, PREFILL_ROWS, inputs * GROUP, kvHead, PREFILL_WARPS * 32);

    const int warpRow = warp * 16 * MATRIX_ROWS;
    Softmax state[MATRIX_ROWS];
    float o[MATRIX_ROWS][DIM_TILES][4];
#pragma unroll
    for (int m = 0; m < MATRIX_ROWS; m++) {
        begin(state[m]);
#pragma unroll
        for (int t = 0; t < DIM_TILES; t++) {
            o[m][t][0] = o[m][t][1] = o[m][t][2] = o[m][t][3] = 0;
        }
    }
    Scoring by = scoring_of(scale, softCap, kScale);
    Sight sight = {tile.from, tile.to, at, inputs * GROUP, window};
    // Tokens from everSeen to allSeen are seen by every query row of this warp.
    int allSeen = at + (tile.first + warpRow) / GROUP;
    int everSeen = window > 0 ? at + (tile.first + warpRow + 16 * MATRIX_ROWS - 1) / GROUP - window + 1 : 0;

    for (int token = tile.from; token < tile.to; token += KEY_TILE) {
        copies_wait<0>();
        __syncthreads();
        fetch_tile(values, valueScales, pages, blockBytes, table, 1, token, tile.to, kvHead, kvHeads);
        copies_commit();
        float s[MATRIX_ROWS][KEY_TILE / 8][4];
#pragma unroll
        for (int m = 0; m < MATRIX_ROWS; m++) {
#pragma unroll
            for (int n = 0; n < KEY_TILE / 8; n++) {
                s[m][n][0] = s[m][n][1] = s[m][n][2] = s[m][n][3] = 0;
            }
        }
#pragma unroll
        for (int step = 0; step < DIM_STEPS; step++) {
            unsigned a[MATRIX_ROWS][4];
#pragma unroll
            for (int m = 0; m < MATRIX_ROWS; m++) {
                load_queries(a[m], shared + (warpRow + 16 * m) * Q_STRIDE, step);
            }
#pragma unroll
            for (int part = 0; part < KEY_TILE / WARP_TOKENS; part++) {
                unsigned b[WARP_TOKENS / 8][2];
                load_keys(b, keys + part * WARP_TOKENS * KV_STRIDE, step);
#pragma unroll
                for (int n = 0; n < WARP_TOKENS / 8; n++) {
#pragma unroll
                    for (int m = 0; m < MATRIX_ROWS; m++) {
                        mma_kv(s[m][part * (WARP_TOKENS / 8) + n], a[m], b[n]);
                    }
                }
            }
        }
        bool masked = token + KEY_TILE - 1 > allSeen || token < everSeen || token + KEY_TILE > tile.to;
#pragma unroll
        for (int m = 0; m < MATRIX_ROWS; m++) {
            soften(s[m], state[m], o[m], by, sight, masked, tile.first + warpRow + 16 * m + lane / 4, token, keyScales);
        }
        copies_wait<0>();
        __syncthreads();
#if JETON_KV == 3
#pragma unroll
        for (int m = 0; m < MATRIX_ROWS; m++) {
            scale_weights(s[m], valueScales);
        }
#endif
        if (token + KEY_TILE < tile.to) {
            fetch_tile(keys, keyScales, pages, blockBytes, table, 0, token + KEY_TILE, tile.to, kvHead, kvHeads);
        }
        copies_commit();
#pragma unroll
        for (int part = 0; part < KEY_TILE / WARP_TOKENS; part++) {
            unsigned a[MATRIX_ROWS][WARP_TOKENS / 16][4];
#pragma unroll
            for (int m = 0; m < MATRIX_ROWS; m++) {
#pragma unroll
                for (int k = 0; k < WARP_TOKENS / 16; k++) {
                    weights_fragment(a[m][k], s[m], part * (WARP_TOKENS / 16) + k);
                }
            }
#pragma unroll
            for (int step = 0; step < DIM_STEPS; step++) {
                unsigned b[WARP_TOKENS / 16][2][2];
                load_values(b, values + part * WARP_TOKENS * KV_STRIDE, step);
#pragma unroll
                for (int k = 0; k < WARP_TOKENS / 16; k++) {
#pragma unroll
                    for (int m = 0; m < MATRIX_ROWS; m++) {
                        mma_kv(o[m][2 * step], a[m][k], b[k][0]);
                        mma_kv(o[m][2 * step + 1], a[m][k], b[k][1]);
                    }
                }
            }
        }
    }

    Results to = {partialOut, partialSum, out, outStride, kvHead, kvHeads, start, inputs * GROUP, sinks};
    float valueFactor = VALUE_FACTOR;
#pragma unroll
    for (int m = 0; m < MATRIX_ROWS; m++) {
#pragma unroll
        for (int h = 0; h < 2; h++) {
            int r = warpRow + 16 * m + lane / 4 + 8 * h;
            float sum = quad_sum(state[m].sum[h]);
            if (tile.first + r < to.rows) {
                if (tile.splits == 1) {
                    float all = sum + sink_of(to, tile.first + r, state[m].greatest[h]);
                    store_acts(out_row(to, tile.first + r), o[m], h, valueFactor / all);
                } else {
                    long long place = partial_row(tile.partial, kvHead, kvHeads, PREFILL_ROWS, r);
                    if (lane % 4 == 0) {
                        partialSum[2 * place] = state[m].greatest[h];
                        partialSum[2 * place + 1] = sum;
                    }
                    store_floats(partialOut + place * HEAD_PAD, o[m], h, valueFactor);
                }
            }
        }
    }
    if (tile.splits > 1 && last_to_arrive(counters + tile.counter * kvHeads + kvHead, tile.splits)) {
        combine(to, tile, PREFILL_ROWS, PREFILL_WARPS * 32);
    }
}
