// latent.cu against float64: ragged batches, block tables in any order, splits; memory that must not matter is poisoned.
#include <algorithm>
#include "check.h"
#include "../latent.cu"

struct Case {
    const char* name;
    int rows, maxInputs, maxPosition, queryRank, target;
};

static double turned(const std::vector<double>& x, int at, int i, double position, const std::vector<double>& freq, double factor) {
    int pair = LATENT_PAIRED ? i / 2 : i % TURNED;
    bool second = LATENT_PAIRED ? i % 2 : i >= TURNED;
    double c = std::cos(position * freq[pair]) * factor, s = std::sin(position * freq[pair]) * factor;
    double a = x[at + first_of_pair(pair)], b = x[at + second_of_pair(pair)];
    return second ? b * c + a * s : a * c - b * s;
}

static void expect_row(const act* got, const std::vector<double>& want, double epsilon, const char* what, int at) {
    double norm = 0;
    for (double v : want) norm = std::max(norm, std::fabs(v));
    for (size_t i = 0; i < want.size(); i++) {
        expect_near(from_act(got[i]), want[i], std::fabs(want[i]) * ACT_EPSILON * epsilon + 1e-5 * norm, what, at * 10000LL + i);
    }
}

static void run(const Case& c) {
    context = std::string(c.name);
    int blockCount;
    Batch b = random_batch(c.rows, c.maxInputs, c.maxPosition, 0, blockCount);
    int tokens = b.tokenCount(), width = c.queryRank + LATENT_RANK + ROTARY_DIM, stride = width + 8;
    std::vector<act> x0 = random_acts((size_t)tokens * stride), q0 = random_acts((size_t)tokens * GROUP * HEAD_DIM, 1.2);
    std::vector<float> queryNorm(c.queryRank + 1), norm(LATENT_RANK), angles((size_t)tokens * HEAD_DIM, NAN);
    for (float& v : queryNorm) v = (float)(1 + 0.2 * normal());
    for (float& v : norm) v = (float)(1 + 0.2 * normal());
    std::vector<double> freq(TURNED);
    for (int i = 0; i < TURNED; i++) freq[i] = std::pow(10000.0, -2.0 * i / ROTARY_DIM);
    double factor = 1.1;
    std::vector<int> tokenRow(tokens), tokenPosition(tokens);
    for (int r = 0; r < b.rows; r++) {
        for (int t = b.inputStart[r]; t < b.inputStart[r + 1]; t++) {
            tokenRow[t] = r;
            tokenPosition[t] = b.position[r] + t - b.inputStart[r];
            for (int i = 0; i < TURNED; i++) {
                angles[(size_t)t * HEAD_DIM + i] = (float)(std::cos(tokenPosition[t] * freq[i]) * factor);
                angles[(size_t)t * HEAD_DIM + HEAD_DIM / 2 + i] = (float)(std::sin(tokenPosition[t] * freq[i]) * factor);
            }
        }
    }
    // Two layers' pages; those of tokens before the step are filled, all else is poison.
    long long layerBytes = (long long)BLOCK_SIZE * KEY_BYTES, blockBytes = 2 * layerBytes;
    Array<char> pool((size_t)blockCount * blockBytes);
    char* layer = pool + layerBytes;
    for (int r = 0; r < b.rows; r++) {
        for (int t = 0; t < b.position[r]; t++) {
            act* p = (act*)(layer + b.blockOf(r, t) * blockBytes + t % BLOCK_SIZE * KEY_BYTES);
            for (int i = 0; i < KEY_PAD; i++) p[i] = i < LATENT_RANK || (i >= RANK_PAD && i < RANK_PAD + ROTARY_DIM) ? to_act(normal()) : 0;
        }
    }
    std::vector<char> before(pool.data(), pool.data() + (size_t)blockCount * blockBytes);
    Array<int> header(b.header), position(b.position), start(b.inputStart), blocks(b.blocks), table(b.tableStart), row(tokenRow), places(tokenPosition);
    Array<act> x(x0), queries(q0), narrow((size_t)tokens * c.queryRank + 1), absorbed((size_t)tokens * GROUP * KEY_PAD), out((size_t)tokens * GROUP * RANK_PAD);
    Array<float> qn(queryNorm), n(norm), rotary(angles);
    RUN(GRID(tokens + 2), 128, 0, latent_append, header, x, stride, c.queryRank, qn, n, 1e-6f, 0.3f, 5, rotary, row, places, blocks, table, layer, blockBytes, narrow);
    RUN(GRID(tokens + 2), 128, 0, latent_turn, header, queries, rotary, absorbed);
    for (int t = 0; t < tokens; t++) {
        std::vector<double> of(width);
        for (int i = 0; i < width; i++) of[i] = from_act(x0[(size_t)t * stride + i]);
        double square = 0, latent = 0;
        for (int i = 0; i < width; i++) (i < c.queryRank ? square : latent) += i < c.queryRank + LATENT_RANK ? of[i] * of[i] : 0;
        std::vector<double> q(c.queryRank), key(KEY_PAD, 0);
        for (int i = 0; i < c.queryRank; i++) q[i] = of[i] / std::sqrt(square / c.queryRank + 1e-6) * queryNorm[i] * (1 + (double)0.3f * std::log(1 + tokenPosition[t] / 5));
        for (int i = 0; i < LATENT_RANK; i++) key[i] = of[c.queryRank + i] / std::sqrt(latent / LATENT_RANK + 1e-6) * norm[i];
        for (int i = 0; i < ROTARY_DIM; i++) key[RANK_PAD + i] = turned(of, c.queryRank + LATENT_RANK, i, tokenPosition[t], freq, factor);
        expect_row(narrow + (size_t)t * c.queryRank, q, 1, "narrow", t);
        act* p = (act*)(layer + b.blockOf(tokenRow[t], tokenPosition[t]) * blockBytes + tokenPosition[t] % BLOCK_SIZE * KEY_BYTES);
        expect_row(p, key, 1, "page", t);
        memcpy(before.data() + ((char*)p - pool.data()), p, KEY_BYTES);
        for (int h = 0; h < GROUP; h++) {
            act* to = absorbed + ((size_t)t * GROUP + h) * KEY_PAD;
            std::vector<double> head(HEAD_DIM), end(KEY_PAD - RANK_PAD, 0);
            for (int i = 0; i < HEAD_DIM; i++) head[i] = from_act(q0[((size_t)t * GROUP + h) * HEAD_DIM + i]);
            for (int i = 0; i < ROTARY_DIM; i++) end[i] = turned(head, PLAIN, i, tokenPosition[t], freq, factor);
            expect_row(to + RANK_PAD, end, 1, "turned", t * GROUP + h);
            for (int i = 0; i < RANK_PAD; i++) EXPECT(to[i] == (i < LATENT_RANK ? 0xffff : 0), "turned wrote at %d", i);
            for (int i = 0; i < LATENT_RANK; i++) to[i] = to_act(normal() * 0.4);
        }
    }
    EXPECT(memcmp(before.data(), pool.data(), before.size()) == 0, "wrote elsewhere in pages");

    for (int tileRows : {16, 128}) {
        int most = GROUP * divide_up(tokens, tileRows);
        Array<int> plan(8), tiles((size_t)most * 4), rows((size_t)tokens * GROUP);
        RUN(GRID(3), 256, 0, plan_heads, header, tileRows, plan, tiles, rows);
        EXPECT(plan[0] == most && plan[1] == tokens * GROUP, "%d tiles of %d slots", plan[0], plan[1]);
        std::vector<int> seen((size_t)tokens * GROUP, -1);
        for (int i = 0; i < most; i++) {
            const int* tile = tiles + 4 * i;
            EXPECT(tile[2] > 0 && tile[2] <= tileRows, "tile of %d", tile[2]);
            for (int s = tile[1]; s < tile[1] + tile[2]; s++) seen[rows[s]] = tile[0];
        }
        for (int i = 0; i < tokens * GROUP; i++) EXPECT(seen[i] == i % GROUP, "row %d is of head %d", i, seen[i]);
    }

    int maxTiles = std::max(c.target, c.rows + tokens * GROUP / LATENT_ROWS);
    Array<int> plan(8), tiles((size_t)maxTiles * 8), none(8);
    RUN(GRID(1), PLAN_THREADS, 0, plan_attention, header, position, start, 0, c.target, 1, maxTiles, 0, plan, tiles, none);
    EXPECT(plan[4] == 0 && plan[1] == 0, "plan error; %d and %d tiles", plan[0], plan[1]);
    int splits = 0;
    for (int i = 0; i < plan[0]; i++) splits = std::max(splits, ((const Tile*)tiles.data())[i].splits);
    Array<float> partialOut((size_t)c.target * LATENT_ROWS * RANK_PAD), partialSum((size_t)c.target * LATENT_ROWS * 2);
    Array<int> counters(std::vector<int>(c.target, 0));
    float scale = 1 / std::sqrt((float)HEAD_DIM);
    RUN(GRID(plan[0] + 2), LATENT_THREADS, LATENT_SHARED_BYTES, attention_latent, plan, tiles, absorbed, layer, blockBytes, blocks, table, position, start, scale,
        partialOut, partialSum, counters, out);
    for (int i = 0; i < c.target; i++) EXPECT(counters[i] == 0, "counter %d is %d", i, counters[i]);
    double worst = 0;
    for (int t = 0; t < tokens; t++) {
        int r = tokenRow[t], at = tokenPosition[t];
        for (int h = 0; h < GROUP; h++) {
            const act* q = absorbed + ((size_t)t * GROUP + h) * KEY_PAD;
            std::vector<double> weight(at + 1), o(LATENT_RANK, 0), magnitude(LATENT_RANK, 0);
            double greatest = -1e300, sum = 0;
            for (int k = 0; k <= at; k++) {
                const act* key = (const act*)(layer + b.blockOf(r, k) * blockBytes + k % BLOCK_SIZE * KEY_BYTES);
                for (int e = 0; e < KEY_PAD; e++) weight[k] += from_act(q[e]) * from_act(key[e]) * scale;
                greatest = std::max(greatest, weight[k]);
            }
            for (double& w : weight) w = std::exp(w - greatest), sum += w;
            for (int k = 0; k <= at; k++) {
                const act* key = (const act*)(layer + b.blockOf(r, k) * blockBytes + k % BLOCK_SIZE * KEY_BYTES);
                for (int e = 0; e < LATENT_RANK; e++) {
                    double v = weight[k] / sum * from_act(key[e]);
                    o[e] += v, magnitude[e] += std::fabs(v);
                }
            }
            for (int e = 0; e < LATENT_RANK; e++) {
                double got = from_act(out[((size_t)t * GROUP + h) * RANK_PAD + e]);
                double tolerance = magnitude[e] * (JETON_TYPE == 0 ? 1.0 / 200 : 1.0 / 800) + std::fabs(o[e]) * ACT_EPSILON + 1e-5;
                worst = std::max(worst, std::fabs(got - o[e]) / tolerance);
                expect_near(got, o[e], tolerance, "out", (long long)t * 100000 + h * 1000 + e);
            }
        }
    }
    printf("  %-8s %3d tiles in up to %d splits, error %.2f of the tolerance\n", c.name, plan[0], splits, worst);
}

static void split(int value) {
    context = "split " + std::to_string(value);
    int ofHead = PLAIN + value;
    std::vector<act> given = random_acts((size_t)GROUP * ofHead * LATENT_RANK);
    Array<act> both(given), keys((size_t)GROUP * LATENT_RANK * PLAIN), values((size_t)GROUP * value * LATENT_RANK);
    RUN(GRID(3), 256, 0, split_heads, both, value, keys, values);
    for (int h = 0; h < GROUP; h++) {
        for (int row = 0; row < ofHead; row++) {
            for (int r = 0; r < LATENT_RANK; r++) {
                act got = row < PLAIN ? keys[((size_t)h * LATENT_RANK + r) * PLAIN + row] : values[((size_t)h * value + row - PLAIN) * LATENT_RANK + r];
                EXPECT(got == given[((size_t)h * ofHead + row) * LATENT_RANK + r], "head %d row %d element %d", h, row, r);
            }
        }
    }
}

int main() {
    split(PLAIN + 6);
    run({"decode", 5, 1, 200, 24, 1});
    run({"split", 3, 1, 700, 24, 20});
    run({"direct", 4, 3, 90, 0, 2});
    run({"mixed", 5, 20, 130, 40, 9});
    run({"one", 1, 1, 0, 24, 4});
    run({"chunk", 2, 60, 300, 24, 8});
    return report("latent");
}
