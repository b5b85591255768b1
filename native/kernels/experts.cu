// Layers of experts: which a token goes through, and rows grouped by expert; products are in matmul.cu and wide.cu.
// Everything stays on the device, so that a captured step can hold it: the host knows how many tiles there may be, not how
// many there are.
//
// A choice is the j-th expert of a token, numbered token * perToken + j; each gets a slot, those of expert 0 first, in
// order of choices. What experts give is summed by the norm that follows (rows.cu), in the order of a token's choice, so
// that a token's result does not depend on who else goes through an expert.
#include "jeton.cuh"

// ---- choosing and grouping ----------------------------------------------------------------------------------------

#define CHOOSE_TOKENS 4   // of a block: a warp each
#define CHOOSE_GROUPS 32  // most groups of experts: a lane each
#define GROUP_THREADS 1024
#define GROUP_WARPS (GROUP_THREADS / 32)

#define SCORES_PLAIN 0    // the softmax, and nothing of what follows
#define SCORES_SOFTMAX 1
#define SCORES_SIGMOID 2

// What keeps scores that are all 0 from being divided by their sum, as DeepSeek-V3's model has it.
#define LEAST_SUM 1e-20f

// How a router chooses. Logits of a token are stride apart, and may be followed by others. Where scores are not plain, an
// expert's key, by which it is chosen, is its score (of the softmax, where nothing is added, its logit) and the correction.
struct Router {
    const float* logits;
    int stride;
    const float* bias;        // of each logit, or 0
    const float* correction;  // of each key, or 0
    int experts;
    int perToken;
    int scores;
    bool normalised;
    int groups;       // of as many experts, one after the other
    int groupsTaken;  // from which experts are chosen
    int groupBest;    // how many of its best keys a group is judged by
    float scale;      // of shares
};

// Whether (value, expert) comes after (lastValue, last) in order of preference: the likelier first, of equals the lower.
INDEX bool comes_after(float value, int expert, float lastValue, int last) {
    return value < lastValue || (value == lastValue && expert > last);
}

// A router's logit of an expert, whose bias is added where there are any.
DEVICE float logit_of(const float* logits, const float* bias, int expert) {
    return bias ? logits[expert] + bias[expert] : logits[expert];
}

// The best of what each lane has, of equals the lower expert; all lanes then have it.
DEVICE void warp_best(float& best, int& expert) {
    for (int d = 16; d > 0; d >>= 1) {
        float otherBest = __shfl_xor_sync(ALL_LANES, best, d);
        int other = __shfl_xor_sync(ALL_LANES, expert, d);
        if (otherBest > best || (otherBest == best && other < expert)) {
            best = otherBest;
            expert = other;
        }
    }
}

// A warp chooses a token's experts, the likeliest first. The share of each is its softmax over all experts, or over those
// chosen where normalised. perToken <= 32. A logit that is no number counts as the least; shares are then NaN, which fails
// the rows that have them.
DEVICE void choose_plainly(const float* logits, const float* bias, int experts, int perToken, bool normalised, int* chosen,
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
        warp_best(best, expert);
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

// A group's best keys, added up. Lanes begin at different places of their groups, so that they read different banks.
DEVICE float group_score(const float* key, int size, int best) {
    float sum = 0;
    float lastValue = float_of(0x7f800000u);
    int last = -1;
    for (int j = 0; j < best; j++) {
        float value = NEGATIVE_INFINITY;
        int expert = size;
        int e = (threadIdx.x & 31) % size;
        for (int i = 0; i < size; i++) {
            float own = key[e];
            if (comes_after(own, e, lastValue, last) && (expert == size || own > value || (own == value && e < expert))) {
                value = own;
                expert = e;
            }
            e = e + 1 < size ? e + 1 : 0;
        }
        sum += value;
        lastValue = value;
        last = expert;
    }
    return sum;
}

// Makes the keys of all but the best groups the least, of equals the lower being better. A lane each.
DEVICE void leave_groups(const Router& r, float* key) {
    int lane = threadIdx.x & 31;
    int size = r.experts / r.groups;
    float score = lane < r.groups ? group_score(key + lane * size, size, r.groupBest) : NEGATIVE_INFINITY;
    int better = 0;
    for (int g = 0; g < r.groups; g++) {
        float other = __shfl_sync(ALL_LANES, score, g);
        better += other > score || (other == score && g < lane);
    }
    if (lane < r.groups && better >= r.groupsTaken) {
        for (int e = lane * size; e < (lane + 1) * size; e++) {
            key[e] = NEGATIVE_INFINITY;
        }
    }
    __syncwarp();
}

// What a share is a part of, before it is divided.
DEVICE float weight_of(const Router& r, float logit, float most) {
    return r.scores == SCORES_SIGMOID ? sigmoid(logit) : expf(logit - most);
}

// As choose_plainly, by keys of this warp's own in shared memory. What is no number, logit or key, makes all shares NaN.
DEVICE void choose_by_keys(const Router& r, const float* logits, float* key, int* chosen, float* share) {
    int lane = threadIdx.x & 31;
    bool probable = r.scores == SCORES_SOFTMAX && r.correction;
    float most = NEGATIVE_INFINITY;
    float all = 0;
    bool broken = false;
    for (int e = lane; e < r.experts && r.scores == SCORES_SOFTMAX; e += 32) {
        most = fmaxf(most, logit_of(logits, r.bias, e));
    }
    most = warp_max(most);
    if (r.scores == SCORES_SOFTMAX && (probable || !r.normalised)) {
        for (int e = lane; e < r.experts; e += 32) {
            all += expf(logit_of(logits, r.bias, e) - most);
        }
        all = warp_sum(all);
    }
    for (int e = lane; e < r.experts; e += 32) {
        float logit = logit_of(logits, r.bias, e);
        float value = r.scores == SCORES_SIGMOID ? sigmoid(logit) : probable ? expf(logit - most) / all : logit;
        value = r.correction ? value + r.correction[e] : value;
        broken |= value != value;
        key[e] = value == value ? value : NEGATIVE_INFINITY;
    }
    broken = __any_sync(ALL_LANES, broken);
    __syncwarp();
    if (r.groupsTaken < r.groups) {
        leave_groups(r, key);
    }
    float lastValue = float_of(0x7f800000u);
    int last = -1;
    int ownExpert = 0;
    for (int j = 0; j < r.perToken; j++) {
        float best = NEGATIVE_INFINITY;
        int expert = r.experts;
        for (int e = lane; e < r.experts; e += 32) {
            float value = key[e];
            if (comes_after(value, e, lastValue, last) && (value > best || expert == r.experts)) {
                best = value;
                expert = e;
            }
        }
        warp_best(best, expert);
        ownExpert = lane == j ? expert : ownExpert;
        lastValue = best;
        last = expert;
    }
    float own = lane < r.perToken ? weight_of(r, logit_of(logits, r.bias, ownExpert), most) : 0;
    float taken = warp_sum(own);
    if (r.scores == SCORES_SIGMOID) {
        all = r.normalised ? taken + LEAST_SUM : 1;
    } else if (r.normalised) {
        all = taken;
    }
    if (lane < r.perToken) {
        chosen[lane] = ownExpert;
        share[lane] = broken ? NOT_A_NUMBER : own / all * r.scale;
    }
    __syncwarp();
}

// A warp chooses a token's experts; key[experts] is shared memory of its own where scores are not plain.
DEVICE void choose(const Router& r, int token, float* key, int* chosen, float* share) {
    const float* logits = r.logits + (long long)token * r.stride;
    chosen += token * r.perToken;
    share += token * r.perToken;
    if (r.scores == SCORES_PLAIN) {
        choose_plainly(logits, r.bias, r.experts, r.perToken, r.normalised, chosen, share);
    } else {
        choose_by_keys(r, logits, key, chosen, share);
    }
}

// Shared memory: where scores are not plain CHOOSE_TOKENS * experts floats.
// Bytes per token: 4 * experts, read from the first cache perToken times more, and 8 * perToken written; corrections, as
// many again, stay in the first cache, and keys are read from shared memory in place of the logits. Operations: a few a
// logit for each choice: 128 experts, 8 choices, 8,192 tokens: 30M, 1 us; latency for few. Keys cost an exponential and a
// division each, and groups groupBest reads of each key by one lane a group: 256 experts in 8 groups of two best 64 reads
// of shared memory one after the other, about 0.5 us a token, many at once.
extern "C" __global__ void __launch_bounds__(32 * CHOOSE_TOKENS)
choose_experts(const int* header, const float* logits, int stride, const float* bias, const float* correction, int experts,
               int perToken, int scores, int normalised, int groups, int groupsTaken, int groupBest, float scale,
               int* chosen, float* share) {
    take_turn();
    DYNAMIC_SHARED(shared);
    int warp = threadIdx.x / 32;
    int token = blockIdx.x * CHOOSE_TOKENS + warp;
    Router r = {logits, stride, bias, correction, experts, perToken, scores, normalised != 0, groups, groupsTaken, groupBest, scale};
    if (token < header[HEADER_TOKENS]) {
        choose(r, token, (float*)shared + warp * experts, chosen, share);
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
group_experts(const int* header, const float* logits, int stride, const float* bias, const float* correction, int experts,
              int perToken, int scores, int normalised, int groups, int groupsTaken, int groupBest, float scale,
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
    int* mine = placed + warp * experts;
    if (logits) {
        Router r = {logits, stride, bias, correction, experts, perToken, scores, normalised != 0, groups, groupsTaken, groupBest, scale};
        for (int token = warp; token < tokens; token += GROUP_WARPS) {
            choose(r, token, (float*)mine, chosen, share);
        }
    }
    for (int e = lane; e < experts; e += 32) {
        mine[e] = 0;
    }
    __syncthreads();
    int from = warp * range_of(all);
    int to = min(all, from + range_of(all));
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
