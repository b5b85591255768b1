/*
 * Lets a .cu source compile as C++17 with g++: the words and built-in functions of CUDA C++ that kernels use, on the
 * machine of cuda_host_fibers.h. JETON_HOST is defined, so that sources can give plain versions of their inline PTX.
 *
 * Semantics follow the CUDA C++ programming guide. Where a GPU leaves something undefined, this leaves no number: shared
 * memory and fresh device memory hold bytes of 0xff, and a shuffle from a lane that takes no part gives them too.
 * Dynamic shared memory is `extern __shared__ T name[]` in a source that the NVRTC stand-in compiles, or
 * jeton_host_shared() anywhere.
 */
#pragma once
#define JETON_HOST 1
#include "cuda_host_fibers.h"
#include <cmath>
#include <cstdlib>
#include <dlfcn.h>
#include <link.h>
#include <time.h>
#include <tuple>
#include <type_traits>
#include <utility>

#define __global__ __attribute__((__aligned__(64), __used__))
#define __device__
#define __host__
#define __constant__
#define __managed__
#define __shared__ thread_local
#define __forceinline__ inline __attribute__((always_inline))
#define __launch_bounds__(...)
#define __cluster_dims__(...)
#define __maxnreg__(...)
#define __grid_constant__
#define __align__(n) __attribute__((aligned(n)))
#ifndef __restrict__
#define __restrict__ __restrict
#endif

#define threadIdx (::jeton::current->thread)
#define blockIdx (::jeton::block_index)
#define blockDim (::jeton::block_size)
#define gridDim (::jeton::grid_size)
#define warpSize 32

/* ---- vectors ---- */
#define JETON_VECTORS(T, t, align2, align4) \
    struct t##1 { T x; }; \
    struct __align__(align2) t##2 { T x, y; }; \
    struct t##3##_ { T x, y, z; }; \
    struct __align__(align4) t##4 { T x, y, z, w; }; \
    inline t##1 make_##t##1(T x) { return {x}; } \
    inline t##2 make_##t##2(T x, T y) { return {x, y}; } \
    inline t##4 make_##t##4(T x, T y, T z, T w) { return {x, y, z, w}; }
JETON_VECTORS(signed char, char, 2, 4)
JETON_VECTORS(unsigned char, uchar, 2, 4)
JETON_VECTORS(short, short, 4, 8)
JETON_VECTORS(unsigned short, ushort, 4, 8)
JETON_VECTORS(int, int, 8, 16)
JETON_VECTORS(unsigned, uint, 8, 16)
JETON_VECTORS(float, float, 8, 16)
JETON_VECTORS(long long, longlong, 16, 16)
JETON_VECTORS(unsigned long long, ulonglong, 16, 16)
JETON_VECTORS(double, double, 16, 16)
#undef JETON_VECTORS
using int3 = int3_;
using float3 = float3_;
inline int3 make_int3(int x, int y, int z) { return {x, y, z}; }
inline uint3 make_uint3(unsigned x, unsigned y, unsigned z) { return {x, y, z}; }
inline float3 make_float3(float x, float y, float z) { return {x, y, z}; }

/* ---- barriers, votes, shuffles ---- */
inline void *jeton_host_shared() { return jeton::machine.dynamic; }
inline void __syncthreads() { jeton::barrier(0, 0, 0); }
inline int __syncthreads_or(int p) { return jeton::barrier(0, 0, p) & 1; }
inline int __syncthreads_and(int p) { return jeton::barrier(0, 0, p) >> 1 & 1; }
inline int __syncthreads_count(int p) { return jeton::barrier(0, 0, p) >> 2; }
/* bar.sync id, threads */
inline void jeton_barrier(int id, unsigned threads) { jeton::barrier(id, threads, 0); }
inline void __syncwarp(unsigned mask = ~0u) { jeton::collective(jeton::SYNC, mask, 0, 0, 0); }
inline unsigned __ballot_sync(unsigned mask, int p) {
    return (unsigned) jeton::collective(jeton::BALLOT, mask, p != 0, 0, 0)->result[0];
}
inline int __any_sync(unsigned mask, int p) { return __ballot_sync(mask, p) != 0; }
inline int __all_sync(unsigned mask, int p) { return __ballot_sync(mask, !p) == 0; }
inline unsigned __activemask() { return jeton::machine.warps[jeton::current->warp].live; }
inline unsigned __lane_id() { return jeton::current->lane; }

template <class T> T jeton_shuffle(unsigned mask, T value, int source) {
    static_assert(sizeof(T) <= 16, "a shuffle moves at most 16 bytes");
    uint64_t v[2] = {0, 0};
    memcpy(v, &value, sizeof(T));
    jeton::Lane *me = jeton::collective(jeton::SHUFFLE, mask, v[0], v[1], source);
    T out;
    memcpy(&out, me->result, sizeof(T));
    return out;
}
template <class T> T __shfl_sync(unsigned mask, T value, int lane, int width = 32) {
    int own = jeton::current->lane;
    return jeton_shuffle(mask, value, (own & ~(width - 1)) + (lane & (width - 1)));
}
template <class T> T __shfl_up_sync(unsigned mask, T value, unsigned delta, int width = 32) {
    int own = jeton::current->lane, from = own - (int) delta;
    return jeton_shuffle(mask, value, from < (own & ~(width - 1)) ? own : from);
}
template <class T> T __shfl_down_sync(unsigned mask, T value, unsigned delta, int width = 32) {
    int own = jeton::current->lane, from = own + (int) delta;
    return jeton_shuffle(mask, value, from > (own | (width - 1)) ? own : from);
}
template <class T> T __shfl_xor_sync(unsigned mask, T value, int with, int width = 32) {
    int own = jeton::current->lane, from = own ^ with;
    return jeton_shuffle(mask, value, from > (own | (width - 1)) ? own : from);
}
template <class T> unsigned __match_any_sync(unsigned mask, T value) {
    static_assert(sizeof(T) <= 8, "a match compares at most 8 bytes");
    uint64_t v = 0;
    memcpy(&v, &value, sizeof(T));
    return (unsigned) jeton::collective(jeton::MATCH, mask, v, 0, 0)->result[0];
}
#define JETON_REDUCE(name, kind) \
    inline unsigned name(unsigned mask, unsigned v) { return (unsigned) jeton::collective(kind, mask, v, 0, 0)->result[0]; } \
    inline int name(unsigned mask, int v) { return (int) jeton::collective(kind, mask, (unsigned) v, 0, 1)->result[0]; }
JETON_REDUCE(__reduce_add_sync, jeton::ADD)
JETON_REDUCE(__reduce_min_sync, jeton::MINIMUM)
JETON_REDUCE(__reduce_max_sync, jeton::MAXIMUM)
#undef JETON_REDUCE
inline unsigned __reduce_and_sync(unsigned m, unsigned v) { return (unsigned) jeton::collective(jeton::AND, m, v, 0, 0)->result[0]; }
inline unsigned __reduce_or_sync(unsigned m, unsigned v) { return (unsigned) jeton::collective(jeton::OR, m, v, 0, 0)->result[0]; }
inline unsigned __reduce_xor_sync(unsigned m, unsigned v) { return (unsigned) jeton::collective(jeton::XOR, m, v, 0, 0)->result[0]; }

/* Waits for the warp without ordering its accesses of memory, as instructions of the whole warp do. */
inline void jeton_meet() { jeton::collective(jeton::MEET, ~0u, 0, 0, 0); }
inline void __threadfence() { jeton::races::fence(); }
inline void __threadfence_block() {}
inline void __threadfence_system() { jeton::races::fence(); }
inline void __nanosleep(unsigned) { jeton::yield(); }
inline long long clock64() { timespec t; clock_gettime(CLOCK_MONOTONIC, &t); return t.tv_sec * 1000000000ll + t.tv_nsec; }
inline unsigned long long globaltimer() { return (unsigned long long) clock64(); }
[[noreturn]] inline void __trap() { jeton::fail(jeton::LAUNCH_FAILED, "is in a trap"); }
#undef assert
#define assert(c) ((c) ? (void) 0 : jeton::fail(jeton::ASSERTION, "asserts %s, %s:%d", #c, __FILE__, __LINE__))
#define __builtin_assume(c) ((void) 0)

/* ---- atomics: one thread runs at a time ---- */
template <class T> struct jeton_atomic {
    T *at;
    explicit jeton_atomic(T *at_) : at(at_) { jeton::races::in_atomic(at_); }
    ~jeton_atomic() { jeton::races::in_atomic(nullptr); }
};
template <class T> T jeton_swap(T *at, T value) { T old = *at; *at = value; return old; }
template <class T> using jeton_same = std::common_type_t<T>;
template <class T> T atomicAdd(T *at, jeton_same<T> v) { jeton_atomic<T> now(at); return jeton_swap(at, (T) (*at + v)); }
template <class T> T atomicSub(T *at, jeton_same<T> v) { jeton_atomic<T> now(at); return jeton_swap(at, (T) (*at - v)); }
template <class T> T atomicExch(T *at, jeton_same<T> v) { jeton_atomic<T> now(at); return jeton_swap(at, (T) v); }
template <class T> T atomicMin(T *at, jeton_same<T> v) { jeton_atomic<T> now(at); return jeton_swap(at, v < *at ? (T) v : *at); }
template <class T> T atomicMax(T *at, jeton_same<T> v) { jeton_atomic<T> now(at); return jeton_swap(at, v > *at ? (T) v : *at); }
template <class T> T atomicAnd(T *at, jeton_same<T> v) { jeton_atomic<T> now(at); return jeton_swap(at, (T) (*at & v)); }
template <class T> T atomicOr(T *at, jeton_same<T> v) { jeton_atomic<T> now(at); return jeton_swap(at, (T) (*at | v)); }
template <class T> T atomicXor(T *at, jeton_same<T> v) { jeton_atomic<T> now(at); return jeton_swap(at, (T) (*at ^ v)); }
template <class T> T atomicCAS(T *at, jeton_same<T> expected, jeton_same<T> v) {
    jeton_atomic<T> now(at);
    return jeton_swap(at, *at == expected ? (T) v : *at);
}
inline unsigned atomicInc(unsigned *at, unsigned limit) { jeton_atomic<unsigned> now(at); return jeton_swap(at, *at >= limit ? 0 : *at + 1); }
inline unsigned atomicDec(unsigned *at, unsigned limit) {
    jeton_atomic<unsigned> now(at);
    return jeton_swap(at, *at == 0 || *at > limit ? limit : *at - 1);
}

/* ---- loads and stores with cache hints ---- */
template <class T> T __ldg(const T *at) { return *at; }
template <class T> T __ldca(const T *at) { return *at; }
template <class T> T __ldcg(const T *at) { return *at; }
template <class T> T __ldcs(const T *at) { return *at; }
template <class T> T __ldlu(const T *at) { return *at; }
template <class T> T __ldcv(const T *at) { return *at; }
template <class T> void __stwb(T *at, T v) { *at = v; }
template <class T> void __stcg(T *at, T v) { *at = v; }
template <class T> void __stcs(T *at, T v) { *at = v; }
template <class T> void __stwt(T *at, T v) { *at = v; }
inline size_t __cvta_generic_to_shared(const void *p) { return (size_t) p; }
inline size_t __cvta_generic_to_global(const void *p) { return (size_t) p; }

/* ---- bits ---- */
template <class To, class From> To jeton_bits(From v) { To to; static_assert(sizeof to == sizeof v, ""); memcpy(&to, &v, sizeof to); return to; }
inline int __float_as_int(float v) { return jeton_bits<int>(v); }
inline unsigned __float_as_uint(float v) { return jeton_bits<unsigned>(v); }
inline float __int_as_float(int v) { return jeton_bits<float>(v); }
inline float __uint_as_float(unsigned v) { return jeton_bits<float>(v); }
inline long long __double_as_longlong(double v) { return jeton_bits<long long>(v); }
inline double __longlong_as_double(long long v) { return jeton_bits<double>(v); }
inline int __popc(unsigned v) { return __builtin_popcount(v); }
inline int __popcll(unsigned long long v) { return __builtin_popcountll(v); }
inline int __clz(int v) { return v ? __builtin_clz((unsigned) v) : 32; }
inline int __clzll(long long v) { return v ? __builtin_clzll((unsigned long long) v) : 64; }
inline int __ffs(int v) { return __builtin_ffs(v); }
inline int __ffsll(long long v) { return __builtin_ffsll(v); }
inline unsigned __brev(unsigned v) {
    unsigned r = 0;
    for (int i = 0; i < 32; i++) r |= (v >> i & 1) << (31 - i);
    return r;
}
inline unsigned __byte_perm(unsigned a, unsigned b, unsigned selector) {
    uint64_t all = a | (uint64_t) b << 32;
    unsigned r = 0;
    for (int i = 0; i < 4; i++) {
        unsigned s = selector >> 4 * i & 15, byte = all >> 8 * (s & 7) & 255;
        r |= (s & 8 ? (byte & 128 ? 255u : 0u) : byte) << 8 * i;
    }
    return r;
}
inline unsigned __funnelshift_l(unsigned low, unsigned high, unsigned n) { return (unsigned) (((uint64_t) high << 32 | low) << (n & 31) >> 32); }
inline unsigned __funnelshift_r(unsigned low, unsigned high, unsigned n) { return (unsigned) (((uint64_t) high << 32 | low) >> (n & 31)); }
inline unsigned __umulhi(unsigned a, unsigned b) { return (unsigned) ((uint64_t) a * b >> 32); }
inline int __mulhi(int a, int b) { return (int) ((int64_t) a * b >> 32); }
inline unsigned long long __umul64hi(unsigned long long a, unsigned long long b) { return (unsigned long long) ((unsigned __int128) a * b >> 64); }
inline int __mul24(int a, int b) { return a * b; }
inline int __dp4a(int a, int b, int c) {
    for (int i = 0; i < 4; i++) c += (int) (signed char) (a >> 8 * i) * (int) (signed char) (b >> 8 * i);
    return c;
}
inline unsigned __dp4a(unsigned a, unsigned b, unsigned c) {
    for (int i = 0; i < 4; i++) c += (a >> 8 * i & 255) * (b >> 8 * i & 255);
    return c;
}

/* ---- arithmetic ---- */
using std::isfinite;
using std::isinf;
using std::isnan;
/* Of a number and what is none, the number. */
template <class A, class B> std::common_type_t<A, B> min(A a, B b) {
    std::common_type_t<A, B> x = a, y = b;
    return y < x || x != x ? y : x;
}
template <class A, class B> std::common_type_t<A, B> max(A a, B b) {
    std::common_type_t<A, B> x = a, y = b;
    return x < y || x != x ? y : x;
}
/* The library's are called, which takes longer than what they do. */
inline float jeton_fminf(float a, float b) { return min(a, b); }
inline float jeton_fmaxf(float a, float b) { return max(a, b); }
#define fminf jeton_fminf
#define fmaxf jeton_fmaxf
inline float rsqrtf(float v) { return 1 / sqrtf(v); }
inline double rsqrt(double v) { return 1 / sqrt(v); }
inline void sincospi(double v, double *s, double *c) { double r = fmod(v, 2.0) * M_PI; *s = sin(r); *c = cos(r); }
inline void sincospif(float v, float *s, float *c) { double ds, dc; sincospi(v, &ds, &dc); *s = (float) ds; *c = (float) dc; }
inline float __expf(float v) { return expf(v); }
inline float __exp10f(float v) { return exp10f(v); }
inline float __logf(float v) { return logf(v); }
inline float __log2f(float v) { return log2f(v); }
inline float __log10f(float v) { return log10f(v); }
inline float __powf(float a, float b) { return powf(a, b); }
inline float __sinf(float v) { return sinf(v); }
inline float __cosf(float v) { return cosf(v); }
inline void __sincosf(float v, float *s, float *c) { *s = sinf(v); *c = cosf(v); }
inline float __tanf(float v) { return tanf(v); }
inline float __fdividef(float a, float b) { return a / b; }
inline float __fdiv_rn(float a, float b) { return a / b; }
inline float __frcp_rn(float v) { return 1 / v; }
inline float __fsqrt_rn(float v) { return sqrtf(v); }
inline float __frsqrt_rn(float v) { return (float) (1 / sqrt((double) v)); }
/* The _rn forms are never contracted into a fused multiply-add. */
inline float __fadd_rn(float a, float b) { volatile float r = a + b; return r; }
inline float __fsub_rn(float a, float b) { volatile float r = a - b; return r; }
inline float __fmul_rn(float a, float b) { volatile float r = a * b; return r; }
inline float __fmaf_rn(float a, float b, float c) { return fmaf(a, b, c); }
inline double __dadd_rn(double a, double b) { volatile double r = a + b; return r; }
inline double __dsub_rn(double a, double b) { volatile double r = a - b; return r; }
inline double __dmul_rn(double a, double b) { volatile double r = a * b; return r; }
inline double __ddiv_rn(double a, double b) { return a / b; }
inline double __fma_rn(double a, double b, double c) { return fma(a, b, c); }
inline float __saturatef(float v) { return v > 0 ? (v < 1 ? v : 1) : 0; }
inline int __float2int_rn(float v) { return (int) nearbyintf(v); }
inline int __float2int_rz(float v) { return (int) v; }
inline int __float2int_rd(float v) { return (int) floorf(v); }
inline int __float2int_ru(float v) { return (int) ceilf(v); }
inline unsigned __float2uint_rn(float v) { return (unsigned) nearbyintf(v); }
inline float __int2float_rn(int v) { return (float) v; }
inline float __uint2float_rn(unsigned v) { return (float) v; }
inline float __double2float_rn(double v) { return (float) v; }
inline double __int2double_rn(int v) { return v; }
inline double __uint2double_rn(unsigned v) { return v; }
inline double __ll2double_rn(long long v) { return (double) v; }
inline double __ull2double_rn(unsigned long long v) { return (double) v; }

/* ---- alignment ---- */
/*
 * What g++ calls where a source compiled with -fsanitize=alignment -fno-sanitize-recover=alignment takes a pointer for one to
 * something that has to lie elsewhere, which is an error of a GPU's and of no host's. What it is given is libubsan's
 * TypeMismatchData: a place (file, line, column), the type, the binary logarithm of its alignment, what is done.
 */
extern "C" __attribute__((weak)) void __ubsan_handle_type_mismatch_v1_abort(void *given, uintptr_t address) {
    struct Mismatch { const char *file; unsigned line, column; const void *type; unsigned char alignment, what; };
    auto *mismatch = (const Mismatch *) given;
    if (!jeton::current) {
        fprintf(stderr, "%s:%u: %p is misaligned\n", mismatch->file, mismatch->line, (void *) address);
        abort();
    }
    jeton::fail(jeton::MISALIGNED_ADDRESS, "%s:%u takes %p as aligned to %u bytes", mismatch->file, mismatch->line,
            (void *) address, 1u << mismatch->alignment);
}

/* ---- what the NVRTC stand-in appends to a source, and the driver's stand-in looks up ---- */
extern "C" __attribute__((weak)) void *jeton_dynamic_address();

namespace jeton {

inline thread_local char tls_anchor;

struct Tls { void *at; size_t bytes; };

inline int find_tls(dl_phdr_info *info, size_t size, void *out) {
    bool mine = false;
    size_t bytes = 0;
    for (int i = 0; i < info->dlpi_phnum; i++) {
        const ElfW(Phdr) &header = info->dlpi_phdr[i];
        uintptr_t from = info->dlpi_addr + header.p_vaddr, here = (uintptr_t) &machine;
        if (header.p_type == PT_LOAD && here >= from && here < from + header.p_memsz) mine = true;
        if (header.p_type == PT_TLS) bytes = header.p_memsz;
    }
    if (!mine) return 0;
    (void) size;
    *(Tls *) out = {info->dlpi_tls_data, info->dlpi_tls_data ? bytes : 0};
    return 1;
}

inline void run_kernel(const Kernel *kernel, Launch *launch) {
    static unsigned char *pool;
    static void *anchor;
    static Tls own;
    *(volatile char *) &tls_anchor = 0;
    /* The block is where it was as long as what lies in it is; to ask again takes longer the more modules there are. */
    if (anchor != &tls_anchor) {
        own = {nullptr, 0};
        dl_iterate_phdr(find_tls, &own);
        anchor = &tls_anchor;
    }
    Tls tls = own;
    unsigned char *at = (unsigned char *) tls.at, *dynamic;
    Tls rest = {nullptr, 0};
    if (jeton_dynamic_address) {
        /* The dynamic part lies among the thread-local variables, and is poisoned by the size that the launch gave. */
        dynamic = (unsigned char *) jeton_dynamic_address();
        rest = {dynamic + DYNAMIC_SHARED, (size_t) (at + tls.bytes - dynamic - DYNAMIC_SHARED)};
        tls.bytes = (size_t) (dynamic - at);
    } else {
        if (!pool) pool = (unsigned char *) aligned_alloc(1024, DYNAMIC_SHARED);
        dynamic = pool;
    }
    machine.shared[0] = {at, tls.bytes};
    machine.shared[1] = {(unsigned char *) rest.at, rest.bytes};
    machine.shared[2] = {dynamic, launch->shared};
    machine.dynamic = dynamic;
    run_grid(kernel, launch);
}

template <class... A> struct Caller {
    template <void (*K)(A...), size_t... I> static void call(void **params, std::index_sequence<I...>) {
        K(*(std::remove_const_t<A> *) params[I]...);
    }
    template <void (*K)(A...)> static void thread(void **params) { call<K>(params, std::index_sequence_for<A...>()); }
    static constexpr unsigned sizes[sizeof...(A) + 1] = {sizeof(A)..., 0};
};
template <class... A> Caller<A...> caller_of(void (*)(A...));

}  // namespace jeton

/* Makes a kernel known under its name. */
#define JETON_KERNEL(k) \
    extern "C" const jeton::Kernel jeton_kernel_##k = {#k, \
            &decltype(jeton::caller_of(&k))::template thread<&k>, \
            sizeof(decltype(jeton::caller_of(&k))::sizes) / sizeof(unsigned) - 1, \
            decltype(jeton::caller_of(&k))::sizes, &jeton::run_kernel};
