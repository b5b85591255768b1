// What a GPU computes beside its part of a model where others have the rest.
#include "jeton.cuh"

// Logits as they were gathered, those of rank 0 for all rows, then those of rank 1 and so on, become rows. Four of a
// thread; none crosses ranks, since width is a multiple of 8.
// Bytes per row: 8 * stride: 256 rows of 128,256 logits 0.26 GB, 80 us on H100; 1 row from the second cache.
extern "C" __global__ void __launch_bounds__(256)
order_logits(const int* header, int count, const float* parts, int rows, int width, float* logits, int stride) {
    take_turn();
    int row = blockIdx.x;
    int column = (blockIdx.y * 256 + threadIdx.x) * 4;
    if (row >= count_of(header, count) || row >= rows || column >= stride) {
        return;
    }
    int rank = column / width;
    const float* from = parts + ((long long)rank * rows + row) * width + column % width;
    *(float4*)(logits + (long long)row * stride + column) = *(const float4*)from;
}

// A token's sum of what its experts gave, by its shares, and of what it went through beside them (0: nothing), by the
// sigmoid of its logit where there are any: what a rank adds to the sum over ranks.
// Bytes per token: 2 * hidden * (perToken read, 1 more with what is beside, 1 written); bound by the second cache, where given lies in decode steps.
extern "C" __global__ void __launch_bounds__(256)
combine_experts(const int* header, int count, const act* given, const int* slotOf, const float* share, int perToken,
                const act* beside, const float* besideLogits, int logitStride, int hidden, act* out) {
    take_turn();
    int token = blockIdx.x;
    if (token >= count_of(header, count)) {
        return;
    }
    float besideShare = besideLogits ? sigmoid(besideLogits[(long long)token * logitStride]) : 1.0f;
    for (int i = threadIdx.x * 8; i < hidden; i += 256 * 8) {
        float sum[8];
        for (int j = 0; j < 8; j++) {
            sum[j] = 0;
        }
        if (beside) {
            load8(beside + (long long)token * hidden + i, sum);
            for (int j = 0; j < 8; j++) {
                sum[j] *= besideShare;
            }
        }
#pragma unroll 1
        for (int c = token * perToken; c < (token + 1) * perToken; c++) {
            float v[8];
            load8(given + (long long)slotOf[c] * hidden + i, v);
            for (int j = 0; j < 8; j++) {
                sum[j] += share[c] * v[j];
            }
        }
        store8(out + (long long)token * hidden + i, sum);
    }
}
