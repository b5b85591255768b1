// What the kernels' checks share. A check includes the .cu it is about and is one program: built with g++ and a
// machine header (-DMACHINE='"..."') it runs the kernels on the host, built with nvcc on the GPU at hand.
#pragma once
#include <algorithm>
#include <cmath>
#include <cstdint>
#include <cstdio>
#include <cstdlib>
#include <cstring>
#include <numeric>
#include <random>
#include <string>
#include <vector>

#ifdef __CUDACC__
#include <cuda_runtime.h>
#define RUN(blocks, threads, shared, kernel, ...)                                                        \
    do {                                                                                                 \
        dim3 blockCount_ = blocks;                                                                                 \
        call(cudaFuncSetAttribute(kernel, cudaFuncAttributeMaxDynamicSharedMemorySize, (int)(shared)));  \
        kernel<<<blockCount_, threads, shared>>>(__VA_ARGS__);                                                     \
        call(cudaGetLastError());                                                                        \
        call(cudaDeviceSynchronize());                                                                   \
    } while (0)
static void call(cudaError_t e) {
    if (e != cudaSuccess) {
        printf("CUDA: %s\n", cudaGetErrorString(e));
        exit(2);
    }
}
// Pinned memory of the host, which the GPU reads over the bus: no pages move, and machines without managed memory do.
static void* take(size_t bytes) {
    void* p;
    call(cudaHostAlloc(&p, bytes ? bytes : 1, cudaHostAllocMapped));
    return p;
}
static void give(void* p) { call(cudaFreeHost(p)); }
#else
#include MACHINE
#define RUN(blocks, threads, shared, kernel, ...) LAUNCH(blocks, threads, shared, kernel, kernel(__VA_ARGS__))
static void* take(size_t bytes) { return aligned_alloc(256, (bytes + 255) / 256 * 256); }
static void give(void* p) { free(p); }
#endif

#include "../jeton.cuh"

#define GRID(...) dim3(__VA_ARGS__)

static int failures = 0;
static std::string context;

#define EXPECT(condition, ...)                      \
    do {                                            \
        if (!(condition) && failures++ < 20) {      \
            printf("FAIL %s: ", context.c_str());   \
            printf(__VA_ARGS__);                    \
            printf("\n");                           \
        }                                           \
    } while (0)

// An array on the device, all bytes 0xff (NaN in every type) until written, between two guards that must stay so.
template <class T>
struct Array {
    static const int GUARD = 256;
    char* base;
    size_t count;
    explicit Array(size_t n) : count(n) {
        base = (char*)take(n * sizeof(T) + 2 * GUARD);
        memset(base, 0xff, n * sizeof(T) + 2 * GUARD);
#ifdef CHECK_ACCESS
        uintptr_t from = (uintptr_t)data();
        checked_ranges[(uintptr_t)base] = {from, from + n * sizeof(T), from + n * sizeof(T) + GUARD};
#endif
#ifdef JETON_RACES
        jeton::races::watch(data(), n * sizeof(T));
#endif
    }
    Array(const std::vector<T>& v) : Array(v.size()) { memcpy(data(), v.data(), v.size() * sizeof(T)); }
    Array(const Array&) = delete;
    ~Array() {
        size_t bytes = count * sizeof(T);
        for (int i = 0; i < GUARD; i++) {
            EXPECT(base[i] == (char)0xff && base[GUARD + bytes + i] == (char)0xff, "guard overwritten at %d", i);
        }
#ifdef CHECK_ACCESS
        checked_ranges.erase((uintptr_t)base);
#endif
#ifdef JETON_RACES
        jeton::races::forget(data());
#endif
        give(base);
    }
    T* data() { return (T*)(base + GUARD); }
    operator T*() { return data(); }
    T& operator[](size_t i) { return data()[i]; }
};

static std::mt19937_64 random_bits(1);
static double normal() { return std::normal_distribution<double>()(random_bits); }
static int between(int low, int high) { return std::uniform_int_distribution<int>(low, high)(random_bits); }

// Conversions of the checks' own. A float64 becomes the nearest multiple of its last place, ties to even.
static unsigned short to_bf16(double x) {
    float f = (float)x;
    unsigned u;
    memcpy(&u, &f, 4);
    return (unsigned short)((u + 0x7fffu + (u >> 16 & 1)) >> 16);
}
static unsigned short to_fp16(double x) {
    if (std::isnan(x)) {
        return 0x7fff;
    }
    unsigned short sign = std::signbit(x) ? 0x8000 : 0;
    int e;
    std::frexp(x, &e);
    double units = std::nearbyint(std::ldexp(std::fabs(x), 11 - std::max(e, -13)));
    double v = std::ldexp(units, std::max(e, -13) - 11);
    if (v >= 65536) {
        return sign | 0x7c00;
    }
    std::frexp(v, &e);
    return v < std::ldexp(1.0, -14) ? sign | (unsigned short)std::ldexp(v, 24)
                                    : sign | (unsigned short)((e + 14) << 10 | ((int)std::ldexp(v, 11 - e) & 1023));
}
static double from_bf16(unsigned short a) {
    unsigned u = (unsigned)a << 16;
    float f;
    memcpy(&f, &u, 4);
    return f;
}
static double from_fp16(unsigned short a) {
    int e = a >> 10 & 31;
    double m = a & 1023;
    double v = e == 0 ? std::ldexp(m, -24) : e < 31 ? std::ldexp(1024 + m, e - 25) : m ? NAN : INFINITY;
    return a & 0x8000 ? -v : v;
}
static act to_act(double x) { return JETON_TYPE == 0 ? to_bf16(x) : to_fp16(x); }
static double from_act(act a) { return JETON_TYPE == 0 ? from_bf16(a) : from_fp16(a); }
static std::vector<double> values_of_e4m3() {
    std::vector<double> values;
    for (int b = 0; b < 256; b++) {
        int e = b >> 3 & 15;
        int m = b & 7;
        double v = (b & 127) == 127 ? NAN : e == 0 ? m * std::ldexp(1, -9) : (8 + m) * std::ldexp(1, e - 10);
        values.push_back(b & 128 ? -v : v);
    }
    return values;
}
static const std::vector<double> E4M3 = values_of_e4m3();
static double from_e4m3(unsigned char b) { return E4M3[b]; }
static double from_residual(residual r) { return sizeof(residual) == 4 ? (double)r : from_act((act)r); }
static residual to_residual(double x) { return sizeof(residual) == 4 ? (residual)x : (residual)to_act(x); }
// One unit in the last place of the activations' type, relative.
static const double ACT_EPSILON = JETON_TYPE == 0 ? 1.0 / 256 : 1.0 / 2048;

static void expect_near(double got, double want, double tolerance, const char* what, long long at) {
    EXPECT(std::fabs(got - want) <= tolerance, "%s[%lld] is %.9g, not %.9g", what, at, got, want);
}

static std::vector<act> random_acts(size_t n, double scale = 1) {
    std::vector<act> v(n);
    for (auto& x : v) {
        x = to_act(normal() * scale);
    }
    return v;
}

static int report(const char* name) {
#ifdef JETON_RACES
    EXPECT(jeton::races::found() == 0, "%u races", jeton::races::found());
#endif
    printf("%s: %s\n", name, failures ? "FAILED" : "ok");
    return failures != 0;
}

// A ragged batch with block tables in random order.
struct Batch {
    int rows;
    std::vector<int> header, slot, flags, position, inputStart, tokens, blocks, tableStart;
    int tokenCount() const { return inputStart[rows]; }
    int blockOf(int row, int at) const { return blocks[tableStart[row] + at / BLOCK_SIZE]; }
};

// `window` > 0: blocks wholly before the first input's window are -1. Inputs and positions are drawn up to the bounds.
static Batch random_batch(int rows, int maxInputs, int maxPosition, int window, int& blockCount) {
    Batch b;
    b.rows = rows;
    b.inputStart.push_back(0);
    b.tableStart.push_back(0);
    std::vector<int> needed;
    int all = 0;
    for (int r = 0; r < rows; r++) {
        int inputs = between(0, 2) == 0 ? 1 : between(1, maxInputs);
        b.slot.push_back(rows - 1 - r);
        b.flags.push_back(0);
        b.position.push_back(between(0, maxPosition));
        b.inputStart.push_back(b.inputStart.back() + inputs);
        int table = (b.position[r] + inputs + BLOCK_SIZE - 1) / BLOCK_SIZE + between(0, 2);
        b.tableStart.push_back(b.tableStart.back() + table);
        all += table;
    }
    std::vector<int> free(all + 3);
    for (size_t i = 0; i < free.size(); i++) {
        free[i] = (int)i;
    }
    std::shuffle(free.begin(), free.end(), random_bits);
    b.blocks.assign(free.begin(), free.begin() + all);
    if (window > 0) {
        for (int r = 0; r < rows; r++) {
            int first = std::max(0, b.position[r] - window + 1) / BLOCK_SIZE;
            for (int i = 0; i < first; i++) {
                b.blocks[b.tableStart[r] + i] = -1;
            }
        }
    }
    blockCount = all + 3;
    for (int t = 0; t < b.inputStart[rows]; t++) {
        b.tokens.push_back(between(0, 1000));
    }
    b.header = {rows, b.inputStart[rows], 0, 0, 0, 0, 0, 0};
    return b;
}
