// Plain versions of the PTX instructions behind jeton.cuh, for kernels that run on the host. The machine below them
// (threads as fibers, barriers, shuffles) comes from the header that the build includes first; warp collectives here
// need only its __syncwarp.
//
// An asynchronous copy is made when it is waited for, no earlier, and its target is poisoned until then: a kernel that
// reads before it waited reads NaN.
#ifndef JETON_HOST_H
#define JETON_HOST_H

#include <cstring>
#include <deque>
#include <vector>

struct jeton_copy {
    void* to;
    const void* from;
    bool take;
};

struct jeton_copies {
    std::vector<jeton_copy> open;
    std::deque<std::vector<jeton_copy>> groups;
};

static jeton_copies jeton_pending[1024];
static unsigned jeton_exchange[32][32][8];
static const void* jeton_rows[32][32];

static inline void copy16_async(void* to, const void* from, bool take) {
    memset(to, 0xff, 16);
    jeton_pending[threadIdx.x].open.push_back({to, from, take});
}
static inline void copies_commit() {
    jeton_copies& mine = jeton_pending[threadIdx.x];
    mine.groups.push_back(mine.open);
    mine.open.clear();
}
template <int left>
static inline void copies_wait() {
    jeton_copies& mine = jeton_pending[threadIdx.x];
    while ((int)mine.groups.size() > left) {
        for (const jeton_copy& copy : mine.groups.front()) {
            if (copy.take) {
                memcpy(copy.to, copy.from, 16);
            } else {
                memset(copy.to, 0, 16);
            }
        }
        mine.groups.pop_front();
    }
}

static inline void jeton_load_matrices(unsigned* r, const void* row, bool transposed) {
    int warp = threadIdx.x / 32;
    int lane = threadIdx.x % 32;
    jeton_rows[warp][lane] = row;
    __syncwarp();
    for (int m = 0; m < 4; m++) {
        const void** rows = jeton_rows[warp] + 8 * m;
        if (transposed) {
            unsigned low = ((const unsigned short*)rows[lane % 4 * 2])[lane / 4];
            unsigned high = ((const unsigned short*)rows[lane % 4 * 2 + 1])[lane / 4];
            r[m] = low | high << 16;
        } else {
            r[m] = ((const unsigned*)rows[lane / 4])[lane % 4];
        }
    }
    __syncwarp();
}
static inline void load_matrices(unsigned* r, const void* row) { jeton_load_matrices(r, row, false); }
static inline void load_matrices_transposed(unsigned* r, const void* row) { jeton_load_matrices(r, row, true); }

template <float (*to_float)(unsigned short)>
static inline void jeton_mma(float* c, const unsigned* a, const unsigned* b) {
    int warp = threadIdx.x / 32;
    int lane = threadIdx.x % 32;
    unsigned(*all)[8] = jeton_exchange[warp];
    memcpy(all[lane], a, 16);
    memcpy(all[lane] + 4, b, 8);
    __syncwarp();
    for (int i = 0; i < 4; i++) {
        int row = lane / 4;
        int column = lane % 4 * 2 + i % 2;
        float sum = 0;
        for (int k = 0; k < 16; k++) {
            int owner = k % 8 / 2;
            unsigned left = all[row * 4 + owner][(k / 8) * 2 + i / 2];
            unsigned right = all[column * 4 + owner][4 + k / 8];
            sum += to_float((unsigned short)(left >> k % 2 * 16)) * to_float((unsigned short)(right >> k % 2 * 16));
        }
        c[i] += sum;
    }
    __syncwarp();
}
static inline void mma_bf16(float* c, const unsigned* a, const unsigned* b) { jeton_mma<bf16_to_float>(c, a, b); }
static inline void mma_fp16(float* c, const unsigned* a, const unsigned* b) { jeton_mma<fp16_to_float>(c, a, b); }

static inline uint4 load_once(const void* from) { return *(const uint4*)from; }
static inline float load_fresh(const float* from) { return *from; }

#endif
