// Copies of whole KV blocks.
#include "jeton.cuh"

// Bytes: 2 * count * blockBytes. Within the device bound by its memory (H100 3.35 TB/s), to or from mapped host
// memory by the bus (PCIe 5 x16: 64 GB/s each way); four loads of 16 bytes per thread are under way at once.
extern "C" __global__ void __launch_bounds__(256)
copy_blocks(const char* from, char* to, const int* fromBlock, const int* toBlock, int count, long long blockBytes) {
    take_turn();
    if ((int)blockIdx.x >= count) {
        return;
    }
    const uint4* source = (const uint4*)(from + fromBlock[blockIdx.x] * blockBytes);
    uint4* target = (uint4*)(to + toBlock[blockIdx.x] * blockBytes);
    long long vectors = blockBytes / 16;
    long long step = (long long)gridDim.y * 1024;
    for (long long base = blockIdx.y * 1024LL; base < vectors; base += step) {
        uint4 v[4];
#pragma unroll
        for (int j = 0; j < 4; j++) {
            long long i = base + j * 256 + threadIdx.x;
            if (i < vectors) {
                v[j] = load_once(source + i);
            }
        }
#pragma unroll
        for (int j = 0; j < 4; j++) {
            long long i = base + j * 256 + threadIdx.x;
            if (i < vectors) {
                target[i] = v[j];
            }
        }
    }
}
