// sampling.cu against a plain sampler in float64 that follows SamplingParameters, with the host's weights.
#include <algorithm>
#include "check.h"
#include "../sampling.cu"

struct Expected {
    int token;       // -1: none
    int status;
    double logProbability;
    double margin;   // how near the draw was to another token, as a share of the total
    std::vector<std::pair<int, double>> top;
};

static double host_uniform(uint64_t seed, uint64_t counter) {
    auto m = [](uint64_t z) {
        z = (z ^ (z >> 30)) * 0xBF58476D1CE4E5B9ull;
        z = (z ^ (z >> 27)) * 0x94D049BB133111EBull;
        return z ^ (z >> 31);
    };
    const uint64_t golden = 0x9E3779B97F4A7C15ull;
    return (m(m(counter * golden + 1) ^ m(seed + golden)) >> 11) * std::ldexp(1.0, -53);
}

// VectorMath.exp and Logits.weight of the host sampler.
static float host_weight(float logit, float greatest, float inverse) {
    volatile float difference = logit - greatest;
    volatile float x = difference * inverse;
    if (x < -87.3f) {
        return 0;
    }
    volatile float shifted = std::fma((float)x, 1.44269504f, 12582912.0f);
    volatile float n = shifted - 12582912.0f;
    float r = std::fma((float)n, -0.693359375f, (float)x);
    r = std::fma((float)n, 2.12194440e-4f, r);
    float p = std::fma(r, 1.9875691500e-4f, 1.3981999507e-3f);
    p = std::fma(p, r, 8.3334519073e-3f);
    p = std::fma(p, r, 4.1665795894e-2f);
    p = std::fma(p, r, 1.6666665459e-1f);
    p = std::fma(p, r, 5.0000001201e-1f);
    volatile float square = r * r;
    volatile float e = std::fma(p, (float)square, r);
    e = e + 1.0f;
    return std::ldexp((float)e, (int)n);
}

static Expected sample(std::vector<float> l, const SlotSampling& p, int generated, const std::vector<unsigned>& counts, const std::vector<int>& drafts,
                       const std::vector<std::pair<int, float>>& bias, const std::vector<int>& stops, const std::vector<bool>* mask) {
    int n = (int)l.size();
    if (p.penalised) {
        for (int t = 0; t < n; t++) {
            int times = (counts[t] & 0x7fffffff) + (int)std::count(drafts.begin(), drafts.end(), t);
            if (counts[t] || times) {
                l[t] = l[t] > 0 ? l[t] / p.repetitionPenalty : l[t] * p.repetitionPenalty;
                if (times) {
                    volatile double f = times * p.frequencyPenalty;
                    l[t] -= (float)(p.presencePenalty + f);
                }
            }
        }
    }
    for (auto& b : bias) l[b.first] += b.second;
    if (generated + (int)drafts.size() < p.minTokens) for (int t : stops) l[t] = -INFINITY;
    if (mask) for (int t = 0; t < n; t++) if (!(*mask)[t]) l[t] = -INFINITY;
    Expected e = {-1, 0, NAN, 1, {}};
    float greatest = -INFINITY;
    for (float v : l) {
        if (std::isnan(v) || v == INFINITY) { e.status = 1; return e; }
        greatest = std::max(greatest, v);
    }
    if (greatest == -INFINITY) { e.status = 2; return e; }
    std::vector<int> order(n);
    for (int t = 0; t < n; t++) order[t] = t;
    std::stable_sort(order.begin(), order.end(), [&](int a, int b) { return l[a] > l[b]; });
    if (p.inverseTemperature == 0) {
        e.token = order[0];
    } else {
        double u = host_uniform(p.seed, generated + drafts.size());
        std::vector<double> w(n);
        double total = 0;
        for (int t = 0; t < n; t++) w[t] = host_weight(l[t], greatest, p.inverseTemperature), total += w[t];
        std::vector<int> kept;
        bool inOrder = p.topK == 0 && p.topP == 1;
        double mass = 0;
        for (int i = 0; i < n; i++) {
            int t = inOrder ? i : order[i];
            if (w[t] == 0 || w[t] < p.minP || (p.topK > 0 && (int)kept.size() == p.topK)) continue;
            kept.push_back(t), mass += w[t];
        }
        double margin = 1;
        if (p.topP < 1) {
            double wanted = p.topP * mass, reached = 0;
            size_t k = 0;
            while (k < kept.size() && (reached < wanted || k == 0)) reached += w[kept[k++]];
            margin = std::min(margin, std::fabs(reached - wanted) / mass);
            margin = std::min(margin, std::fabs(reached - w[kept[k - 1]] - wanted) / mass);
            kept.resize(k), mass = reached;
        }
        double point = u * mass, reached = 0;
        e.token = kept.back();
        for (int t : kept) {
            margin = std::min(margin, std::fabs(reached - point) / mass);
            reached += w[t];
            if (reached > point) {
                e.token = t;
                margin = std::min(margin, std::fabs(reached - point) / mass);
                break;
            }
        }
        e.margin = margin;
    }
    if (p.logProbabilities >= 0) {
        double total = 0;
        for (float v : l) total += std::exp((double)v - greatest);
        double logTotal = greatest + std::log(total);
        e.logProbability = l[e.token] - logTotal;
        for (int i = 0; i < std::min(n, p.logProbabilities) && l[order[i]] > -INFINITY; i++) e.top.push_back({order[i], l[order[i]] - logTotal});
    }
    return e;
}

// How a row's logits are drawn: flat ones overflow the candidates, ties meet the order of ids.
static std::vector<float> draw_logits(int kind, int n) {
    std::vector<float> l(n);
    for (auto& v : l) {
        double x = normal();
        v = (float)(kind == 0 ? 3 * x : kind == 1 ? 0.3 * x : kind == 2 ? std::round(2 * x) : kind == 3 ? 0.25 : kind == 4 ? 1e-6 * x : kind == 5 ? 12 * x : 0.3 * x);
    }
    if (kind == 4) l[n / 3] = 5;
    if (kind == 5) l[n / 2] += 200;
    // Half of the mass in one token, half in thousands below e^-7 and e^-14 of it.
    if (kind == 6) l[n / 4] = (float)std::log(n + 1.0);
    if (kind == 7) l[n / 4] = 14.5f;
    return l;
}

static int near = 0, drawn = 0;

// `tails`: rows with much mass in unlikely tokens, sampled at temperature 1 by bounds that reach them.
static void run(int vocabulary, int rows, bool drafting, bool tails = false) {
    context = "sampling " + std::to_string(vocabulary);
    const int maxBias = 7, maxStop = 5;
    int slots = rows + 2, stride = (vocabulary + 3) / 4 * 4 + 8, words = (vocabulary + 63) / 64;
    std::vector<SlotSampling> params(slots);
    std::vector<int> generated(slots), last(slots, -5);
    std::vector<unsigned> counts((size_t)slots * vocabulary, 0);
    std::vector<int> biasTokens(slots * maxBias, -1), stopTokens(slots * maxStop, -1);
    std::vector<float> biasValues(slots * maxBias, NAN);
    for (int s = 0; s < slots; s++) {
        SlotSampling& p = params[s];
        p = {};
        p.seed = random_bits();
        p.topP = between(0, 1) ? 1 : between(0, 3) ? 0.05 + 0.94 * between(0, 100) / 100 : 1e-4;
        p.topK = between(0, 1) ? 0 : between(0, 3) ? between(1, 60) : between(1, vocabulary + 5);
        p.minP = between(0, 3) ? 0 : (float)between(1, 100) / 400;
        p.inverseTemperature = between(0, 4) ? (float)(1 / (0.1 + between(1, 30) / 10.0)) : 0;
        p.penalised = !tails && between(0, 1);
        if (tails) {
            static const int topKs[] = {0, 0, 3000, 8000};
            static const double topPs[] = {0.6, 0.9, 0.999, 1};
            static const float minPs[] = {0, 0, 1e-5f, 1e-8f};
            p.topK = topKs[between(0, 3)], p.topP = topPs[between(0, 3)], p.minP = minPs[between(0, 3)], p.inverseTemperature = 1;
        }
        p.repetitionPenalty = p.penalised ? 1 + between(0, 10) / 10.0f : 1;
        p.presencePenalty = p.penalised ? between(-20, 20) / 10.0 : 0;
        p.frequencyPenalty = p.penalised ? between(-20, 20) / 10.0 : 0;
        p.minTokens = between(0, 20);
        p.logProbabilities = between(-1, 20);
        p.biasCount = tails || between(0, 2) ? 0 : std::min(vocabulary, between(1, maxBias));
        p.stopCount = std::min(vocabulary - 1, between(0, maxStop));
        generated[s] = between(0, 25);
        for (int i = 0; i < 40; i++) counts[(size_t)s * vocabulary + between(0, vocabulary - 1)] |= 0x80000000u | between(0, 3);
        int start = between(0, vocabulary - 1);
        for (int i = 0; i < p.biasCount; i++) biasTokens[s * maxBias + i] = (start + i * 3 % vocabulary) % vocabulary, biasValues[s * maxBias + i] = (float)normal() * 5;
        // distinct ids even in a vocabulary of few tokens
        for (int i = 0; i < p.biasCount; i++) for (int j = 0; j < i; j++) if (biasTokens[s * maxBias + i] == biasTokens[s * maxBias + j]) p.biasCount = i;
        for (int i = 0; i < p.stopCount; i++) stopTokens[s * maxStop + i] = (start + i * 7 % vocabulary) % vocabulary;
        for (int i = 0; i < p.stopCount; i++) for (int j = 0; j < i; j++) if (stopTokens[s * maxStop + i] == stopTokens[s * maxStop + j]) p.stopCount = i;
    }
    std::vector<int> slot, flags, inputStart = {0}, drafts, tokens, logitStart = {0}, logitRow, logitToken, logitSample, logitScore, logitMask;
    int maskCount = 0;
    for (int r = 0; r < rows; r++) {
        slot.push_back((r * 7 + 1) % slots == 0 ? slots - 1 : r);
        int d = drafting && between(0, 1) ? between(1, 4) : 0, extra = between(0, 3);
        bool sampled = between(0, 5) > 0, prompt = between(0, 2) == 0;
        if (!sampled) d = 0;
        flags.push_back(sampled ? 2 : 0);
        drafts.push_back(d);
        bool masked = !tails && between(0, 2) == 0;
        for (int i = 0; i < extra + 1 + d; i++) {
            tokens.push_back(between(0, vocabulary - 1));
            int k = sampled && i >= extra ? i - extra : -1;
            if (k >= 0 || prompt) {
                logitRow.push_back(r), logitToken.push_back((int)tokens.size() - 1), logitSample.push_back(k);
                logitScore.push_back(prompt && between(0, 3) ? between(0, vocabulary - 1) : -1);
                logitMask.push_back(k >= 0 && masked ? maskCount++ : -1);
            }
        }
        inputStart.push_back((int)tokens.size());
        logitStart.push_back((int)logitRow.size());
    }
    int logitRows = (int)logitRow.size(), bucket = logitRows + 2;
    std::vector<unsigned long long> masks((size_t)std::max(1, maskCount) * words);
    for (auto& m : masks) m = random_bits() & random_bits();
    if (maskCount > 1) for (int i = 0; i < words; i++) masks[i] = i == words / 2 ? 1 : 0;
    std::vector<std::vector<float>> raw;
    std::vector<float> flat((size_t)bucket * stride, NAN);
    for (int i = 0; i < logitRows; i++) {
        raw.push_back(draw_logits(tails ? between(6, 7) : between(0, 7), vocabulary));
        if (between(0, 19) == 0) raw[i][between(0, vocabulary - 1)] = NAN;
        if (between(0, 19) == 0) raw[i][between(0, vocabulary - 1)] = INFINITY;
        if (between(0, 19) == 0) std::fill(raw[i].begin(), raw[i].end(), -INFINITY);
        std::copy(raw[i].begin(), raw[i].end(), flat.begin() + (size_t)i * stride);
    }
    // What the host would do, position by position; drafts are now and then what is sampled, so that some are accepted.
    std::vector<Expected> expected(logitRows);
    std::vector<int> accepted(rows, 0), generatedAfter = generated, lastAfter = last;
    std::vector<unsigned> countsAfter = counts;
    for (int r = 0; r < rows; r++) {
        int s = slot[r];
        std::vector<unsigned> mine(counts.begin() + (size_t)s * vocabulary, counts.begin() + (size_t)(s + 1) * vocabulary);
        std::vector<std::pair<int, float>> bias;
        for (int i = 0; i < params[s].biasCount; i++) bias.push_back({biasTokens[s * maxBias + i], biasValues[s * maxBias + i]});
        std::vector<int> stops(stopTokens.begin() + s * maxStop, stopTokens.begin() + s * maxStop + params[s].stopCount);
        bool going = true;
        std::vector<int> before;
        for (int i = logitStart[r]; i < logitStart[r + 1]; i++) {
            if (logitSample[i] < 0) continue;
            if (logitSample[i] > 0) before.push_back(tokens[logitToken[i]]);
            std::vector<bool> mask(vocabulary);
            if (logitMask[i] >= 0) for (int t = 0; t < vocabulary; t++) mask[t] = masks[(size_t)logitMask[i] * words + t / 64] >> (t % 64) & 1;
            Expected& e = expected[i] = sample(raw[i], params[s], generated[s], mine, before, bias, stops, logitMask[i] >= 0 ? &mask : nullptr);
            bool last = i + 1 == logitStart[r + 1];
            if (!last && e.token >= 0 && between(0, 3)) tokens[logitToken[i] + 1] = e.token;
            if (!going) continue;
            if (e.status) {
                accepted[r] = -e.status;
                going = false;
                continue;
            }
            accepted[r]++, generatedAfter[s]++, lastAfter[s] = e.token;
            if (params[s].penalised) {
                unsigned& c = countsAfter[(size_t)s * vocabulary + e.token];
                c = (c | 0x80000000u) + 1;
            }
            if (!last && tokens[logitToken[i] + 1] != e.token) going = false;
        }
    }
    Array<int> header(std::vector<int>{rows, (int)tokens.size(), logitRows, 0, 0, 0, 0, 0});
    Array<float> logits(flat);
    int segmentCount = (vocabulary + SEGMENT - 1) / SEGMENT;
    Array<float> segments((size_t)bucket * segmentCount * 4);
    Array<int> dSlot(slot), dFlags(flags), dStart(inputStart), dDrafts(drafts), dTokens(tokens), dLogitStart(logitStart), dLogitRow(logitRow), dLogitToken(logitToken),
        dSample(logitSample), dScore(logitScore), dMask(logitMask), dGenerated(generated), dLast(last), dBias(biasTokens), dStop(stopTokens);
    Array<SlotSampling> dParams(params);
    Array<unsigned> dCounts(counts);
    Array<float> dBiasValues(biasValues);
    Array<u64> dMasks(masks);
    Array<int> sampled(bucket), status(bucket), top((size_t)bucket * TOP), scoreTop((size_t)bucket * TOP), dAccepted(rows + 1);
    Array<float> logProbability(bucket), topValues((size_t)bucket * TOP), score(bucket), scoreValues((size_t)bucket * TOP);
    RUN(GRID(bucket), SAMPLE_THREADS, 0, score_logits, header, logits, stride, vocabulary, dLogitRow, dScore, dSlot, dParams, score, scoreTop, scoreValues);
    RUN(GRID(bucket, segmentCount), ADJUST_THREADS, 0, adjust_logits, header, logits, stride, vocabulary, dLogitRow, dLogitToken, dSample, dMask, dTokens, dSlot, dParams,
        dGenerated, dCounts, dBias, dBiasValues, maxBias, dStop, maxStop, dMasks, words, segments);
    RUN(GRID(bucket), SAMPLE_THREADS, 0, sample_logits, header, logits, stride, vocabulary, segments, dLogitRow, dSample, dSlot, dParams, dGenerated, sampled, logProbability,
        top, topValues, status);
    RUN(GRID((rows + 128) / 128), 128, 0, accept_tokens, header, dSlot, dFlags, dStart, dDrafts, dTokens, dLogitStart, sampled, status, dParams, dGenerated, dLast, dCounts,
        vocabulary, dAccepted);
    bool doubt = false;
    for (int i = 0; i < logitRows; i++) {
        const SlotSampling& p = params[slot[logitRow[i]]];
        std::string what = context + " row " + std::to_string(i) + " T " + std::to_string(p.inverseTemperature ? 1 / p.inverseTemperature : 0) + " k " + std::to_string(p.topK) +
                           " p " + std::to_string(p.topP) + " minP " + std::to_string(p.minP);
        if (logitScore[i] >= 0) {
            SlotSampling plain = {};
            plain.logProbabilities = p.logProbabilities > 0 ? p.logProbabilities : 0;
            Expected e = sample(raw[i], plain, 0, {}, {}, {}, {}, nullptr);
            if (e.status) {
                EXPECT(std::isnan(score[i]), "%s scored %g", what.c_str(), score[i]);
            } else if (raw[i][logitScore[i]] > -INFINITY) {
                double want = e.logProbability - raw[i][e.token] + raw[i][logitScore[i]];
                expect_near(score[i], want, 2e-6 + std::fabs(want) * 2e-7, (what + " score").c_str(), i);
            }
            for (int j = 0; j < TOP && p.logProbabilities > 0; j++) {
                int want = j < (int)e.top.size() ? e.top[j].first : -1;
                EXPECT(scoreTop[i * TOP + j] == want, "%s score top %d is %d, not %d", what.c_str(), j, scoreTop[i * TOP + j], want);
            }
        } else {
            EXPECT(std::isnan(score[i]), "score not asked");
        }
        if (logitSample[i] < 0) {
            EXPECT(sampled[i] == -1 && status[i] == -1, "sampled though not asked");
            continue;
        }
        const Expected& e = expected[i];
        drawn++;
        EXPECT(status[i] == e.status, "%s status %d, not %d", what.c_str(), status[i], e.status);
        if (e.margin < 1e-9) {
            near++, doubt = true;
            continue;
        }
        EXPECT(sampled[i] == e.token, "%s token %d, not %d; margin %g", what.c_str(), sampled[i], e.token, e.margin);
        if (std::isnan(e.logProbability)) {
            EXPECT(std::isnan(logProbability[i]), "%s log-probability %g", what.c_str(), logProbability[i]);
            continue;
        }
        expect_near(logProbability[i], e.logProbability, 2e-6 + std::fabs(e.logProbability) * 2e-7, (what + " log-probability").c_str(), i);
        for (int j = 0; j < TOP && p.logProbabilities > 0; j++) {
            int want = j < (int)e.top.size() ? e.top[j].first : -1;
            EXPECT(top[i * TOP + j] == want, "%s top %d is %d, not %d", what.c_str(), j, top[i * TOP + j], want);
            if (want >= 0) expect_near(topValues[i * TOP + j], e.top[j].second, 2e-6 + std::fabs(e.top[j].second) * 2e-7, (what + " top").c_str(), j);
        }
    }
    for (int r = 0; r < rows && !doubt; r++) {
        EXPECT(dAccepted[r] == accepted[r], "row %d accepted %d, not %d", r, dAccepted[r], accepted[r]);
        EXPECT(dGenerated[slot[r]] == generatedAfter[slot[r]] && dLast[slot[r]] == lastAfter[slot[r]], "state of row %d", r);
    }
    for (size_t i = 0; i < counts.size() && !doubt; i++) EXPECT(dCounts[i] == countsAfter[i], "count %zu is %x, not %x", i, dCounts[i], countsAfter[i]);
    for (int i = logitRows; i < bucket; i++) EXPECT(sampled[i] == -1, "wrote past the count");
}

static void counting() {
    context = "counting";
    std::vector<int> t;
    for (int i = 0; i < 3000; i++) t.push_back(between(0, 700));
    Array<int> tokens(t);
    Array<unsigned> counts(900);
    RUN(GRID(2), 256, 0, clear_slot, counts, 900);
    RUN(GRID(3), 256, 0, count_tokens, counts, tokens, 1000, 3000);
    std::vector<unsigned> want(900, 0);
    for (int i = 0; i < 3000; i++) want[t[i]] = (want[t[i]] | 0x80000000u) + (i >= 1000);
    for (int i = 0; i < 900; i++) EXPECT(counts[i] == want[i], "count %d", i);
}

static void capping(int rows, int vocabulary, float cap) {
    context = "cap " + std::to_string(vocabulary);
    int stride = (vocabulary + 7) / 8 * 8, bucket = rows + 2;
    std::vector<float> before((size_t)bucket * stride);
    for (auto& x : before) x = (float)(normal() * 2 * cap);
    before[0] = NAN;
    before[stride] = INFINITY;
    before[stride + vocabulary - 1] = -INFINITY;
    Array<float> logits(before);
    Array<int> header(std::vector<int>{1, 1, rows, 0, 0, 0, 0, 0});
    RUN(GRID(bucket, (vocabulary + 1023) / 1024), 256, 0, cap_logits, header, logits, stride, vocabulary, cap);
    for (size_t i = 0; i < before.size(); i++) {
        if ((int)(i % stride) >= vocabulary) continue;
        bool capped = i / stride < (size_t)rows && std::isfinite(before[i]);
        double want = capped ? cap * std::tanh((double)before[i] / cap) : before[i];
        if (std::isfinite(want)) {
            expect_near(logits[i], want, capped ? cap * 1e-6 : 0, "logit", (long long)i);
        } else {
            EXPECT(memcmp(&logits[i], &before[i], 4) == 0, "logit[%zu] is %g, not %g", i, logits[i], before[i]);
        }
    }
}

int main(int argc, char** argv) {
    counting();
    capping(3, 1003, 30);
    capping(2, 7, 5);
#ifdef JETON_RACES
    // each access takes long then, and what races does so for few rows
    run(7, 20, true);
    run(1003, 12, true);
    run(20011, 2, true);
    run(9001, 10, false, true);
#else
    for (int i = 0; i < (argc > 1 ? atoi(argv[1]) : 2); i++) {
        run(1, 3, false);
        run(7, 20, true);
        run(1003, 25, true);
        run(4096, 12, false);
        run(20011, 14, true);
        run(130000, 2, false);
        run(9001, 120, false, true);
    }
#endif
    printf("  %d rows sampled, %d too near a boundary to tell\n", drawn, near);
    return report("sampling");
}
