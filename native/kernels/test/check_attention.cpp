// attention.cu against float64: ragged batches, block tables in any order, windows, soft-cap, splits; memory that must
// not matter is poisoned.
#include <algorithm>
#include "check.h"
#include "../attention.cu"

struct Case {
    const char* name;
    int rows, maxInputs, maxPosition, kvHeads, window;
    float softCap;
    int decodeTarget, prefillTarget;
    bool sunk;
};

static double kv_value(const char* p, int i, double scale) {
    unsigned short u;
    memcpy(&u, p + 2 * i, JETON_KV <= 1 ? 2 : 0);
    return JETON_KV == 0 ? from_bf16(u) : JETON_KV == 1 ? from_fp16(u) : JETON_KV == 2 ? from_e4m3(p[i]) * scale : (signed char)p[i] * scale;
}

static void put_kv(char* p, int i, double v) {
    if (JETON_KV == 2) {
        float f = (float)v;
        unsigned u;
        memcpy(&u, &f, 4);
        p[i] = (char)float_bits_to_e4m3(u);
    } else if (JETON_KV == 3) {
        p[i] = (char)between(-127, 127);
    } else {
        unsigned short u = JETON_KV == 0 ? to_bf16(v) : to_fp16(v);
        memcpy(p + 2 * i, &u, 2);
    }
}

static void run(const Case& c) {
    context = std::string(c.name);
    int blockCount;
    Batch b = random_batch(c.rows, c.maxInputs, c.maxPosition, c.window, blockCount);
    int tokens = b.tokenCount(), heads = GROUP * c.kvHeads, qStride = heads * HEAD_DIM + 6, outStride = heads * HEAD_DIM + 2;
    long long layerBytes = 2LL * c.kvHeads * BLOCK_SIZE * (HEAD_PAD * KV_BYTES + (JETON_KV == 3 ? 4 : 0));
    long long blockBytes = 2 * layerBytes;
    float kScale = JETON_KV == 2 ? 0.7f : 1, vScale = JETON_KV == 2 ? 1.3f : 1;
    Array<char> pool((size_t)blockCount * blockBytes);
    char* layer = pool + layerBytes;
    for (int r = 0; r < b.rows; r++) {
        int length = b.position[r] + b.inputStart[r + 1] - b.inputStart[r];
        for (int t = 0; t < length; t++) {
            int block = b.blockOf(r, t);
            if (block < 0) continue;
            for (int kv = 0; kv < 2; kv++) {
                for (int h = 0; h < c.kvHeads; h++) {
                    char* p = layer + block * blockBytes + ((size_t)(kv * c.kvHeads + h) * BLOCK_SIZE + t % BLOCK_SIZE) * HEAD_PAD * KV_BYTES;
                    memset(p, 0, HEAD_PAD * KV_BYTES);
                    for (int i = 0; i < HEAD_DIM; i++) put_kv(p, i, normal());
                    if (JETON_KV == 3) {
                        float s = (float)(std::exp(normal() * 0.3) / 60);
                        memcpy(layer + block * blockBytes + 2LL * c.kvHeads * BLOCK_SIZE * HEAD_PAD + ((kv * c.kvHeads + h) * BLOCK_SIZE + t % BLOCK_SIZE) * 4, &s, 4);
                    }
                }
            }
        }
    }
    std::vector<act> q0 = random_acts((size_t)tokens * qStride, 1.5);
    Array<act> q(q0), out((size_t)tokens * outStride);
    Array<int> header(b.header), position(b.position), start(b.inputStart), blocks(b.blocks), table(b.tableStart);
    int maxDecode = std::max(c.decodeTarget, c.rows * std::max(divide_up(GROUP, 16), 2));
    int maxPrefill = std::max(c.prefillTarget, c.rows + tokens * GROUP / PREFILL_ROWS);
    Array<int> plan(8), decodeTiles((size_t)maxDecode * 8), prefillTiles((size_t)maxPrefill * 8);
    RUN(GRID(1), PLAN_THREADS, 0, plan_attention, header, position, start, c.window, c.decodeTarget, c.prefillTarget, maxDecode, maxPrefill, plan, decodeTiles, prefillTiles);
    EXPECT(plan[4] == 0, "plan error; %d and %d tiles", plan[0], plan[1]);
    // Contexts are cut as rarely as tiles allow.
    for (int kind = 0; kind < 2; kind++) {
        int rowsOfTile = kind ? PREFILL_ROWS : DECODE_ROWS, target = kind ? c.prefillTarget : c.decodeTarget, unsplit = 0;
        std::vector<int> lengths;
        for (int r = 0; r < b.rows; r++) {
            int inputs = b.inputStart[r + 1] - b.inputStart[r];
            for (int first = 0; is_decode(inputs) != (kind == 1) && first < inputs * GROUP; first += rowsOfTile, unsplit++) {
                lengths.push_back(context_end(b.position[r], first, rowsOfTile, inputs) - context_start(b.position[r], first, c.window));
            }
        }
        int chunk = 64 * (kind ? PREFILL_CHUNK_UNITS : 1);
        auto tiles = [&] { return std::accumulate(lengths.begin(), lengths.end(), 0, [&](int sum, int length) { return sum + divide_up(length, chunk); }); };
        while (unsplit < target && tiles() > target) chunk += 64;
        EXPECT(unsplit == 0 || unsplit >= target ? plan[2 + kind] == 1 << 30 : plan[2 + kind] == chunk, "chunk %d and not %d", plan[2 + kind], chunk);
    }
    int most[2] = {0, 0};
    // Every query row's context is covered exactly once.
    std::vector<int> covered((size_t)tokens * GROUP, 0);
    for (int kind = 0; kind < 2; kind++) {
        for (int i = 0; i < plan[kind]; i++) {
            const Tile& t = ((const Tile*)(kind ? prefillTiles.data() : decodeTiles.data()))[i];
            most[kind] = std::max(most[kind], t.splits);
            int rows = (b.inputStart[t.row + 1] - b.inputStart[t.row]) * GROUP;
            EXPECT(t.from % 16 == 0 && t.from < t.to && t.split < t.splits, "tile %d: %d to %d", i, t.from, t.to);
            for (int r = t.first; r < std::min(rows, t.first + (kind ? PREFILL_ROWS : DECODE_ROWS)); r++) {
                int at = b.position[t.row] + r / GROUP;
                int low = c.window ? std::max(0, at - c.window + 1) : 0;
                covered[(size_t)b.inputStart[t.row] * GROUP + r] += std::max(0, std::min(at + 1, t.to) - std::max(low, t.from));
            }
        }
    }
    for (int r = 0; r < b.rows; r++) {
        for (int i = b.inputStart[r]; i < b.inputStart[r + 1]; i++) {
            int at = b.position[r] + i - b.inputStart[r];
            int want = c.window ? std::min(c.window, at + 1) : at + 1;
            for (int g = 0; g < GROUP; g++) EXPECT(covered[(size_t)i * GROUP + g] == want, "input %d covers %d of %d", i, covered[(size_t)i * GROUP + g], want);
        }
    }
    size_t dp = (size_t)c.decodeTarget * c.kvHeads, pp = (size_t)c.prefillTarget * c.kvHeads;
    Array<float> dOut(dp * DECODE_ROWS * HEAD_PAD), dSum(dp * DECODE_ROWS * 2), pOut(pp * PREFILL_ROWS * HEAD_PAD), pSum(pp * PREFILL_ROWS * 2);
    Array<int> dCounters(std::vector<int>(dp, 0)), pCounters(std::vector<int>(pp, 0));
    float scale = 1 / std::sqrt((float)HEAD_DIM);
    // one that leaves nothing of a head, one that changes nothing, others about as great as scores
    std::vector<float> s0(heads);
    for (int h = 0; h < heads; h++) s0[h] = (float)(h % 9 == 5 ? 300 : h % 9 == 7 ? -300 : 2 + 3 * normal());
    Array<float> sinks(s0);
    const float* dSinks = c.sunk ? sinks.data() : nullptr;
    RUN(GRID(plan[0] + 3, c.kvHeads), DECODE_WARPS * 32, DECODE_SHARED_BYTES, attention_decode, plan, decodeTiles, q, qStride, layer, blockBytes, blocks, table,
        position, start, dSinks, scale, c.softCap, c.window, kScale, vScale, dOut, dSum, dCounters, out, outStride);
    RUN(GRID(plan[1] + 3, c.kvHeads), PREFILL_WARPS * 32, PREFILL_SHARED_BYTES, attention_prefill, plan, prefillTiles, q, qStride, layer, blockBytes, blocks, table,
        position, start, dSinks, scale, c.softCap, c.window, kScale, vScale, pOut, pSum, pCounters, out, outStride);
    for (size_t i = 0; i < dp; i++) EXPECT(dCounters[i] == 0, "decode counter %zu is %d", i, dCounters[i]);
    for (size_t i = 0; i < pp; i++) EXPECT(pCounters[i] == 0, "prefill counter %zu is %d", i, pCounters[i]);
    double worst = 0;
    for (int r = 0; r < b.rows; r++) {
        for (int i = b.inputStart[r]; i < b.inputStart[r + 1]; i++) {
            int at = b.position[r] + i - b.inputStart[r], low = c.window ? std::max(0, at - c.window + 1) : 0;
            for (int h = 0; h < heads; h++) {
                std::vector<double> weight, o(HEAD_DIM, 0), magnitude(HEAD_DIM, 0);
                double greatest = -1e300, sum = 0;
                for (int t = low; t <= at; t++) {
                    const char* base = layer + b.blockOf(r, t) * blockBytes;
                    size_t place = ((size_t)(h / GROUP) * BLOCK_SIZE + t % BLOCK_SIZE);
                    float s8 = kScale;
                    if (JETON_KV == 3) memcpy(&s8, base + 2LL * c.kvHeads * BLOCK_SIZE * HEAD_PAD + place * 4, 4);
                    double s = 0;
                    for (int e = 0; e < HEAD_DIM; e++) s += from_act(q0[(size_t)i * qStride + h * HEAD_DIM + e]) * kv_value(base + place * HEAD_PAD * KV_BYTES, e, s8);
                    s *= scale;
                    if (c.softCap > 0) s = c.softCap * std::tanh(s / c.softCap);
                    weight.push_back(s);
                    greatest = std::max(greatest, s);
                }
                if (c.sunk) greatest = std::max(greatest, (double)s0[h]), sum = std::exp(s0[h] - greatest);
                for (double& w : weight) w = std::exp(w - greatest), sum += w;
                for (int t = low; t <= at; t++) {
                    const char* base = layer + b.blockOf(r, t) * blockBytes;
                    size_t place = ((size_t)(c.kvHeads + h / GROUP) * BLOCK_SIZE + t % BLOCK_SIZE);
                    float s8 = vScale;
                    if (JETON_KV == 3) memcpy(&s8, base + 2LL * c.kvHeads * BLOCK_SIZE * HEAD_PAD + place * 4, 4);
                    for (int e = 0; e < HEAD_DIM; e++) {
                        double v = weight[t - low] / sum * kv_value(base + place * HEAD_PAD * KV_BYTES, e, s8);
                        o[e] += v, magnitude[e] += std::fabs(v);
                    }
                }
                for (int e = 0; e < HEAD_DIM; e++) {
                    double got = from_act(out[(size_t)i * outStride + h * HEAD_DIM + e]);
                    double tolerance = magnitude[e] * (JETON_KV == 0 ? JETON_TYPE == 0 ? 1.0 / 200 : 1.0 / 50 : 1.0 / 800) + std::fabs(o[e]) * ACT_EPSILON + 1e-5;
                    worst = std::max(worst, std::fabs(got - o[e]) / tolerance);
                    expect_near(got, o[e], tolerance, "out", (long long)i * 100000 + h * 1000 + e);
                }
            }
            for (int e = heads * HEAD_DIM; e < outStride; e++) EXPECT(out[(size_t)i * outStride + e] == 0xffff, "wrote between rows");
        }
    }
    printf("  %-10s %3d decode tiles in up to %d splits, %3d prefill in %d, error %.2f of the tolerance\n", c.name, plan[0], most[0], plan[1], most[1], worst);
}

int main() {
    run({"decode", 5, 1, 200, 2, 0, 0, 1, 1});
    run({"sinks", 5, 1, 200, 2, 0, 0, 1, 1, true});
    run({"sunk split", 3, 1, 700, 2, 0, 0, 20, 1, true});
    run({"sunk mixed", 6, 40, 300, 2, 37, 0, 12, 9, true});
    run({"sunk long", 3, 60, 1500, 1, 0, 0, 8, 12, true});
    run({"sunk chunk", 2, 150, 200, 2, 128, 0, 4, 2, true});
    run({"one", 1, 1, 0, 1, 0, 0, 4, 4});
    run({"split", 3, 1, 700, 2, 0, 0, 20, 1});
    run({"mixed", 6, 40, 90, 2, 0, 0, 9, 2});
    run({"window", 6, 50, 300, 1, 37, 0, 12, 9});
    run({"cap", 4, 30, 100, 1, 0, 5, 7, 5});
    run({"drafts", 7, 32 / GROUP + 1, 130, 1, 0, 0, 30, 2});
    run({"chunk", 2, 150, 1200, 1, 0, 0, 4, 8});
    run({"long", 4, 60, 2500, 1, 0, 0, 8, 12});
    run({"wide", 3, 120, 900, 1, 300, 0, 8, 12});
    run({"narrow", 3, 90, 600, 1, 5, 30, 24, 6});
    return report("attention");
}
