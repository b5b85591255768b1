// From rows of logits to tokens, exactly as the host sampler and SamplingParameters say: penalties, bias, suppression
// of stop tokens, masks; log-probabilities at temperature 1; temperature, top-k, min-p, top-p, draw.
//
// Same token as on the host. Weights e^((logit - max) / T) are the host's bit for bit (weight_of), and so is the
// random number. Sums are taken here in integers, weights as multiples of 2^-43, so they do not depend on the order
// of threads; the host's double (and partly float) sums differ from them by about 1e-7 of the total, so a draw
// differs only where the random point lies that close to a boundary. A weight below 2^-44 of the greatest counts as
// nothing.
//
// No sort of the vocabulary. Kept sets of top-k, min-p and top-p are all the first so many tokens in order of (logit,
// lower id); so is the place of the draw. The tokens within e^-7 (then e^-14) of the greatest, if they are enough and
// at most CANDIDATES, are sorted in shared memory. Otherwise a bound is searched by histograms of the keys, 1,024
// bins a pass, until at most CANDIDATES keys are left between the bounds. Without top-k and top-p the walk is over
// all ids, by parts of parts.
#include "jeton.cuh"

#define SEGMENT 4096
#define ADJUST_THREADS 256
#define SAMPLE_THREADS 512
#define SAMPLE_WARPS (SAMPLE_THREADS / 32)
#define CANDIDATES 2048
#define BINS 1024
#define TOP 20

typedef unsigned long long u64;

struct SlotSampling {
    u64 seed;
    double topP;
    double presencePenalty;
    double frequencyPenalty;
    float inverseTemperature;  // 0: greedy
    float minP;
    float repetitionPenalty;
    int topK;
    int minTokens;
    int logProbabilities;
    int biasCount;
    int stopCount;
    int penalised;
    int unused;
};

static_assert(sizeof(SlotSampling) == 72, "the host writes 72 bytes");

// What a launch must know; one thread.
extern "C" __global__ void sampling_constants(int* out) {
    out[0] = SEGMENT;
    out[1] = ADJUST_THREADS;
    out[2] = SAMPLE_THREADS;
    out[3] = (int)sizeof(SlotSampling);
}

#define STATUS_FINE 0
#define STATUS_NOT_FINITE 1
#define STATUS_ALL_EXCLUDED 2

// ---- the host's arithmetic ----------------------------------------------------------------------------------------

// VectorMath.exp, operation by operation: Cephes expf, e^x for x <= 0; 0 below -87.3.
DEVICE float exp_as_host(float x) {
    const float round = 12582912.0f;  // 1.5 * 2^23
    float shifted = __fmaf_rn(x, 1.44269504f, round);
    float n = __fsub_rn(shifted, round);
    float r = __fmaf_rn(n, -0.693359375f, x);
    r = __fmaf_rn(n, 2.12194440e-4f, r);
    float p = __fmaf_rn(r, 1.9875691500e-4f, 1.3981999507e-3f);
    p = __fmaf_rn(p, r, 8.3334519073e-3f);
    p = __fmaf_rn(p, r, 4.1665795894e-2f);
    p = __fmaf_rn(p, r, 1.6666665459e-1f);
    p = __fmaf_rn(p, r, 5.0000001201e-1f);
    p = __fadd_rn(__fmaf_rn(p, __fmul_rn(r, r), r), 1.0f);
    float result = float_of(bits_of(p) + (bits_of(shifted) << 23));
    return x < -87.3f ? 0.0f : result;
}

DEVICE float weight_of(float logit, float greatest, float inverseTemperature) {
    return exp_as_host(__fmul_rn(__fsub_rn(logit, greatest), inverseTemperature));
}

// CounterRandom.uniform.
INDEX u64 mix(u64 z) {
    z = (z ^ (z >> 30)) * 0xBF58476D1CE4E5B9ull;
    z = (z ^ (z >> 27)) * 0x94D049BB133111EBull;
    return z ^ (z >> 31);
}
INDEX double uniform(u64 seed, u64 counter) {
    const u64 golden = 0x9E3779B97F4A7C15ull;
    return (double)(mix(mix(counter * golden + 1) ^ mix(seed + golden)) >> 11) * (1.0 / 9007199254740992.0);
}

// ---- keys and masses ----------------------------------------------------------------------------------------------

// Greater for greater logits, then for lower ids; all keys of a row differ.
INDEX unsigned ordered_bits(unsigned bits) { return bits & 0x80000000u ? ~bits : bits | 0x80000000u; }
INDEX unsigned bits_of_ordered(unsigned o) { return o & 0x80000000u ? o & 0x7fffffffu : ~o; }
// Adding zero makes of -0 a 0: the two are equal logits.
DEVICE u64 key_of(float logit, int id) {
    return (u64)ordered_bits(bits_of(__fadd_rn(logit, 0.0f))) << 32 | ~(unsigned)id;
}
INDEX int id_of(u64 key) { return (int)~(unsigned)key; }
DEVICE float logit_of(u64 key) { return float_of(bits_of_ordered((unsigned)(key >> 32))); }

// A weight of at most 1 as a multiple of 2^-43; 2^20 of them fit 64 bits.
DEVICE u64 mass_of(float weight) { return (u64)((double)weight * 8796093022208.0 + 0.5); }

// The least whole number of masses that reaches share * all, and the least that exceeds it.
DEVICE u64 reaching(double share, u64 all) {
    double x = share * (double)all;
    u64 floor = (u64)x;
    u64 target = (double)floor < x ? floor + 1 : floor;
    return target < 1 ? 1 : target > all ? all : target;
}
DEVICE u64 exceeding(double share, u64 all) {
    u64 target = (u64)(share * (double)all) + 1;
    return target > all ? all : target;
}

DEVICE u64 warp_sum64(u64 x) {
    for (int d = 16; d > 0; d >>= 1) {
        x += __shfl_xor_sync(ALL_LANES, x, d);
    }
    return x;
}
DEVICE u64 warp_max64(u64 x) {
    for (int d = 16; d > 0; d >>= 1) {
        u64 y = __shfl_xor_sync(ALL_LANES, x, d);
        x = y > x ? y : x;
    }
    return x;
}

// In every thread of a block of at most 32 warps; scratch of 32 entries, which the call first waits for.
DEVICE u64 block_sum64(u64 x, u64* scratch) {
    __syncthreads();
    x = warp_sum64(x);
    if (threadIdx.x % 32 == 0) {
        scratch[threadIdx.x / 32] = x;
    }
    __syncthreads();
    int lane = threadIdx.x % 32;
    return warp_sum64(lane < (int)blockDim.x / 32 ? scratch[lane] : 0);
}
DEVICE u64 block_max64(u64 x, u64* scratch) {
    __syncthreads();
    x = warp_max64(x);
    if (threadIdx.x % 32 == 0) {
        scratch[threadIdx.x / 32] = x;
    }
    __syncthreads();
    int lane = threadIdx.x % 32;
    return warp_max64(lane < (int)blockDim.x / 32 ? scratch[lane] : 0);
}
// Exclusive sum over the threads of the block.
DEVICE u64 block_scan64(u64 x, u64* scratch) {
    __syncthreads();
    int lane = threadIdx.x % 32;
    u64 sum = x;
    for (int d = 1; d < 32; d <<= 1) {
        u64 other = __shfl_up_sync(ALL_LANES, sum, d);
        sum += lane >= d ? other : 0;
    }
    if (lane == 31) {
        scratch[threadIdx.x / 32] = sum;
    }
    __syncthreads();
    u64 before = 0;
    for (int w = 0; w < (int)threadIdx.x / 32; w++) {
        before += scratch[w];
    }
    return before + sum - x;
}

// ---- slots --------------------------------------------------------------------------------------------------------

// Bytes: 4 * vocabulary.
extern "C" __global__ void __launch_bounds__(256) clear_slot(unsigned* counts, int vocabulary) {
    take_turn();
    for (int i = blockIdx.x * 256 + threadIdx.x; i < vocabulary; i += gridDim.x * 256) {
        counts[i] = 0;
    }
}

extern "C" __global__ void __launch_bounds__(256)
count_tokens(unsigned* counts, const int* tokens, int promptLength, int length) {
    take_turn();
    for (int i = blockIdx.x * 256 + threadIdx.x; i < length; i += gridDim.x * 256) {
        atomicOr(counts + tokens[i], 0x80000000u);
        if (i >= promptLength) {
            atomicAdd(counts + tokens[i], 1u);
        }
    }
}

// ---- soft-cap -----------------------------------------------------------------------------------------------------

// Logits x become cap * tanh(x / cap), before anything looks at them; what is not finite stays so, for its row to fail.
// Bytes per row: 8 * vocabulary, from the second cache for up to some thirty rows: 256,000 logits are 2 MB, 0.1 GB and
// 27 us on H200 for 64 rows, beside 1.2 GB of the output projection of such a model.
extern "C" __global__ void __launch_bounds__(256)
cap_logits(const int* header, float* logits, int stride, int vocabulary, float cap) {
    take_turn();
    int i = (blockIdx.y * 256 + threadIdx.x) * 4;
    if ((int)blockIdx.x >= header[HEADER_LOGIT_ROWS] || i >= vocabulary) {
        return;
    }
    // rows have room for whole vectors
    float4* at = (float4*)(logits + (long long)blockIdx.x * stride + i);
    float4 v = *at;
    float* x = &v.x;
#pragma unroll
    for (int j = 0; j < 4; j++) {
        if (fabsf(x[j]) < float_of(0x7f800000u)) {
            x[j] = cap * tanhf(x[j] / cap);
        }
    }
    *at = v;
}

// ---- penalties, bias, masks ---------------------------------------------------------------------------------------

// Bytes per row of logits: 4 * vocabulary read; written back only where something is changed; 4 * vocabulary of counts
// where penalties are on. 128,256 logits: 0.5 MB, from the second cache right after the projection.
extern "C" __global__ void __launch_bounds__(ADJUST_THREADS)
adjust_logits(const int* header, float* logits, int stride, int vocabulary, const int* logitRow, const int* logitToken,
              const int* logitSample, const int* logitMask, const int* tokens, const int* slot,
              const SlotSampling* params, const int* generated, const unsigned* counts, const int* biasTokens,
              const float* biasValues, int maxBias, const int* stopTokens, int maxStop, const u64* masks,
              int maskWords, float* segments) {
    take_turn();
    __shared__ __align__(16) float part[SEGMENT];
    __shared__ u64 scratch64[32];
    __shared__ float scratch[32];
    int row = blockIdx.x;
    if (row >= header[HEADER_LOGIT_ROWS] || logitSample[row] < 0) {
        return;
    }
    int drafts = logitSample[row];
    int s = slot[logitRow[row]];
    const SlotSampling& p = params[s];
    int base = blockIdx.y * SEGMENT;
    int count = min(SEGMENT, vocabulary - base);
    float* from = logits + (long long)row * stride + base;
    const int* accepted = tokens + logitToken[row] - drafts + 1;  // the drafts before this position
    bool penalised = p.penalised != 0;
    bool suppressed = generated[s] + drafts < p.minTokens;
    int mask = logitMask[row];
    bool changed = penalised || p.biasCount > 0 || (suppressed && p.stopCount > 0) || mask >= 0;

    for (int i = threadIdx.x * 4; i < count; i += ADJUST_THREADS * 4) {
        *(float4*)(part + i) = *(const float4*)(from + i);
    }
    if (penalised) {
        const unsigned* counted = counts + (long long)s * vocabulary + base;
        __syncthreads();
        for (int i = threadIdx.x; i < count; i += ADJUST_THREADS) {
            unsigned c = counted[i];
            int times = (int)(c & 0x7fffffffu);
            for (int d = 0; d < drafts; d++) {
                times += accepted[d] == base + i;
            }
            if (c != 0 || times > 0) {
                float value = part[i];
                value = value > 0 ? __fdiv_rn(value, p.repetitionPenalty) : __fmul_rn(value, p.repetitionPenalty);
                if (times > 0) {
                    value = __fsub_rn(value, (float)__dadd_rn(p.presencePenalty, __dmul_rn(times, p.frequencyPenalty)));
                }
                part[i] = value;
            }
        }
    }
    if (p.biasCount > 0) {
        __syncthreads();
        for (int i = threadIdx.x; i < p.biasCount; i += ADJUST_THREADS) {
            int at = biasTokens[(long long)s * maxBias + i] - base;
            if (at >= 0 && at < count) {
                part[at] = __fadd_rn(part[at], biasValues[(long long)s * maxBias + i]);
            }
        }
    }
    if (suppressed && p.stopCount > 0) {
        __syncthreads();
        for (int i = threadIdx.x; i < p.stopCount; i += ADJUST_THREADS) {
            int at = stopTokens[(long long)s * maxStop + i] - base;
            if (at >= 0 && at < count) {
                part[at] = NEGATIVE_INFINITY;
            }
        }
    }
    __syncthreads();
    if (mask >= 0) {
        const u64* allowed = masks + (long long)mask * maskWords + base / 64;
        for (int i = threadIdx.x; i < count; i += ADJUST_THREADS) {
            if (!(allowed[i >> 6] >> (i & 63) & 1)) {
                part[i] = NEGATIVE_INFINITY;
            }
        }
    }

    u64 best = 0;
    bool broken = false;
    for (int i = threadIdx.x; i < count; i += ADJUST_THREADS) {
        float value = part[i];
        broken |= !(value < float_of(0x7f800000u));
        u64 key = key_of(value, base + i);
        best = key > best ? key : best;
        if (changed) {
            from[i] = value;
        }
    }
    best = block_max64(best, scratch64);
    float greatest = logit_of(best);
    float sum = 0;
    if (greatest > NEGATIVE_INFINITY) {
        for (int i = threadIdx.x; i < count; i += ADJUST_THREADS) {
            sum += weight_of(part[i], greatest, 1.0f);
        }
    }
    sum = block_sum(sum, scratch);
    int any = __syncthreads_or(broken);
    if (threadIdx.x == 0) {
        float* to = segments + ((long long)row * gridDim.y + blockIdx.y) * 4;
        to[0] = greatest;
        to[1] = float_of((unsigned)id_of(best));
        to[2] = sum;
        to[3] = any ? 1.0f : 0.0f;
    }
}

// ---- selection ----------------------------------------------------------------------------------------------------

// Shared by the threads of a block that work on one row.
struct Selection {
    u64 keys[CANDIDATES];    // candidates, sorted from the greatest
    u64 upTo[CANDIDATES];    // masses of the candidates up to each
    u64 scratch[32];
    unsigned binCount[BINS];
    unsigned binLow[BINS];
    unsigned binHigh[BINS];
    int count;
    int bin;
    u64 beforeCount;
    u64 beforeMass;
    u64 binTokens;
};

struct Logits {
    const float* row;
    int vocabulary;
    float greatest;
    float inverseTemperature;
};

// Which tokens are looked at.
struct Filter {
    float floor;     // least weight; 0 with `any`
    bool any;        // all finite logits, whatever their weight
    float perUnit;   // bins per unit of (greatest - logit) / T
    int bin;         // or -1: all bins
    u64 low;
    u64 high;
};

DEVICE float distance_of(const Logits& l, float logit) {
    return __fmul_rn(__fsub_rn(l.greatest, logit), l.inverseTemperature);
}

DEVICE int first_bin(const Logits& l, const Filter& f, float logit) {
    float d = distance_of(l, logit) * f.perUnit;
    return d < BINS - 1 ? (int)d : BINS - 1;
}

DEVICE bool passes(const Logits& l, const Filter& f, float logit, float weight, u64 key) {
    bool kept = f.any ? logit > NEGATIVE_INFINITY : weight > 0 && weight >= f.floor;
    return kept && key >= f.low && key <= f.high && (f.bin < 0 || first_bin(l, f, logit) == f.bin);
}

// Calls `f(logit, id)` for every logit; four at a time per thread.
template <class F>
DEVICE void each(const Logits& l, F f) {
    for (int i = threadIdx.x * 4; i < l.vocabulary; i += SAMPLE_THREADS * 4) {
        float4 v = *(const float4*)(l.row + i);
        f(v.x, i);
        if (i + 1 < l.vocabulary) f(v.y, i + 1);
        if (i + 2 < l.vocabulary) f(v.z, i + 2);
        if (i + 3 < l.vocabulary) f(v.w, i + 3);
    }
}

// Brings the keys that pass (at most CANDIDATES) to shared memory, sorted, with their masses summed.
OUTLINED void collect(Selection& at, const Logits& l, const Filter& filter) {
    __syncthreads();
    if (threadIdx.x == 0) {
        at.count = 0;
    }
    __syncthreads();
    each(l, [&](float logit, int id) {
        u64 key = key_of(logit, id);
        if (passes(l, filter, logit, weight_of(logit, l.greatest, l.inverseTemperature), key)) {
            int place = atomicAdd(&at.count, 1);
            if (place < CANDIDATES) {
                at.keys[place] = key;
            }
        }
    });
    __syncthreads();
    int count = min(at.count, CANDIDATES);
    int size = 2;
    while (size < count) {
        size *= 2;
    }
    for (int i = count + threadIdx.x; i < size; i += SAMPLE_THREADS) {
        at.keys[i] = 0;
    }
    // Bitonic sort, greatest first (Batcher).
    for (int run = 2; run <= size; run *= 2) {
        for (int step = run / 2; step > 0; step /= 2) {
            __syncthreads();
            for (int i = threadIdx.x; i < size / 2; i += SAMPLE_THREADS) {
                int a = i / step * step * 2 + i % step;
                int b = a + step;
                u64 x = at.keys[a];
                u64 y = at.keys[b];
                if ((x < y) == ((a & run) == 0)) {
                    at.keys[a] = y;
                    at.keys[b] = x;
                }
            }
        }
    }
    __syncthreads();
    const int each4 = CANDIDATES / SAMPLE_THREADS;
    u64 mass[each4];
    u64 sum = 0;
#pragma unroll
    for (int j = 0; j < each4; j++) {
        int i = threadIdx.x * each4 + j;
        mass[j] = i < count ? mass_of(weight_of(logit_of(at.keys[i]), l.greatest, l.inverseTemperature)) : 0;
        sum += mass[j];
    }
    u64 before = block_scan64(sum, at.scratch);
#pragma unroll
    for (int j = 0; j < each4; j++) {
        before += mass[j];
        at.upTo[threadIdx.x * each4 + j] = before;
    }
    if (threadIdx.x == 0) {
        at.count = count;
    }
    __syncthreads();
}

// First candidate at which the masses reach `target`; the last where none does.
DEVICE int reach(const Selection& at, u64 target) {
    int low = 0;
    int high = at.count - 1;
    while (low < high) {
        int middle = (low + high) / 2;
        if (at.upTo[middle] >= target) {
            high = middle;
        } else {
            low = middle + 1;
        }
    }
    return low;
}

// A place in the order of all keys: the key there, and the tokens and masses up to it.
struct Place {
    u64 key;
    u64 count;
    u64 mass;
};

// Where the count (or the mass) of tokens from the greatest on reaches `target`, among tokens that pass `filter`, of
// which there are `inside`. Narrows the filter until the tokens left can be sorted.
OUTLINED Place locate(Selection& at, const Logits& l, Filter filter, u64 inside, bool byMass, u64 target) {
    u64 beforeCount = 0;
    u64 beforeMass = 0;
    bool byDistance = true;
    while (inside > CANDIDATES) {
        int shift = 0;
        if (!byDistance) {
            // The keys' own bounds, so that bins are narrow where the keys are.
            u64 greatest = 0;
            u64 least = 0;  // greatest of the complements
            each(l, [&](float logit, int id) {
                u64 key = key_of(logit, id);
                if (passes(l, filter, logit, weight_of(logit, l.greatest, l.inverseTemperature), key)) {
                    greatest = key > greatest ? key : greatest;
                    least = ~key > least ? ~key : least;
                }
            });
            filter.high = block_max64(greatest, at.scratch);
            filter.low = ~block_max64(least, at.scratch);
            while ((filter.high - filter.low) >> shift >= BINS) {
                shift++;
            }
        }
        __syncthreads();
        for (int i = threadIdx.x; i < BINS; i += SAMPLE_THREADS) {
            at.binCount[i] = at.binLow[i] = at.binHigh[i] = 0;
        }
        __syncthreads();
        each(l, [&](float logit, int id) {
            u64 key = key_of(logit, id);
            float weight = weight_of(logit, l.greatest, l.inverseTemperature);
            if (passes(l, filter, logit, weight, key)) {
                int bin = byDistance ? first_bin(l, filter, logit) : (int)((filter.high - key) >> shift);
                u64 mass = mass_of(weight);
                unsigned low = (unsigned)mass;
                atomicAdd(at.binCount + bin, 1u);
                unsigned old = atomicAdd(at.binLow + bin, low);
                unsigned high = (unsigned)(mass >> 32) + (old + low < old ? 1u : 0u);
                if (high > 0) {
                    atomicAdd(at.binHigh + bin, high);
                }
            }
        });
        __syncthreads();
        const int own = BINS / SAMPLE_THREADS;
        u64 counts[own], masses[own];
        u64 countSum = 0;
        u64 massSum = 0;
#pragma unroll
        for (int j = 0; j < own; j++) {
            int bin = threadIdx.x * own + j;
            counts[j] = at.binCount[bin];
            masses[j] = (u64)at.binHigh[bin] << 32 | at.binLow[bin];
            countSum += counts[j];
            massSum += masses[j];
        }
        u64 count = beforeCount + block_scan64(countSum, at.scratch);
        u64 mass = beforeMass + block_scan64(massSum, at.scratch);
#pragma unroll
        for (int j = 0; j < own; j++) {
            u64 reached = byMass ? mass : count;
            u64 reaches = reached + (byMass ? masses[j] : counts[j]);
            if (reached < target && reaches >= target) {
                at.bin = threadIdx.x * own + j;
                at.beforeCount = count;
                at.beforeMass = mass;
                at.binTokens = counts[j];
            }
            count += counts[j];
            mass += masses[j];
        }
        __syncthreads();
        beforeCount = at.beforeCount;
        beforeMass = at.beforeMass;
        inside = at.binTokens;
        if (byDistance) {
            filter.bin = at.bin;
            byDistance = false;
        } else {
            u64 high = filter.high - ((u64)at.bin << shift);
            u64 width = ((u64)1 << shift) - 1;
            filter.low = high - filter.low < width ? filter.low : high - width;
            filter.high = high;
        }
    }
    collect(at, l, filter);
    int i = byMass ? reach(at, target - beforeMass) : (int)(target - beforeCount) - 1;
    i = min(i, at.count - 1);
    Place place = {at.keys[i], beforeCount + i + 1, beforeMass + at.upTo[i]};
    return place;
}

DEVICE Filter everything(float floor, bool any) {
    Filter f;
    f.floor = floor;
    f.any = any;
    f.perUnit = BINS / 88.0f;
    f.bin = -1;
    f.low = 0;
    f.high = ~(u64)0;
    return f;
}

// Counts and masses of the tokens of at least three weights.
struct Census {
    u64 count[3];
    u64 mass[3];
};

OUTLINED Census take_census(Selection& at, const Logits& l, const float* bounds, bool any) {
    Census c = {{0, 0, 0}, {0, 0, 0}};
    each(l, [&](float logit, int id) {
        float weight = weight_of(logit, l.greatest, l.inverseTemperature);
        u64 mass = mass_of(weight);
#pragma unroll
        for (int i = 0; i < 3; i++) {
            bool counts = any && i == 2 ? logit > NEGATIVE_INFINITY : weight > 0 && weight >= bounds[i];
            c.count[i] += counts ? 1 : 0;
            c.mass[i] += counts ? mass : 0;
        }
    });
    for (int i = 0; i < 3; i++) {
        c.count[i] = block_sum64(c.count[i], at.scratch);
        c.mass[i] = block_sum64(c.mass[i], at.scratch);
    }
    return c;
}

// The draw with top-k or top-p.
OUTLINED int draw_sorted(Selection& at, const Logits& l, const SlotSampling& p, double u) {
    float bounds[3] = {fmaxf(1e-3f, p.minP), fmaxf(1e-6f, p.minP), p.minP};
    Census census = take_census(at, l, bounds, false);
    u64 topK = p.topK;
    u64 all = census.mass[2];
    int cut = 0;
    while (cut < 2) {
        bool complete = census.count[cut] == census.count[2];
        bool enough = topK > 0 ? census.count[cut] >= topK : p.minP == 0 && census.mass[cut] >= reaching(p.topP, all);
        if (complete || enough) {
            break;
        }
        cut++;
    }
    Filter filter = everything(bounds[cut], false);
    u64 inside = census.count[cut];
    bool limited = topK > 0 && topK <= inside;
    if (inside <= CANDIDATES) {
        collect(at, l, filter);
        u64 kept = limited ? at.upTo[topK - 1] : all;
        if (p.topP < 1) {
            kept = at.upTo[reach(at, reaching(p.topP, kept))];
        }
        return id_of(at.keys[reach(at, exceeding(u, kept))]);
    }
    u64 kept = limited ? locate(at, l, filter, inside, false, topK).mass : all;
    if (p.topP < 1) {
        kept = locate(at, l, filter, inside, true, reaching(p.topP, kept)).mass;
    }
    return id_of(locate(at, l, filter, inside, true, exceeding(u, kept)).key);
}

// The draw over all ids in order, of weights of at least `floor`.
OUTLINED int draw_in_order(Selection& at, const Logits& l, float floor, double u) {
    int warp = threadIdx.x / 32;
    int lane = threadIdx.x % 32;
    int from = 0;
    int to = l.vocabulary;
    u64 target = 0;
    while (true) {
        int part = ((to - from + SAMPLE_WARPS - 1) / SAMPLE_WARPS + 31) / 32 * 32;
        u64 mass = 0;
        int end = min(to, from + (warp + 1) * part);
        for (int i = from + warp * part + lane; i < end; i += 32) {
            float weight = weight_of(l.row[i], l.greatest, l.inverseTemperature);
            mass += weight >= floor ? mass_of(weight) : 0;
        }
        u64 warpMass = warp_sum64(mass);
        __syncthreads();
        if (lane == 0) {
            at.scratch[warp] = warpMass;
        }
        __syncthreads();
        if (target == 0) {
            u64 all = 0;
            for (int w = 0; w < SAMPLE_WARPS; w++) {
                all += at.scratch[w];
            }
            target = exceeding(u, all);
        }
        int w = 0;
        while (w < SAMPLE_WARPS - 1 && at.scratch[w] < target) {
            target -= at.scratch[w++];
        }
        from += w * part;
        to = min(to, from + part);
        if (part == 32) {
            break;
        }
    }
    // Every warp finds the same lane.
    u64 sum = 0;
    if (from + lane < to) {
        float weight = weight_of(l.row[from + lane], l.greatest, l.inverseTemperature);
        sum = weight >= floor ? mass_of(weight) : 0;
    }
    for (int d = 1; d < 32; d <<= 1) {
        u64 other = __shfl_up_sync(ALL_LANES, sum, d);
        sum += lane >= d ? other : 0;
    }
    unsigned reached = __ballot_sync(ALL_LANES, sum >= target);
    int first = 0;
    while (first < 31 && !(reached >> first & 1)) {
        first++;
    }
    return from + first;
}

// The `wanted` most likely tokens with their log-probabilities; -1 and NaN past the last.
OUTLINED void take_top(Selection& at, Logits l, int wanted, double logTotal, int* tokens, float* values) {
    l.inverseTemperature = 1.0f;
    int found = 0;
    if (wanted > 0) {
        float bounds[3] = {1e-3f, 1e-6f, 0.0f};
        Census census = take_census(at, l, bounds, true);
        int cut = 0;
        while (cut < 2 && census.count[cut] < (u64)wanted) {
            cut++;
        }
        Filter filter = everything(bounds[cut], cut == 2);
        u64 inside = census.count[cut];
        found = inside < (u64)wanted ? (int)inside : wanted;
        if (inside > CANDIDATES) {
            filter.low = locate(at, l, filter, inside, false, found).key;
        }
        collect(at, l, filter);
    }
    for (int i = threadIdx.x; i < TOP; i += SAMPLE_THREADS) {
        tokens[i] = i < found ? id_of(at.keys[i]) : -1;
        values[i] = i < found ? (float)(logit_of(at.keys[i]) - logTotal) : NOT_A_NUMBER;
    }
}

// ---- sampling -----------------------------------------------------------------------------------------------------

// Bytes per row of logits: nothing but 16 a segment where greedy and no log-probability is asked; 4 * vocabulary from
// the second cache per pass else: one to draw from all (and 1/16), two where the candidates fit, up to about ten where
// bounds are searched. One block reads about 100 GB/s from the second cache: 5 us a pass of 128,256 logits.
extern "C" __global__ void __launch_bounds__(SAMPLE_THREADS)
sample_logits(const int* header, const float* logits, int stride, int vocabulary, const float* segments,
              const int* logitRow, const int* logitSample, const int* slot, const SlotSampling* params,
              const int* generated, int* sampledToken, float* logProbability, int* topTokens, float* topValues,
              int* status) {
    take_turn();
    __shared__ Selection at;
    int row = blockIdx.x;
    if (row >= header[HEADER_LOGIT_ROWS] || logitSample[row] < 0) {
        return;
    }
    int s = slot[logitRow[row]];
    const SlotSampling& p = params[s];
    int count = (vocabulary + SEGMENT - 1) / SEGMENT;
    const float* parts = segments + (long long)row * count * 4;
    u64 best = 0;
    bool broken = false;
    for (int i = threadIdx.x; i < count; i += SAMPLE_THREADS) {
        u64 key = key_of(parts[4 * i], (int)bits_of(parts[4 * i + 1]));
        best = key > best ? key : best;
        broken |= parts[4 * i + 3] != 0;
    }
    best = block_max64(best, at.scratch);
    Logits l = {logits + (long long)row * stride, vocabulary, logit_of(best), p.inverseTemperature};
    int outcome = __syncthreads_or(broken)               ? STATUS_NOT_FINITE
                  : l.greatest == NEGATIVE_INFINITY ? STATUS_ALL_EXCLUDED
                                                         : STATUS_FINE;
    int token = outcome == STATUS_FINE ? id_of(best) : -1;
    if (outcome == STATUS_FINE && p.inverseTemperature != 0) {
        double u = uniform(p.seed, (u64)(long long)(generated[s] + logitSample[row]));
        token = p.topK == 0 && p.topP == 1 ? draw_in_order(at, l, p.minP, u) : draw_sorted(at, l, p, u);
    }
    bool asked = p.logProbabilities >= 0 && outcome == STATUS_FINE;
    double logTotal = 0;
    if (asked) {
        // In order of the segments, by every thread.
        double total = 0;
        for (int i = 0; i < count; i++) {
            float weight = weight_of(parts[4 * i], l.greatest, 1.0f);
            total += weight > 0 ? (double)parts[4 * i + 2] * weight : 0.0;
        }
        logTotal = l.greatest + log(total);
    }
    if (threadIdx.x == 0) {
        sampledToken[row] = token;
        status[row] = outcome;
        logProbability[row] = asked ? (float)(l.row[token] - logTotal) : NOT_A_NUMBER;
    }
    if (asked && p.logProbabilities > 0) {
        take_top(at, l, min(p.logProbabilities, TOP), logTotal, topTokens + (long long)row * TOP,
                 topValues + (long long)row * TOP);
    }
}

// Bytes per row of logits asked for: 4 * vocabulary a pass, two passes, two more for alternatives.
extern "C" __global__ void __launch_bounds__(SAMPLE_THREADS)
score_logits(const int* header, const float* logits, int stride, int vocabulary, const int* logitRow,
             const int* logitScore, const int* slot, const SlotSampling* params, float* scoreLogProbability,
             int* scoreTopTokens, float* scoreTopValues) {
    take_turn();
    __shared__ Selection at;
    int row = blockIdx.x;
    if (row >= header[HEADER_LOGIT_ROWS]) {
        return;
    }
    int token = logitScore[row];
    if (token < 0) {
        if (threadIdx.x == 0) {
            scoreLogProbability[row] = NOT_A_NUMBER;
        }
        return;
    }
    Logits l = {logits + (long long)row * stride, vocabulary, 0, 1.0f};
    u64 best = 0;
    bool broken = false;
    each(l, [&](float logit, int id) {
        broken |= !(logit < float_of(0x7f800000u));
        u64 key = key_of(logit, id);
        best = key > best ? key : best;
    });
    l.greatest = logit_of(block_max64(best, at.scratch));
    bool fine = !__syncthreads_or(broken) && l.greatest > NEGATIVE_INFINITY;
    double logTotal = 0;
    if (fine) {
        u64 mass = 0;
        each(l, [&](float logit, int id) { mass += mass_of(weight_of(logit, l.greatest, 1.0f)); });
        logTotal = l.greatest + log((double)block_sum64(mass, at.scratch) * (1.0 / 8796093022208.0));
    }
    if (threadIdx.x == 0) {
        scoreLogProbability[row] = fine ? (float)(l.row[token] - logTotal) : NOT_A_NUMBER;
    }
    int wanted = fine ? min(max(params[slot[logitRow[row]]].logProbabilities, 0), TOP) : 0;
    if (params[slot[logitRow[row]]].logProbabilities > 0) {
        take_top(at, l, wanted, logTotal, scoreTopTokens + (long long)row * TOP, scoreTopValues + (long long)row * TOP);
    }
}

// A few ints per row. A draft is verified by sampling: while the token sampled before it equals it, the next position
// counts; as the draw depends on seed and count alone, tokens are those that would be sampled without drafts.
extern "C" __global__ void __launch_bounds__(128)
accept_tokens(const int* header, const int* slot, const int* flags, const int* inputStart, const int* drafts,
              const int* tokens, const int* logitStart, const int* sampledToken, const int* status,
              const SlotSampling* params, int* generated, int* lastToken, unsigned* counts, int vocabulary,
              int* accepted) {
    take_turn();
    int row = blockIdx.x * 128 + threadIdx.x;
    if (row >= header[HEADER_ROWS]) {
        return;
    }
    if (!(flags[row] & FLAG_SAMPLE)) {
        accepted[row] = 0;
        return;
    }
    int s = slot[row];
    int positions = drafts[row] + 1;
    int first = logitStart[row + 1] - positions;
    const int* inputs = tokens + inputStart[row + 1] - positions;
    int taken = 0;
    int failure = 0;
    bool more = true;
    while (more) {
        failure = status[first + taken];
        if (failure != STATUS_FINE) {
            break;
        }
        int token = sampledToken[first + taken];
        lastToken[s] = token;
        if (params[s].penalised) {
            unsigned* c = counts + (long long)s * vocabulary + token;
            *c = (*c | 0x80000000u) + 1;
        }
        taken++;
        more = taken < positions && inputs[taken] == token;
    }
    generated[s] += taken;
    accepted[row] = failure != STATUS_FINE ? -failure : taken;
}
