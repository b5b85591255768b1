// Layers of experts: which a token goes through, and rows grouped by expert; products are in matmul.cu and wide.cu.
// Everything stays on the device, so that a captured step can hold it: the host knows how many tiles there may be, not how
// many there are.
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

// A router's logit of an expert, whose bias is added where there are any.
DEVICE float logit_of(const float* logits, const float* bias, int expert) {
    return bias ? logits[expert] + bias[expert] : logits[expert];
}

// A warp chooses a token's experts, the likeliest first. The share of each is its softmax over all experts, or over those
// chosen where normalised. perToken <= 32. A logit that is no number counts as the least; shares are then NaN, which fails
// the rows that have them.
DEVICE void choose(const float* logits, const float* bias, int experts, int perToken, bool normalised, int* chosen,
                   float* share) {
    int lane = threadIdx.x & 31;
    float most = NEGATIVE_INFINITY;
    for (int e = lane; e < experts; e += 32) {
        most = fmaxf(most, logit_of(logits, bias, e));
    }
    most = warp_max(most);
    float all = 0;
    for (int e = lane; e < experts; e += 32) {
        all += expf(logit_of(logits, bias, e) - most);
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
            float value = logit_of(logits, bias, e);
            value = value == value ? value : NEGATIVE_INFINITY;
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

// bias[experts], or 0, is added to every token's logits.
// Bytes per token: 4 * experts, read from the first cache perToken times more, and 8 * perToken written. Operations: a
// few a logit for each choice: 128 experts, 8 choices, 8,192 tokens: 30M, 1 us; latency for few.
extern "C" __global__ void __launch_bounds__(32 * CHOOSE_TOKENS)
choose_experts(const int* header, const float* logits, const float* bias, int experts, int perToken, int normalised,
               int* chosen, float* share) {
    take_turn();
    int token = blockIdx.x * CHOOSE_TOKENS + threadIdx.x / 32;
    if (token < header[HEADER_TOKENS]) {
        choose(logits + (long long)token * experts, bias, experts, perToken, normalised != 0, chosen + token * perToken,
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
group_experts(const int* header, const float* logits, const float* bias, int experts, int perToken, int normalised,
              int tileRows, int maxTiles, int* chosen, float* share, int* slotOf, int* choices, int* plan, int* tiles) {
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
            choose(logits + (long long)token * experts, bias, experts, perToken, normalised != 0, chosen + token * perToken,
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

// out[slot][i] = x[token of the slot][order[expert of the slot][i]]: inputs in the order in which the weights of each expert
// have them. width % 8 == 0.
// Bytes per slot: 4 * width, and 4 * width of orders, which the second cache has (1 MB for 128 experts of 2,048).
// Qwen3-30B-A3B, a layer: one token's 8 slots 128 KB, a launch. 8,192 tokens, 65,536 slots: 0.3 GB with memory and 0.8 GB
// from the second cache, about 120 us; 4.2 million reads of a warp, of two bytes each anywhere in a row of 4 KB, some 8 to 16
// wavefronts of the first cache: 0.15 to 0.3 ms, beside 1.0 of the products.
extern "C" __global__ void __launch_bounds__(256)
order_inputs(const int* plan, const int* choices, const int* chosen, int perToken, const act* x, const int* order, int width,
             act* out) {
    take_turn();
    int slot = blockIdx.x;
    int i = (blockIdx.y * 256 + threadIdx.x) * 8;
    if (slot >= plan[1] || i >= width) {
        return;
    }
    int choice = choices[slot];
    const int* own = order + (long long)chosen[choice] * width;
    *(uint4*)(out + (long long)slot * width + i) = gather8(x + (long long)(choice / perToken) * width, own + i);
}

// What a launch must know; one thread.
extern "C" __global__ void experts_constants(int* out) {
    const int values[3] = {CHOOSE_TOKENS, GROUP_THREADS, GROUP_WARPS + 3};
    for (int i = 0; i < 3; i++) {
        out[i] = values[i];
    }
}
