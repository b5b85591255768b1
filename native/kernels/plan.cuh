// The work of a step's attention as a list of tiles: some query rows of one batch row, and a stretch of its context.
//
// Whoever includes this has said how: DECODE_ROWS query rows of a tile for rows of the batch with at most DECODE_LIMIT query
// rows, PREFILL_ROWS for others, which go to a list of their own.
#ifndef PLAN_CUH
#define PLAN_CUH
#include "jeton.cuh"

#define PLAN_THREADS 1024
#define PLAN_ROWS 4096
#define PREFILL_CHUNK_UNITS 8  // a prefill split is at least this many times 64 tokens

// A tile as it lies in memory.
struct Tile {
    int row;      // of the batch
    int first;    // query row = input * GROUP + head of the group
    int from;     // first token of the context; a multiple of 16
    int to;       // past the last
    int split;    // of splits
    int splits;
    int partial;  // place of this split's sums in the workspace
    int counter;  // place of the counter that the splits share
};

INDEX bool is_decode(int inputs) { return inputs == 1 || inputs * GROUP <= DECODE_LIMIT; }
INDEX int divide_up(int a, int b) { return (a + b - 1) / b; }

// First token that any of the query rows from `first` on sees, rounded down to 16; past the last that any sees.
INDEX int context_start(int position, int first, int window) {
    int start = position + first / GROUP - window + 1;
    return window > 0 && start > 0 ? start & ~15 : 0;
}
INDEX int context_end(int position, int first, int tileRows, int inputs) {
    int last = first + tileRows < inputs * GROUP ? first + tileRows : inputs * GROUP;
    return position + (last - 1) / GROUP + 1;
}

// Exclusive sum over the block's threads; *total gets the sum of all.
DEVICE int block_scan(int x, int* scratch, int* total) {
    int lane = threadIdx.x % 32;
    int warp = threadIdx.x / 32;
    int sum = x;
    for (int d = 1; d < 32; d <<= 1) {
        int other = __shfl_up_sync(ALL_LANES, sum, d);
        sum += lane >= d ? other : 0;
    }
    __syncthreads();
    if (lane == 31) {
        scratch[warp] = sum;
    }
    __syncthreads();
    int before = 0;
    int all = 0;
    for (int w = 0; w < PLAN_THREADS / 32; w++) {
        before += w < warp ? scratch[w] : 0;
        all += scratch[w];
    }
    *total = all;
    return before + sum - x;
}

// The same sum alone, which every thread gets.
DEVICE int block_total(int x, int* scratch) {
    int sum = __reduce_add_sync(ALL_LANES, x);
    __syncthreads();
    if (threadIdx.x % 32 == 0) {
        scratch[threadIdx.x / 32] = sum;
    }
    __syncthreads();
    return __reduce_add_sync(ALL_LANES, scratch[threadIdx.x % 32]);
}

struct Plan {
    const int* position;
    const int* inputStart;
    const int* tileStart;  // shared: first tile of each row before splits
    int rows;
    int window;
    int tileRows;
    int unsplit;  // tiles before splits
};

DEVICE Tile unsplit_tile(const Plan& p, int index) {
    Tile t;
    t.row = row_of(p.tileStart, p.rows, index);
    t.first = (index - p.tileStart[t.row]) * p.tileRows;
    int position = p.position[t.row];
    t.from = context_start(position, t.first, p.window);
    t.to = context_end(position, t.first, p.tileRows, p.inputStart[t.row + 1] - p.inputStart[t.row]);
    t.split = 0;
    t.splits = 1;
    return t;
}

// Tiles if contexts are cut every `chunk` tokens.
DEVICE int count_splits(const Plan& p, int chunk, int* scratch) {
    int mine = 0;
    for (int i = threadIdx.x; i < p.unsplit; i += PLAN_THREADS) {
        Tile t = unsplit_tile(p, i);
        mine += divide_up(t.to - t.from, chunk);
    }
    return block_total(mine, scratch);
}

// The smallest multiple of 64 (at least `least` times 64) with which at most `target` tiles result; without splits
// where there are that many anyway. With n tiles of u times 64 tokens together, rounded up in each, cuts every c times 64
// make at least u / c of them and less than u / c + n: that leaves few c to look among.
DEVICE int choose_chunk(const Plan& p, int target, int least, int* scratch) {
    if (p.unsplit == 0 || p.unsplit >= target) {
        return 1 << 30;
    }
    int units = count_splits(p, 64, scratch);
    int low = max(least, divide_up(units, target));
    int high = max(low, min(1 << 24, divide_up(units, target - p.unsplit)));
    while (low < high) {
        int middle = (low + high) / 2;
        if (count_splits(p, middle * 64, scratch) <= target) {
            high = middle;
        } else {
            low = middle + 1;
        }
    }
    return low * 64;
}

DEVICE int write_tiles(const Plan& p, int chunk, int most, int* tiles, int* scratch) {
    int base = 0;
    for (int start = 0; start < p.unsplit; start += PLAN_THREADS) {
        int index = start + threadIdx.x;
        Tile t;
        int splits = 0;
        if (index < p.unsplit) {
            // The last tiles of a chunk see the longest context: they come first.
            t = unsplit_tile(p, p.unsplit - 1 - index);
            splits = divide_up(t.to - t.from, chunk);
        }
        int all;
        int at = base + block_scan(splits, scratch, &all);
        base += all;
        int from = splits ? t.from : 0;
        int to = splits ? t.to : 0;
        for (int s = 0; s < splits && at + s < most; s++) {
            t.split = s;
            t.splits = splits;
            t.from = from + s * chunk;
            t.to = to - t.from < chunk ? to : t.from + chunk;
            t.partial = at + s;
            t.counter = at;
            ((Tile*)tiles)[at + s] = t;
        }
    }
    return base;
}

// Once per step and layer group: reads 12 bytes a row, writes 32 a tile; bound by its latency, some ten passes over the
// tiles (more where most of the tiles that there may be are there before any is split) with two barriers each, 8 us for a
// thousand tiles. One block.
extern "C" __global__ void __launch_bounds__(PLAN_THREADS)
plan_attention(const int* header, const int* position, const int* inputStart, int window, int decodeTarget,
               int prefillTarget, int maxDecodeTiles, int maxPrefillTiles, int* plan, int* decodeTiles,
               int* prefillTiles) {
    take_turn();
    __shared__ int decodeStart[PLAN_ROWS + 1];
    __shared__ int prefillStart[PLAN_ROWS + 1];
    __shared__ int scratch[32];
    int rows = header[HEADER_ROWS];
    int decodeBefore = 0;
    int prefillBefore = 0;
    for (int start = 0; start < rows; start += PLAN_THREADS) {
        int row = start + threadIdx.x;
        int decode = 0;
        int prefill = 0;
        if (row < rows) {
            int inputs = inputStart[row + 1] - inputStart[row];
            if (is_decode(inputs)) {
                decode = divide_up(inputs * GROUP, DECODE_ROWS);
            } else {
                prefill = divide_up(inputs * GROUP, PREFILL_ROWS);
            }
        }
        int decodeAll, prefillAll;
        int decodeAt = decodeBefore + block_scan(decode, scratch, &decodeAll);
        int prefillAt = prefillBefore + block_scan(prefill, scratch, &prefillAll);
        if (row < rows) {
            decodeStart[row] = decodeAt;
            prefillStart[row] = prefillAt;
        }
        decodeBefore += decodeAll;
        prefillBefore += prefillAll;
    }
    __syncthreads();
    Plan d = {position, inputStart, decodeStart, rows, window, DECODE_ROWS, decodeBefore};
    Plan p = {position, inputStart, prefillStart, rows, window, PREFILL_ROWS, prefillBefore};
    int decodeChunk = choose_chunk(d, decodeTarget, 1, scratch);
    int prefillChunk = choose_chunk(p, prefillTarget, PREFILL_CHUNK_UNITS, scratch);
    int decodeCount = write_tiles(d, decodeChunk, maxDecodeTiles, decodeTiles, scratch);
    int prefillCount = write_tiles(p, prefillChunk, maxPrefillTiles, prefillTiles, scratch);
    if (threadIdx.x == 0) {
        plan[0] = min(decodeCount, maxDecodeTiles);
        plan[1] = min(prefillCount, maxPrefillTiles);
        plan[2] = decodeChunk;
        plan[3] = prefillChunk;
        plan[4] = decodeCount > maxDecodeTiles || prefillCount > maxPrefillTiles;
        plan[5] = plan[6] = plan[7] = 0;
    }
}

#endif
