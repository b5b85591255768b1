// What is done to rows of activations between matrix multiplications. All of these are bound by memory (or, for the
// few rows of a decode step, by the second cache and the launch); the bytes that each must move stand before it.
// Limits: H100 3.35 TB/s, H200 4.8 TB/s. See README.md for layouts.
#include "jeton.cuh"

// ---- the step's inputs --------------------------------------------------------------------------------------------

#define TURNED (ROTARY_DIM / 2)  // pairs of a head that are turned

// Cosines and sines of a position's angles, times a factor.
DEVICE void turn(int at, const double* frequencies, double attentionFactor, float* to) {
    for (int i = threadIdx.x; i < TURNED; i += 128) {
        double sine, cosine;
        sincospi(at * frequencies[i] * 0.31830988618379067154, &sine, &cosine);
        to[i] = (float)(cosine * attentionFactor);
        to[HEAD_DIM / 2 + i] = (float)(sine * attentionFactor);
    }
}

// Bytes per token: HEAD_DIM * 4 written, a few ints read; twice that where layers with a window turn otherwise.
// Operations: HEAD_DIM / 2 double sine and cosine pairs, once per step: 8,192 tokens of 64 pairs are 0.5M pairs of about
// 60 double operations, 1 us of 34 TFLOP/s and in practice several. Angles are taken in double, as on the host: position
// * frequency in float is wrong by 0.01 at 131,072.
extern "C" __global__ void __launch_bounds__(128)
prepare_step(const int* header, const int* slot, const int* flags, const int* position, const int* inputStart,
             const int* tokens, const int* lastToken, const double* frequencies, double attentionFactor,
             const double* windowFrequencies, double windowFactor, int* tokenId, int* tokenRow, int* tokenPosition,
             float* rotary, float* windowRotary) {
    take_turn();
    int token = blockIdx.x;
    if (token >= header[HEADER_TOKENS]) {
        return;
    }
    int row = row_of(inputStart, header[HEADER_ROWS], token);
    int at = position[row] + token - inputStart[row];
    if (threadIdx.x == 0) {
        tokenId[token] = flags[row] & FLAG_LAST_TOKEN ? lastToken[slot[row]] : tokens[token];
        tokenRow[token] = row;
        tokenPosition[token] = at;
    }
    turn(at, frequencies, attentionFactor, rotary + (long long)token * HEAD_DIM);
    if (windowRotary) {
        turn(at, windowFrequencies, windowFactor, windowRotary + (long long)token * HEAD_DIM);
    }
}

// Bytes per token: hidden * (2 read + sizeof(residual) written).
extern "C" __global__ void __launch_bounds__(128)
embed(const int* header, const int* tokenId, const act* table, int hidden, float scale, residual* x) {
    take_turn();
    int token = blockIdx.x;
    if (token >= header[HEADER_TOKENS]) {
        return;
    }
    const act* from = table + (long long)tokenId[token] * hidden;
    residual* to = x + (long long)token * hidden;
    for (int i = threadIdx.x * 8; i < hidden; i += 128 * 8) {
        float v[8];
        load8(from + i, v);
        for (int j = 0; j < 8; j++) {
            v[j] *= scale;
        }
        store8(to + i, v);
    }
}

// ---- norms --------------------------------------------------------------------------------------------------------

// What a half of a layer gave for the residual stream.
struct Delta {
    const act* values;   // 0: nothing is left to be added
    const float* weight; // of the norm that it goes through first, or 0
    const int* slotOf;   // 0, or values are what experts gave, by slot, and a row's are summed
    const float* share;  // by their shares, in the order of the row's choice
    int perToken;
    const act* beside;   // what all rows went through beside experts, by row, or 0
    float besideShare;
};

// The share of what a row went through beside its experts: the sigmoid of its logit, or 1 where logits are 0.
DEVICE float beside_share(const float* logits, int stride, int row) {
    return logits ? sigmoid(logits[(long long)row * stride]) : 1.0f;
}

// Eight values of a row's delta.
DEVICE void load_delta8(const Delta& delta, int row, int i, int hidden, float* to) {
    if (!delta.slotOf) {
        load8(delta.values + (long long)row * hidden + i, to);
        return;
    }
    for (int j = 0; j < 8; j++) {
        to[j] = 0;
    }
    if (delta.beside) {
        load8(delta.beside + (long long)row * hidden + i, to);
        for (int j = 0; j < 8; j++) {
            to[j] *= delta.besideShare;
        }
    }
#pragma unroll 1
    for (int c = row * delta.perToken; c < (row + 1) * delta.perToken; c++) {
        float v[8];
        load8(delta.values + (long long)delta.slotOf[c] * hidden + i, v);
        for (int j = 0; j < 8; j++) {
            to[j] += delta.share[c] * v[j];
        }
    }
}

// Brings a row's delta to shared memory and returns what its norm multiplies it with beside the weight.
DEVICE float delta_row(const Delta& delta, int from, float epsilon, int hidden, float* row) {
    __shared__ float scratch[32];
    float sum = 0;
    for (int i = threadIdx.x * 8; i < hidden; i += 256 * 8) {
        float d[8];
        load_delta8(delta, from, i, hidden, d);
        for (int j = 0; j < 8; j++) {
            sum += d[j] * d[j];
        }
        store8(row + i, d);
    }
    return 1.0f / sqrtf(block_sum(sum, scratch) / hidden + epsilon);
}

// Brings row `from` of x (with delta added) to shared memory and returns 1 / sqrt(mean(x^2) + epsilon).
DEVICE float norm_row(const Delta& delta, residual* x, int from, bool store, float epsilon, int hidden, float* row,
                      float* scratch) {
    long long start = (long long)from * hidden;
    float inverse = delta.weight ? delta_row(delta, from, epsilon, hidden, row) : 1.0f;
    float sum = 0;
    for (int i = threadIdx.x * 8; i < hidden; i += 256 * 8) {
        float v[8];
        load8(x + start + i, v);
        if (delta.values) {
            float d[8];
            if (delta.weight) {
                float w[8];
                load8(row + i, d);
                load8(delta.weight + i, w);
                for (int j = 0; j < 8; j++) {
                    d[j] = d[j] * inverse * w[j];
                }
            } else {
                load_delta8(delta, from, i, hidden, d);
            }
            for (int j = 0; j < 8; j++) {
                v[j] += d[j];
            }
            if (store) {
                store8(x + start + i, v);
            }
        }
        for (int j = 0; j < 8; j++) {
            sum += v[j] * v[j];
        }
        store8(row + i, v);
    }
    return 1.0f / sqrtf(block_sum(sum, scratch) / hidden + epsilon);
}

// Eight weights of a norm; ones where there are none.
DEVICE void load_weight8(const float* weight, int i, float* to) {
    if (weight) {
        load8(weight + i, to);
        return;
    }
    for (int j = 0; j < 8; j++) {
        to[j] = 1.0f;
    }
}

// Bytes per row: hidden * (sizeof(residual) read, 2 more and the residual written where there is a delta, 2 written):
// with delta and an fp32 residual 12 * hidden, 0.4 GB for 8,192 rows of 4,096: 120 us on H100, 84 us on H200; a norm of
// the delta adds no bytes, since the row waits in shared memory. What experts gave is 2 * hidden for each that a token
// chose in place of the delta's, and as much again of what it went through beside them. Weights, 4 * hidden, stay in the first cache. The row is kept in shared memory, so it
// is read once, and can be given in the order that a matrix has its inputs in, for 4 * hidden bytes of it from the caches.
// Without a weight the row is given as it is: families that normalise what a half of a layer gives may take it so.
extern "C" __global__ void __launch_bounds__(256)
rms_norm(const int* header, int count, const act* delta, const float* deltaWeight, const int* slotOf,
         const float* share, int perToken, const act* beside, const float* besideLogits, int logitStride, residual* x,
         const int* rowIndex, const float* weight, float epsilon, int hidden, const int* order, act* out) {
    take_turn();
    DYNAMIC_SHARED(shared);
    __shared__ float scratch[32];
    if ((int)blockIdx.x >= count_of(header, count)) {
        return;
    }
    int from = rowIndex ? rowIndex[blockIdx.x] : blockIdx.x;
    float* row = (float*)shared;
    Delta given = {delta, deltaWeight, slotOf, share, perToken, beside, beside_share(besideLogits, logitStride, from)};
    float inverse = norm_row(given, x, from, rowIndex == 0, epsilon, hidden, row, scratch);
    inverse = weight ? inverse : 1.0f;
    act* to = out + (long long)blockIdx.x * hidden;
    for (int i = threadIdx.x * 8; i < hidden; i += 256 * 8) {
        float v[8], w[8];
        if (order) {
#pragma unroll
            for (int j = 0; j < 8; j++) {
                v[j] = row[order[i + j]];
                w[j] = weight ? weight[order[i + j]] : 1.0f;
            }
        } else {
            load8(row + i, v);
            load_weight8(weight, i, w);
        }
        for (int j = 0; j < 8; j++) {
            v[j] = v[j] * inverse * w[j];
        }
        store8(to + i, v);
    }
}

// What a row is divided by so that its greatest magnitude becomes 448, the greatest e4m3.
DEVICE float fp8_scale(float greatest) { return greatest > 0 ? greatest * (1.0f / 448.0f) : 1.0f; }

// Bytes per row: as rms_norm, with 1 instead of 2 written.
extern "C" __global__ void __launch_bounds__(256)
rms_norm_fp8(const int* header, int count, const act* delta, const float* deltaWeight, const int* slotOf,
             const float* share, int perToken, const act* beside, const float* besideLogits, int logitStride, residual* x,
             const int* rowIndex, const float* weight, float epsilon, int hidden, unsigned char* out, float* scale) {
    take_turn();
    DYNAMIC_SHARED(shared);
    __shared__ float scratch[32];
    __shared__ float scratchMax[32];
    if ((int)blockIdx.x >= count_of(header, count)) {
        return;
    }
    int from = rowIndex ? rowIndex[blockIdx.x] : blockIdx.x;
    float* row = (float*)shared;
    Delta given = {delta, deltaWeight, slotOf, share, perToken, beside, beside_share(besideLogits, logitStride, from)};
    float inverse = norm_row(given, x, from, rowIndex == 0, epsilon, hidden, row, scratch);
    inverse = weight ? inverse : 1.0f;
    float greatest = 0;
    for (int i = threadIdx.x * 8; i < hidden; i += 256 * 8) {
        float v[8], w[8];
        load8(row + i, v);
        load_weight8(weight, i, w);
        for (int j = 0; j < 8; j++) {
            v[j] = v[j] * inverse * w[j];
            greatest = fmaxf(greatest, fabsf(v[j]));
        }
        store8(row + i, v);
    }
    float by = fp8_scale(block_max(greatest, scratchMax));
    if (threadIdx.x == 0) {
        scale[blockIdx.x] = by;
    }
    for (int i = threadIdx.x * 8; i < hidden; i += 256 * 8) {
        float v[8];
        load8(row + i, v);
        for (int j = 0; j < 8; j++) {
            v[j] = v[j] / by;
        }
        store8_e4m3(out + (long long)blockIdx.x * hidden + i, v);
    }
}

// ---- rotary embedding and K, V into pages -------------------------------------------------------------------------

#define HALF (HEAD_DIM / 2)
#if HEAD_DIM % 4 == 0 && ROTARY_DIM % 4 == 0
#define LANE_WIDTH 2  // adjacent pairs that a lane takes at once
#else
#define LANE_WIDTH 1
#endif
#define LANE_STEPS ((HALF + 32 * LANE_WIDTH - 1) / (32 * LANE_WIDTH))

// The pair of a head that a lane takes first in a step.
INDEX int rotary_pair(int lane, int step) { return (lane + 32 * step) * LANE_WIDTH; }

// The two elements of pair i: turned ones lie ROTARY_DIM / 2 apart at the front of the head, and those that are not turned
// are paired behind them, half of their number apart.
INDEX int pair_low(int i) { return i < TURNED ? i : i + TURNED; }
INDEX int pair_high(int i) { return i < TURNED ? i + TURNED : i + HALF; }

DEVICE void load_pair(const act* from, float* to) {
#if LANE_WIDTH == 2
    unpack_act(*(const unsigned*)from, to);
#else
    to[0] = act_to_float(*from);
#endif
}

DEVICE void load_pair(const float* from, float* to) {
    to[0] = from[0];
    if (LANE_WIDTH == 2) {
        to[1] = from[1];
    }
}

DEVICE void store_pair(act* to, const float* from) {
#if LANE_WIDTH == 2
    *(unsigned*)to = pack_act(from[0], from[1]);
#else
    *to = float_to_act(from[0]);
#endif
}

// Stores LANE_WIDTH elements from `element` on, multiplied by `by`, as the pages' type.
DEVICE void store_kv(char* token, int element, const float* from, float by) {
#if JETON_KV <= 1
#if JETON_KV == 0
    half_bits v[2] = {float_to_bf16(from[0] * by), float_to_bf16(from[LANE_WIDTH - 1] * by)};
#else
    half_bits v[2] = {float_to_fp16(from[0] * by), float_to_fp16(from[LANE_WIDTH - 1] * by)};
#endif
    if (LANE_WIDTH == 2) {
        *(unsigned*)(token + 2 * element) = v[0] | (unsigned)v[1] << 16;
    } else {
        *(half_bits*)(token + 2 * element) = v[0];
    }
#else
#if JETON_KV == 2
    unsigned v = pack_e4m3(from[0] * by, from[LANE_WIDTH - 1] * by);
#else
    unsigned v = ((int)rintf(from[0] * by) & 0xff) | ((int)rintf(from[LANE_WIDTH - 1] * by) & 0xff) << 8;
#endif
    if (LANE_WIDTH == 2) {
        *(unsigned short*)(token + element) = (unsigned short)v;
    } else {
        *(unsigned char*)(token + element) = (unsigned char)v;
    }
#endif
}

// Of models whose heads are normalised together: the mean squares of all query heads and of all key heads of a token, with
// biases where there are any. Where other devices have the other heads, `shares` count them in, and these are to be summed.
// Bytes per token: (GROUP + 1) * kvHeads * HEAD_DIM * 2, from the second cache: what was just multiplied. MiniMax-M2: 14
// KB, 0.12 GB for 8,192 tokens, 25 us a layer on H200 if it came from memory; in a decode step the launch.
extern "C" __global__ void __launch_bounds__(256)
head_means(const int* header, const act* qkv, int qkvStride, int kvHeads, const act* bias, float queryShare,
           float keyShare, float* means) {
    take_turn();
    __shared__ float scratch[32];
    int token = blockIdx.x;
    if (token >= header[HEADER_TOKENS]) {
        return;
    }
    int part = blockIdx.y;
    int queries = GROUP * kvHeads * HEAD_DIM;
    int from = part == 0 ? 0 : queries;
    int to = part == 0 ? queries : queries + kvHeads * HEAD_DIM;
    const act* row = qkv + (long long)token * qkvStride;
    float sum = 0;
    for (int i = from + threadIdx.x * 2; i < to; i += 256 * 2) {
        float v[2];
        unpack_act(*(const unsigned*)(row + i), v);
        if (bias) {
            float b[2];
            unpack_act(*(const unsigned*)(bias + i), b);
            v[0] += b[0];
            v[1] += b[1];
        }
        sum += v[0] * v[0] + v[1] * v[1];
    }
    sum = block_sum(sum, scratch);
    if (threadIdx.x == 0) {
        means[2 * token + part] = sum * (part == 0 ? queryShare : keyShare);
    }
}

// Bytes per token: (GROUP * kvHeads + 2 * kvHeads) * HEAD_DIM * 2 read, q written back, K and V written in the pages'
// type, HEAD_DIM * 4 of angles (second cache after the first head). Llama-3.1-8B: 24 KB a token, 0.2 GB for 8,192
// tokens: 60 us on H100, 42 us on H200 per layer. A warp per head: both elements of a pair are in one lane. With means
// (head_means) norms are of all heads and have a weight for each element of each; without rotary nothing is turned.
extern "C" __global__ void __launch_bounds__(128)
rotary_append(const int* header, act* qkv, int qkvStride, int kvHeads, const act* bias, const float* queryNorm,
              const float* keyNorm, const float* means, float epsilon, const float* rotary, float growth,
              int growthContext, const int* tokenRow, const int* tokenPosition, const int* blocks,
              const int* tableStart, char* pages, long long blockBytes, float kScale, float vScale) {
    take_turn();
    int token = blockIdx.x;
    int head = blockIdx.y * 4 + threadIdx.x / 32;
    if (token >= header[HEADER_TOKENS] || head >= (GROUP + 2) * kvHeads) {
        return;
    }
    int lane = threadIdx.x % 32;
    int queries = GROUP * kvHeads;
    bool isQuery = head < queries;
    bool isValue = head >= queries + kvHeads;
    act* from = qkv + (long long)token * qkvStride + head * HEAD_DIM;
    float low[LANE_STEPS][2], high[LANE_STEPS][2];
    for (int s = 0; s < LANE_STEPS; s++) {
        int i = rotary_pair(lane, s);
        low[s][0] = low[s][1] = high[s][0] = high[s][1] = 0;
        if (i < HALF) {
            load_pair(from + pair_low(i), low[s]);
            load_pair(from + pair_high(i), high[s]);
            if (bias) {
                float b[2], c[2];
                load_pair(bias + head * HEAD_DIM + pair_low(i), b);
                load_pair(bias + head * HEAD_DIM + pair_high(i), c);
                for (int v = 0; v < LANE_WIDTH; v++) {
                    low[s][v] += b[v];
                    high[s][v] += c[v];
                }
            }
        }
    }
    const float* norm = isValue ? 0 : isQuery ? queryNorm : keyNorm;
    if (norm) {
        float sum = 0;
        for (int s = 0; s < LANE_STEPS; s++) {
            for (int v = 0; v < LANE_WIDTH; v++) {
                sum += low[s][v] * low[s][v] + high[s][v] * high[s][v];
            }
        }
        float mean = warp_sum(sum) / HEAD_DIM;
        if (means) {
            mean = means[2 * token + !isQuery];
            norm += (isQuery ? head : head - queries) * HEAD_DIM;
        }
        float inverse = 1.0f / sqrtf(mean + epsilon);
        for (int s = 0; s < LANE_STEPS; s++) {
            int i = rotary_pair(lane, s);
            if (i < HALF) {
                float w[2], u[2];
                load_pair(norm + pair_low(i), w);
                load_pair(norm + pair_high(i), u);
                for (int v = 0; v < LANE_WIDTH; v++) {
                    low[s][v] *= inverse * w[v];
                    high[s][v] *= inverse * u[v];
                }
            }
        }
    }
    if (!isValue && rotary) {
        const float* angles = rotary + (long long)token * HEAD_DIM;
        for (int s = 0; s < LANE_STEPS; s++) {
            for (int v = 0; v < LANE_WIDTH; v++) {
                int i = rotary_pair(lane, s) + v;
                if (i < TURNED) {
                    float c = angles[i];
                    float d = angles[HALF + i];
                    float a = low[s][v];
                    float b = high[s][v];
                    low[s][v] = a * c - b * d;
                    high[s][v] = b * c + a * d;
                }
            }
        }
    }
    if (isQuery) {
        float grown = query_growth(tokenPosition[token], growth, growthContext);
        for (int s = 0; s < LANE_STEPS; s++) {
            int i = rotary_pair(lane, s);
            for (int v = 0; v < LANE_WIDTH; v++) {
                low[s][v] *= grown;
                high[s][v] *= grown;
            }
            if (i < HALF) {
                store_pair(from + pair_low(i), low[s]);
                store_pair(from + pair_high(i), high[s]);
            }
        }
        return;
    }
    int at = tokenPosition[token];
    int block = blocks[tableStart[tokenRow[token]] + at / BLOCK_SIZE];
    if (block < 0) {
        return;
    }
    int kvHead = head - queries - (isValue ? kvHeads : 0);
    char* layer = pages + block * blockBytes;
    char* to = layer + kv_offset(isValue, kvHead, kvHeads, at % BLOCK_SIZE);
    float by = 1;
#if JETON_KV == 2
    by = 1.0f / (isValue ? vScale : kScale);
#elif JETON_KV == 3
    float greatest = 0;
    for (int s = 0; s < LANE_STEPS; s++) {
        for (int v = 0; v < LANE_WIDTH; v++) {
            greatest = fmaxf(greatest, fmaxf(fabsf(low[s][v]), fabsf(high[s][v])));
        }
    }
    greatest = warp_max(greatest);
    by = greatest > 0 ? 127.0f / greatest : 0.0f;
    if (lane == 0) {
        *(float*)(layer + kv_scale_offset(isValue, kvHead, kvHeads, at % BLOCK_SIZE)) = greatest * (1.0f / 127.0f);
    }
#endif
    for (int s = 0; s < LANE_STEPS; s++) {
        int i = rotary_pair(lane, s);
        if (i < HALF) {
            store_kv(to, pair_low(i), low[s], by);
            store_kv(to, pair_high(i), high[s], by);
        }
    }
    for (int i = HEAD_DIM * KV_BYTES + lane; i < HEAD_PAD * KV_BYTES; i += 32) {
        to[i] = 0;
    }
}

// ---- feed-forward -------------------------------------------------------------------------------------------------

template <int activation>
DEVICE void gate8(const act* gateUp, int width, int i, float* to) {
    float up[8];
    load8(gateUp + i, to);
    load8(gateUp + width + i, up);
    for (int j = 0; j < 8; j++) {
        to[j] = joined<activation>(to[j], up[j]);
    }
}

template <int activation>
DEVICE void gate_rows(const int* header, int count, const act* gateUp, int width, act* out) {
    take_turn();
    int i = (blockIdx.y * 256 + threadIdx.x) * 8;
    if ((int)blockIdx.x >= count_of(header, count) || i >= width) {
        return;
    }
    float v[8];
    gate8<activation>(gateUp + (long long)blockIdx.x * 2 * width, width, i, v);
    store8(out + (long long)blockIdx.x * width + i, v);
}

// Bytes per row: 6 * width. Llama-3.1-8B, 8,192 rows: 0.7 GB, 210 us on H100, 147 us on H200.
extern "C" __global__ void __launch_bounds__(256)
swiglu(const int* header, int count, const act* gateUp, int width, act* out) {
    gate_rows<ACTIVATION_SILU>(header, count, gateUp, width, out);
}

// The same with GELU's tanh form (Gemma).
extern "C" __global__ void __launch_bounds__(256)
geglu(const int* header, int count, const act* gateUp, int width, act* out) {
    gate_rows<ACTIVATION_GELU>(header, count, gateUp, width, out);
}

// The same with both bounded (gpt-oss).
extern "C" __global__ void __launch_bounds__(256)
clamped_swiglu(const int* header, int count, const act* gateUp, int width, act* out) {
    gate_rows<ACTIVATION_CLAMPED>(header, count, gateUp, width, out);
}

// Bytes per row: 5 * width. The products wait in shared memory, as act, until their greatest is known.
extern "C" __global__ void __launch_bounds__(256)
swiglu_fp8(const int* header, int count, const act* gateUp, int width, unsigned char* out, float* scale) {
    take_turn();
    DYNAMIC_SHARED(shared);
    __shared__ float scratch[32];
    if ((int)blockIdx.x >= count_of(header, count)) {
        return;
    }
    act* row = (act*)shared;
    float greatest = 0;
    for (int i = threadIdx.x * 8; i < width; i += 256 * 8) {
        float v[8];
        gate8<ACTIVATION_SILU>(gateUp + (long long)blockIdx.x * 2 * width, width, i, v);
        store8(row + i, v);
        load8(row + i, v);
        for (int j = 0; j < 8; j++) {
            greatest = fmaxf(greatest, fabsf(v[j]));
        }
    }
    float by = fp8_scale(block_max(greatest, scratch));
    if (threadIdx.x == 0) {
        scale[blockIdx.x] = by;
    }
    for (int i = threadIdx.x * 8; i < width; i += 256 * 8) {
        float v[8];
        load8(row + i, v);
        for (int j = 0; j < 8; j++) {
            v[j] = v[j] / by;
        }
        store8_e4m3(out + (long long)blockIdx.x * width + i, v);
    }
}

// Bytes per row: 4 * width.
extern "C" __global__ void __launch_bounds__(256)
add_bias(const int* header, int count, act* x, const act* bias, int width) {
    take_turn();
    if ((int)blockIdx.x >= count_of(header, count)) {
        return;
    }
    act* row = x + (long long)blockIdx.x * width;
    for (int i = threadIdx.x * 8; i < width; i += 256 * 8) {
        float v[8], b[8];
        load8(row + i, v);
        load8(bias + i, b);
        for (int j = 0; j < 8; j++) {
            v[j] += b[j];
        }
        store8(row + i, v);
    }
}

// out[row][i] = x[row][order[i]]: inputs in the order in which a matrix has them. width % 8 == 0.
// Bytes per row: 4 * width, and 4 * width of order once, all from the second cache in a decode step. 8,192 rows of 4,096:
// 0.13 GB, 28 us on H200; reads of two bytes anywhere in a row of 8 KB that the first cache holds.
extern "C" __global__ void __launch_bounds__(256)
gather_columns(const int* header, int count, const act* x, const int* order, int width, act* out) {
    take_turn();
    int i = (blockIdx.y * 256 + threadIdx.x) * 8;
    if ((int)blockIdx.x >= count_of(header, count) || i >= width) {
        return;
    }
    *(uint4*)(out + (long long)blockIdx.x * width + i) = gather8(x + (long long)blockIdx.x * width, order + i);
}

// Bytes per row: 3 * width (the second reading of the row comes from the caches).
extern "C" __global__ void __launch_bounds__(256)
quantize_fp8_rows(const int* header, int count, const act* x, int width, unsigned char* out, float* scale) {
    take_turn();
    __shared__ float scratch[32];
    if ((int)blockIdx.x >= count_of(header, count)) {
        return;
    }
    const act* row = x + (long long)blockIdx.x * width;
    float greatest = 0;
    for (int i = threadIdx.x * 8; i < width; i += 256 * 8) {
        float v[8];
        load8(row + i, v);
        for (int j = 0; j < 8; j++) {
            greatest = fmaxf(greatest, fabsf(v[j]));
        }
    }
    float by = fp8_scale(block_max(greatest, scratch));
    if (threadIdx.x == 0) {
        scale[blockIdx.x] = by;
    }
    for (int i = threadIdx.x * 8; i < width; i += 256 * 8) {
        float v[8];
        load8(row + i, v);
        for (int j = 0; j < 8; j++) {
            v[j] = v[j] / by;
        }
        store8_e4m3(out + (long long)blockIdx.x * width + i, v);
    }
}

// Bytes per row: 3 * width. For weights: rows are output channels, once a model.
extern "C" __global__ void __launch_bounds__(256)
quantize_int8_rows(const int* header, int count, const act* x, int width, signed char* out, float* scale) {
    take_turn();
    __shared__ float scratch[32];
    if ((int)blockIdx.x >= count_of(header, count)) {
        return;
    }
    const act* row = x + (long long)blockIdx.x * width;
    float greatest = 0;
    for (int i = threadIdx.x * 8; i < width; i += 256 * 8) {
        float v[8];
        load8(row + i, v);
        for (int j = 0; j < 8; j++) {
            greatest = fmaxf(greatest, fabsf(v[j]));
        }
    }
    greatest = block_max(greatest, scratch);
    float by = greatest > 0 ? greatest / 127.0f : 1.0f;
    if (threadIdx.x == 0) {
        scale[blockIdx.x] = by;
    }
    for (int i = threadIdx.x * 8; i < width; i += 256 * 8) {
        float v[8];
        load8(row + i, v);
        unsigned words[2] = {0, 0};
        for (int j = 0; j < 8; j++) {
            float to = fminf(fmaxf(rintf(v[j] / by), -127.0f), 127.0f);
            words[j / 4] |= (unsigned)((int)to & 255) << 8 * (j % 4);
        }
        *(uint2*)(out + (long long)blockIdx.x * width + i) = make_uint2(words[0], words[1]);
    }
}

// ---- conversions: bytes are those read and written ----------------------------------------------------------------

#define CONVERT(name, From, To, expression)                                                              \
    extern "C" __global__ void __launch_bounds__(256) name(const From* from, To* to, long long count) {  \
        take_turn();                                                                                     \
        long long step = (long long)gridDim.x * 256;                                                     \
        for (long long i = (long long)blockIdx.x * 256 + threadIdx.x; i < count; i += step) {            \
            From x = from[i];                                                                            \
            to[i] = expression;                                                                          \
        }                                                                                                \
    }

CONVERT(convert_f32_bf16, float, half_bits, float_to_bf16(x))
CONVERT(convert_f32_fp16, float, half_bits, float_to_fp16(x))
CONVERT(convert_bf16_f32, half_bits, float, bf16_to_float(x))
CONVERT(convert_fp16_f32, half_bits, float, fp16_to_float(x))
CONVERT(convert_bf16_fp16, half_bits, half_bits, float_to_fp16(bf16_to_float(x)))
CONVERT(convert_fp16_bf16, half_bits, half_bits, float_to_bf16(fp16_to_float(x)))
