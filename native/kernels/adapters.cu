// What low-rank adapters add to a product: y[t] += B (A x[t]), of each token by its own row's adapter (Hu et al., LoRA;
// many adapters in one step: Chen et al., Punica). Two kernels: u = A x, then y += B u. Tokens go by tiles of sixteen on
// tensor cores. A tile is passed over once for each adapter that is in it, all sixteen rows together, of which only that
// adapter's are kept: a chunk of a prompt has one, and of a step of sixteen sequences with an adapter each all A and B
// must be read anyway. Tiles without adapters end at once.
//
// Bytes of a step: A and B of the adapters that are in it, 2 * rank * (inputs + outputs) each, and again for every
// further tile with them, from the second cache; 2 * (inputs + 2 * outputs) a token. An 8B model and rank 16: 120 MB an
// adapter, 25 us on H200, beside 16 GB of weights. Operations: 2 * rank * (inputs + outputs) a token (and as many for
// every other adapter of its tile): a prompt of 8,192 tokens 0.7 TFLOP, beside 140 of the model.
//
// Launches: eight a layer. In a step of few tokens each is a few us long, most of it latency: with 32 layers 0.5 to 1 ms
// beside 4 ms of an 8B model in bf16. A step without adapters has none of them.
#include "jeton.cuh"

#define TILE 16     // tokens
#define WARPS 4     // of a block, in both
#define RANKS 8     // ranks of a block of low_rank_in
#define OUTPUTS 128 // outputs of a block of low_rank_out: 32 a warp
#define PIECE 64    // ranks of u that are in shared memory at a time

// One adapter's part of one product; a and b are 0 where it leaves that alone.
struct LowRank {
    const act* a;       // [rank][inputs]
    const act* b;       // [outputs][rank]
    const float* scale; // [rank], what u is multiplied with
    int rank;           // a multiple of 16; rows of a, and columns of b, beyond an adapter's own are zeros
    int unused;
};

// The adapters of a tile's tokens, to shared memory; -1 past the end, 0 for none. Whether there is any.
DEVICE bool tile_adapters(const int* tokenRow, const int* adapterOfRow, int first, int tokens, int* adapters) {
    int mine = 0;
    if (threadIdx.x < TILE) {
        int token = first + threadIdx.x;
        mine = token < tokens ? adapterOfRow[tokenRow[token]] : -1;
        adapters[threadIdx.x] = mine;
    }
    return __syncthreads_or(mine > 0);
}

// Whether a tile is passed over for the adapter of its i-th token: at the first token that has it.
DEVICE bool first_of_its_kind(const int* adapters, int i) {
    if (adapters[i] <= 0) {
        return false;
    }
    for (int j = 0; j < i; j++) {
        if (adapters[j] == adapters[i]) {
            return false;
        }
    }
    return true;
}

// u[split][token][rank] = the split's part of sum over k of a[rank][k] * x[token][k]. A block makes eight ranks of a tile
// from every splits-th piece of 32 inputs; the split that a block has, and its eight ranks, are in blockIdx.y. A lane
// loads 16 bytes of a row of x and of a row of a, eight inputs in a row: which of them a step of mma takes for which k is
// the same on both sides, so their order does not matter. inputs % 8 == 0.
extern "C" __global__ void __launch_bounds__(32 * WARPS)
low_rank_in(const int* header, const int* tokenRow, const int* adapterOfRow, const LowRank* adapters, const act* x,
            int inputs, int splits, float* u, int uStride, long long uSplit) {
    take_turn();
    __shared__ int inTile[TILE];
    __shared__ float sums[WARPS][TILE][RANKS];
    int first = blockIdx.x * TILE;
    int tokens = header[HEADER_TOKENS];
    if (first >= tokens || !tile_adapters(tokenRow, adapterOfRow, first, tokens, inTile)) {
        return;
    }
    int split = blockIdx.y % splits;
    int rank = blockIdx.y / splits * RANKS;
    int warp = threadIdx.x / 32;
    int group = threadIdx.x % 32 / 4;
    int lane = threadIdx.x % 4;
    int low = inTile[group];
    int high = inTile[group + 8];
#pragma unroll 1
    for (int i = 0; i < TILE; i++) {
        if (!first_of_its_kind(inTile, i)) {
            continue;
        }
        int adapter = inTile[i];
        const LowRank of = adapters[adapter - 1];
        if (rank >= of.rank) {
            continue;
        }
        const act* a = of.a + (long long)(rank + group) * inputs;
        const act* xLow = x + (long long)(first + group) * inputs;
        const act* xHigh = xLow + 8LL * inputs;
        float c[4] = {0, 0, 0, 0};
#pragma unroll 4
        for (int k = (split * WARPS + warp) * 32 + lane * 8; k - lane * 8 < inputs; k += splits * WARPS * 32) {
            uint4 none = make_uint4(0, 0, 0, 0);
            uint4 w = k < inputs ? *(const uint4*)(a + k) : none;
            uint4 l = k < inputs && low == adapter ? *(const uint4*)(xLow + k) : none;
            uint4 h = k < inputs && high == adapter ? *(const uint4*)(xHigh + k) : none;
            unsigned x0[4] = {l.x, h.x, l.y, h.y};
            unsigned w0[2] = {w.x, w.y};
            mma_act(c, x0, w0);
            unsigned x1[4] = {l.z, h.z, l.w, h.w};
            unsigned w1[2] = {w.z, w.w};
            mma_act(c, x1, w1);
        }
        sums[warp][group][2 * lane] = c[0];
        sums[warp][group][2 * lane + 1] = c[1];
        sums[warp][group + 8][2 * lane] = c[2];
        sums[warp][group + 8][2 * lane + 1] = c[3];
        __syncthreads();
        int token = threadIdx.x / RANKS;
        int r = threadIdx.x % RANKS;
        if (inTile[token] == adapter) {
            float sum = 0;
            for (int w = 0; w < WARPS; w++) {
                sum += sums[w][token][r];
            }
            u[split * uSplit + (long long)(first + token) * uStride + rank + r] = sum * of.scale[rank + r];
        }
        __syncthreads();
    }
}

// y[token][n] += sum over ranks of b[n][rank] * u[token][rank], where u is the sum of its splits, rounded to sixteen
// bits. A block has a tile and 128 outputs. outputs % 8 == 0.
extern "C" __global__ void __launch_bounds__(32 * WARPS)
low_rank_out(const int* header, const int* tokenRow, const int* adapterOfRow, const LowRank* adapters, const float* u,
             int uStride, long long uSplit, int splits, act* y, int outputs) {
    take_turn();
    __shared__ int inTile[TILE];
    __shared__ __align__(16) act pieces[TILE][PIECE + 8];
    int first = blockIdx.x * TILE;
    int tokens = header[HEADER_TOKENS];
    if (first >= tokens || !tile_adapters(tokenRow, adapterOfRow, first, tokens, inTile)) {
        return;
    }
    int warp = threadIdx.x / 32;
    int group = threadIdx.x % 32 / 4;
    int lane = threadIdx.x % 4;
    int n = blockIdx.y * OUTPUTS + warp * 32;
#pragma unroll 1
    for (int i = 0; i < TILE; i++) {
        if (!first_of_its_kind(inTile, i)) {
            continue;
        }
        int adapter = inTile[i];
        const LowRank of = adapters[adapter - 1];
        float c[4][4];
        for (int j = 0; j < 16; j++) {
            c[j / 4][j % 4] = 0;
        }
#pragma unroll 1
        for (int from = 0; from < of.rank; from += PIECE) {
            int count = min(PIECE, of.rank - from);
            for (int j = threadIdx.x; j < TILE * PIECE; j += 32 * WARPS) {
                int token = j / PIECE;
                int r = j % PIECE;
                float sum = 0;
                if (r < count && inTile[token] == adapter) {
                    const float* part = u + (long long)(first + token) * uStride + from + r;
                    for (int s = 0; s < splits; s++) {
                        sum += part[s * uSplit];
                    }
                }
                pieces[token][r] = float_to_act(sum);
            }
            __syncthreads();
            for (int k = 0; k < count; k += 16) {
                unsigned a[4];
                a[0] = *(const unsigned*)&pieces[group][k + 2 * lane];
                a[1] = *(const unsigned*)&pieces[group + 8][k + 2 * lane];
                a[2] = *(const unsigned*)&pieces[group][k + 8 + 2 * lane];
                a[3] = *(const unsigned*)&pieces[group + 8][k + 8 + 2 * lane];
                for (int j = 0; j < 4; j++) {
                    int out = n + j * 8 + group;
                    const act* b = of.b + (long long)out * of.rank + from + k + 2 * lane;
                    unsigned w[2];
                    w[0] = out < outputs ? *(const unsigned*)b : 0;
                    w[1] = out < outputs ? *(const unsigned*)(b + 8) : 0;
                    mma_act(c[j], a, w);
                }
            }
            __syncthreads();
        }
        for (int j = 0; j < 4; j++) {
            int column = n + j * 8 + 2 * lane;
            for (int half = 0; half < 2; half++) {
                int token = group + 8 * half;
                if (of.rank > 0 && column < outputs && inTile[token] == adapter) {
                    unsigned* to = (unsigned*)(y + (long long)(first + token) * outputs + column);
                    float had[2];
                    unpack_act(*to, had);
                    *to = pack_act(had[0] + c[j][2 * half], had[1] + c[j][2 * half + 1]);
                }
            }
        }
    }
}
