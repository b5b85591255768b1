// Layers of experts: which a token goes through, rows grouped by expert, and the products of many rows. Everything stays
// on the device, so that a captured step can hold it: the host knows how many tiles there may be, not how many there are.
//
// A choice is the j-th expert of a token, numbered token * perToken + j; each gets a slot, those of expert 0 first, in
// order of choices. What experts give is summed by the norm that follows (rows.cu), in the order of a token's choice, so
// that a token's result does not depend on who else goes through an expert.
#include "jeton.cuh"

// ---- choosing and grouping ----------------------------------------------------------------------------------------

#define CHOOSE_TOKENS 4  // of a block: a warp each
#define GROUP_THREADS 1024
#define GROUP_WARPS (GROUP_THREADS / 32)

// Whether (value, expert) comes after (lastValue, last) in order of preference: the likelier first, of equals the lower.
INDEX bool comes_after(float value, int expert, float lastValue, int last) {
    return value < lastValue || (value == lastValue && expert > last);
}

// A warp chooses a token's experts, the likeliest first. The share of each is its softmax over all experts, or over those
// chosen where normalised. perToken <= 32. A logit that is no number counts as the least; shares are then NaN, which fails
// the rows that have them.
DEVICE void choose(const float* logits, int experts, int perToken, bool normalised, int* chosen, float* share) {
    int lane = threadIdx.x & 31;
    float most = NEGATIVE_INFINITY;
    for (int e = lane; e < experts; e += 32) {
        most = fmaxf(most, logits[e]);
    }
    most = warp_max(most);
    float all = 0;
    for (int e = lane; e < experts; e += 32) {
        all += expf(logits[e] - most);
    }
    all = warp_sum(all);
    float lastValue = float_of(0x7f800000u);
    int last = -1;
    float taken = 0;
    float own = 0;
    int ownExpert = 0;
    for (int j = 0; j < perToken; j++) {
        float best = NEGATIVE_INFINITY;
        int expert = experts;
        for (int e = lane; e < experts; e += 32) {
            float value = logits[e] == logits[e] ? logits[e] : NEGATIVE_INFINITY;
            if (comes_after(value, e, lastValue, last) && (value > best || expert == experts)) {
                best = value;
                expert = e;
            }
        }
        for (int d = 16; d > 0; d >>= 1) {
            float otherBest = __shfl_xor_sync(ALL_LANES, best, d);
            int other = __shfl_xor_sync(ALL_LANES, expert, d);
            if (otherBest > best || (otherBest == best && other < expert)) {
                best = otherBest;
                expert = other;
            }
        }
        float weight = expf(best - most);
        taken += weight;
        if (lane == j) {
            own = weight;
            ownExpert = expert;
        }
        lastValue = best;
        last = expert;
    }
    if (lane < perToken) {
        chosen[lane] = ownExpert;
        share[lane] = all == all ? own / (normalised ? taken : all) : NOT_A_NUMBER;
    }
}

// Bytes per token: 4 * experts, read from the first cache perToken times more, and 8 * perToken written. Operations: a
// few a logit for each choice: 128 experts, 8 choices, 8,192 tokens: 30M, 1 us; latency for few.
extern "C" __global__ void __launch_bounds__(32 * CHOOSE_TOKENS)
choose_experts(const int* header, const float* logits, int experts, int perToken, int normalised, int* chosen,
               float* share) {
    take_turn();
    int token = blockIdx.x * CHOOSE_TOKENS + threadIdx.x / 32;
    if (token < header[HEADER_TOKENS]) {
        choose(logits + (long long)token * experts, experts, perToken, normalised != 0, chosen + token * perToken,
               share + token * perToken);
    }
}

// The choices of a warp: a range of whole warps' width, so that ranges are in the order of choices.
INDEX int range_of(int choices) { return (choices + 32 * GROUP_WARPS - 1) / (32 * GROUP_WARPS) * 32; }

// Sums of a warp's values over the lanes before.
DEVICE int lanes_before(int value) {
    int sum = value;
    for (int d = 1; d < 32; d <<= 1) {
        int before = __shfl_up_sync(ALL_LANES, sum, d);
        if ((int)(threadIdx.x & 31) >= d) {
            sum += before;
        }
    }
    return sum - value;
}

// Gives every choice its slot by a counting sort, and lists tiles of tileRows slots at most. One block. With logits (not 0)
// it chooses first: for few tokens that saves a launch. Shared memory: (GROUP_WARPS + 3) * experts ints.
// Bytes: 8 read and 8 written a choice, all from the second cache. Operations: a shared-memory atomic and a match a choice;
// 65,536 choices (8,192 tokens, 8 of 128) are 64 turns of a warp, twice: about 15 us, once a layer of some 1,000. For a
// decode step it is a launch's latency.
extern "C" __global__ void __launch_bounds__(GROUP_THREADS, 1)
group_experts(const int* header, const float* logits, int experts, int perToken, int normalised, int tileRows,
              int maxTiles, int* chosen, float* share, int* slotOf, int* choices, int* plan, int* tiles) {
    take_turn();
    DYNAMIC_SHARED(shared);
    int* placed = (int*)shared;  // [warp][expert]: choices of an expert before those that the warp still has
    int* count = placed + GROUP_WARPS * experts;
    int* start = count + experts;
    int* firstTile = start + experts;
    int tokens = header[HEADER_TOKENS];
    int all = tokens * perToken;
    int warp = threadIdx.x / 32;
    int lane = threadIdx.x & 31;
    if (logits) {
        for (int token = warp; token < tokens; token += GROUP_WARPS) {
            choose(logits + (long long)token * experts, experts, perToken, normalised != 0, chosen + token * perToken,
                   share + token * perToken);
        }
    }
    for (int i = threadIdx.x; i < GROUP_WARPS * experts; i += GROUP_THREADS) {
        placed[i] = 0;
    }
    __syncthreads();
    int from = warp * range_of(all);
    int to = min(all, from + range_of(all));
    int* mine = placed + warp * experts;
    for (int i = from + lane; i < to; i += 32) {
        atomicAdd(mine + chosen[i], 1);
    }
    __syncthreads();
    for (int e = threadIdx.x; e < experts; e += GROUP_THREADS) {
        int before = 0;
        for (int w = 0; w < GROUP_WARPS; w++) {
            int own = placed[w * experts + e];
            placed[w * experts + e] = before;
            before += own;
        }
        count[e] = before;
    }
    __syncthreads();
    if (warp == 0) {
        int slots = 0;
        int listed = 0;
        for (int first = 0; first < experts; first += 32) {
            int e = first + lane;
            int own = e < experts ? count[e] : 0;
            int ownTiles = (own + tileRows - 1) / tileRows;
            int slotsBefore = lanes_before(own);
            int tilesBefore = lanes_before(ownTiles);
            if (e < experts) {
                start[e] = slots + slotsBefore;
                firstTile[e] = listed + tilesBefore;
            }
            slots += __shfl_sync(ALL_LANES, slotsBefore + own, 31);
            listed += __shfl_sync(ALL_LANES, tilesBefore + ownTiles, 31);
        }
        if (lane == 0) {
            plan[0] = min(listed, maxTiles);
            plan[1] = slots;
            plan[2] = listed > maxTiles;
            plan[3] = 0;
        }
    }
    __syncthreads();
    for (int e = threadIdx.x; e < experts; e += GROUP_THREADS) {
        for (int row = 0, t = firstTile[e]; row < count[e] && t < maxTiles; row += tileRows, t++) {
            *(int4*)(tiles + EXPERT_TILE * t) = make_int4(e, start[e] + row, min(tileRows, count[e] - row), 0);
        }
    }
    for (int first = from; first < to; first += 32) {
        int i = first + lane;
        int expert = i < to ? chosen[i] : -1;
        unsigned same = __match_any_sync(ALL_LANES, expert);
        int rank = __popc(same & ((1u << lane) - 1));
        int slot = expert < 0 ? 0 : start[expert] + mine[expert] + rank;
        __syncwarp();
        if (expert >= 0 && rank == 0) {
            mine[expert] += __popc(same);
        }
        __syncwarp();
        if (expert >= 0) {
            slotOf[i] = slot;
            choices[slot] = i;
        }
    }
}

// ---- products of many rows ----------------------------------------------------------------------------------------

#define MANY_ROWS 128
#define MANY_COLUMNS 128  // rows of w
#define MANY_DEPTH 64     // values along k of a stage: 128 bytes of a row
#define MANY_STAGES 3
#define MANY_THREADS 256
#define MANY_OPERAND (MANY_ROWS * MANY_DEPTH * 2)  // bytes of x, or of w, in a stage
#define MANY_SHARED (MANY_STAGES * 2 * MANY_OPERAND)
#define WARP_ROWS 64  // of a warp: two by four warps
#define WARP_COLUMNS 32

static_assert(MANY_ROWS == MANY_COLUMNS, "x and w are brought to shared memory alike");

// Byte offset in an operand of 16 bytes (eight values) of a row; eight rows' same pieces lie in different banks.
INDEX int piece_offset(int row, int piece) { return row * (MANY_DEPTH * 2) + ((piece ^ (row & 7)) << 4); }

// What a thread copies of a stage: the same piece of rows threadIdx.x / 8 and every 32 further, of x and of w.
struct Rows {
    const act* from[4];
    unsigned there;  // a bit each: the others are zeros, and point to what can be read
};

DEVICE void begin_copy(const Rows& rows, int k, int at, unsigned char* operand) {
    int piece = threadIdx.x % 8;
#pragma unroll
    for (int i = 0; i < 4; i++) {
        bool take = (rows.there >> i & 1) && at + piece * 8 < k;
        copy16_async(operand + piece_offset(threadIdx.x / 8 + 32 * i, piece),
                     rows.from[i] + (take ? at + piece * 8 : 0), take);
    }
}

// One stage for a warp's 64 by 32 sums; of its four 16-row tiles only the first `rowTiles` have rows.
DEVICE void multiply_stage(const unsigned char* x, const unsigned char* w, int warpRow, int warpColumn, int rowTiles,
                           float (&sum)[4][4][4]) {
    int lane = threadIdx.x & 31;
#pragma unroll
    for (int step = 0; step < MANY_DEPTH / 16; step++) {
        unsigned b[2][4];
#pragma unroll
        for (int n = 0; n < 2; n++) {
            int row = warpColumn + 16 * n + lane % 8 + lane / 16 * 8;
            load_matrices(b[n], w + piece_offset(row, 2 * step + lane / 8 % 2));
        }
#pragma unroll
        for (int m = 0; m < 4; m++) {
            if (m < rowTiles) {
                unsigned a[4];
                load_matrices(a, x + piece_offset(warpRow + 16 * m + lane % 16, 2 * step + lane / 16));
#pragma unroll
                for (int n = 0; n < 4; n++) {
                    mma_act(sum[m][n], a, b[n / 2] + n % 2 * 2);
                }
            }
        }
    }
}

// Where a pair of a warp's neighbouring sums goes.
DEVICE void store_sums(const float (&sum)[4][4][4], const int* tile, int column, int warpRow, int warpColumn, int n,
                       int mode, act* y, int yStride) {
    int g = threadIdx.x % 32 / 4;
    int q = threadIdx.x % 4;
#pragma unroll
    for (int m = 0; m < 4; m++) {
#pragma unroll
        for (int h = 0; h < 2; h++) {
            int row = warpRow + 16 * m + g + 8 * h;
            if (row >= tile[2]) {
                continue;
            }
            act* to = y + (long long)(tile[1] + row) * yStride;
            if (gated(mode)) {
#pragma unroll
                for (int c = 0; c < 2; c++) {
                    int at = column * (MANY_COLUMNS / 2) + warpColumn / 2 + 8 * c + 2 * q;
                    if (at < n) {
                        const float* gate = sum[m][2 * c] + 2 * h;
                        const float* up = sum[m][2 * c + 1] + 2 * h;
                        *(unsigned*)(to + at) = pack_act(gate_of(mode, gate[0]) * up[0], gate_of(mode, gate[1]) * up[1]);
                    }
                }
            } else {
#pragma unroll
                for (int c = 0; c < 4; c++) {
                    int at = column * MANY_COLUMNS + warpColumn + 8 * c + 2 * q;
                    if (at < n) {
                        *(unsigned*)(to + at) = pack_act(sum[m][c][2 * h], sum[m][c][2 * h + 1]);
                    }
                }
            }
        }
    }
}

// The products of experts for many rows: as expert_few (matmul.cu), with tiles of MANY_ROWS slots and any k % 8 == 0,
// n % 8 == 0, yStride % 2 == 0.
// Operations: 2 * n * k (gated 4 * n * k) a slot. Mixtral-8x7B, 8,192 tokens, a layer: 5.8 TFLOP; 990 TFLOP/s would take
// 5.8 ms, mma.sync reaches some 60% of what wgmma does: 9.7 ms. Qwen3-30B-A3B: 0.62 TFLOP, 0.62 and 1.0 ms.
// Bytes: all weights of the layer once (2.8 GB, 0.6 ms; 1.2 GB, 0.25 ms), and with strips of 16 tiles by what fits beside
// each other, 264 blocks: about 32 MB for 264 tiles of sums, 3.7 GB and 0.8 ms for Mixtral. Bound by the tensor cores from
// some 200 rows an expert on, below by weights: tiles of 16 rows without rows are not multiplied.
// Under way: two of three stages of 32 KB a block, two blocks a multiprocessor.
extern "C" __global__ void __launch_bounds__(MANY_THREADS, 2)
expert_many(const int* plan, const int* tiles, const int* choices, int perToken, const act* x, int xStride, const act* w,
            int n, int k, int mode, act* y, int yStride) {
    take_turn();
    DYNAMIC_SHARED(shared);
    int outputs = MANY_COLUMNS / (gated(mode) ? 2 : 1);
    int columns = (n + outputs - 1) / outputs;
    if ((int)blockIdx.x >= plan[0] * columns) {
        return;
    }
    const int* tile = tiles + EXPERT_TILE * strip_tile(blockIdx.x, plan[0], columns);
    int column = strip_column(blockIdx.x, plan[0], columns);
    const act* weights = w + (long long)tile[0] * (gated(mode) ? 2 * n : n) * k;
    Rows xs = {{x, x, x, x}, 0};
    Rows ws = {{weights, weights, weights, weights}, 0};
#pragma unroll
    for (int i = 0; i < 4; i++) {
        int r = threadIdx.x / 8 + 32 * i;
        int row = weight_row(column, r, n, mode, MANY_COLUMNS / 16);
        if (r < tile[2]) {
            xs.from[i] = x + (long long)row_of_slot(choices, perToken, tile[1] + r) * xStride;
            xs.there |= 1u << i;
        }
        if (row >= 0) {
            ws.from[i] = weights + (long long)row * k;
            ws.there |= 1u << i;
        }
    }
    int warp = threadIdx.x / 32;
    int warpRow = warp % 2 * WARP_ROWS;
    int warpColumn = warp / 2 * WARP_COLUMNS;
    int rowTiles = (tile[2] - warpRow + 15) / 16;
    float sum[4][4][4];
#pragma unroll
    for (int i = 0; i < 64; i++) {
        sum[i / 16][i / 4 % 4][i % 4] = 0;
    }
    int steps = (k + MANY_DEPTH - 1) / MANY_DEPTH;
#pragma unroll
    for (int s = 0; s < MANY_STAGES - 1; s++) {
        begin_copy(xs, k, s * MANY_DEPTH, shared + s * 2 * MANY_OPERAND);
        begin_copy(ws, k, s * MANY_DEPTH, shared + (s * 2 + 1) * MANY_OPERAND);
        copies_commit();
    }
    int used = 0;
    int filled = MANY_STAGES - 1;
    for (int step = 0; step < steps; step++) {
        copies_wait<MANY_STAGES - 2>();
        // all have their copies, and nobody reads the stage that is filled next any more
        __syncthreads();
        int at = (step + MANY_STAGES - 1) * MANY_DEPTH;
        begin_copy(xs, k, at, shared + filled * 2 * MANY_OPERAND);
        begin_copy(ws, k, at, shared + (filled * 2 + 1) * MANY_OPERAND);
        copies_commit();
        const unsigned char* stage = shared + used * 2 * MANY_OPERAND;
        multiply_stage(stage, stage + MANY_OPERAND, warpRow, warpColumn, rowTiles, sum);
        used = used + 1 == MANY_STAGES ? 0 : used + 1;
        filled = filled + 1 == MANY_STAGES ? 0 : filled + 1;
    }
    copies_wait<0>();
    store_sums(sum, tile, column, warpRow, warpColumn, n, mode, y, yStride);
}

// What a launch must know; one thread.
extern "C" __global__ void experts_constants(int* out) {
    const int values[8] = {MANY_ROWS, MANY_COLUMNS, MANY_THREADS, MANY_SHARED, CHOOSE_TOKENS, GROUP_THREADS,
                           GROUP_WARPS + 3, 0};
    for (int i = 0; i < 8; i++) {
        out[i] = values[i];
    }
}
