// Runs the checks' kernels on the host, on the machine of cuda_host.h (native's tests): -DMACHINE='"check_host.h"' and
// the folder of cuda_host.h on the include path. The order of blocks and threads comes from a seed that counts
// launches.
#pragma once
#include "cuda_host.h"

#include <functional>

static void check_thread(void** parameters) { (**(std::function<void()>**)parameters[0])(); }

static void check_launch(dim3 blocks, unsigned threads, size_t shared, const char* name, std::function<void()> body) {
    static unsigned long long launches = 0;
    static const unsigned size = sizeof(void*);
    std::function<void()>* called = &body;
    void* parameters[] = {&called};
    jeton::Kernel kernel = {name, &check_thread, 1, &size, &jeton::run_kernel};
    jeton::Launch launch = {};
    launch.grid[0] = blocks.x, launch.grid[1] = blocks.y, launch.grid[2] = blocks.z;
    launch.block[0] = threads, launch.block[1] = launch.block[2] = 1;
    launch.shared = (unsigned)shared;
    launch.seed = launches++;
    launch.params = parameters;
    jeton::run_kernel(&kernel, &launch);
    if (launch.code) {
        printf("FAIL %s\n", launch.message);
        exit(1);
    }
}

#define LAUNCH(blocks, threads, shared, kernel, call) check_launch(blocks, threads, shared, #kernel, [&] { call; })

// With CHECK_ACCESS and -fsanitize=kernel-address --param asan-instrumentation-with-call-threshold=0 --param
// asan-stack=0 --param asan-globals=0 every access of a kernel comes here first: one outside an array's elements, but
// within its guards, is an error.
#ifdef CHECK_ACCESS
#include <map>

struct CheckedRange {
    uintptr_t from;
    uintptr_t to;
    uintptr_t end;
};

static std::map<uintptr_t, CheckedRange> checked_ranges;
static bool checked_busy;

#define UNCHECKED __attribute__((no_sanitize("kernel-address")))

UNCHECKED static void check_access(uintptr_t at, size_t bytes) {
    if (checked_busy || !jeton::machine.live) {
        return;
    }
    checked_busy = true;
    auto next = checked_ranges.upper_bound(at);
    if (next != checked_ranges.begin()) {
        const CheckedRange& r = std::prev(next)->second;
        if (at < r.end && (at < r.from || at + bytes > r.to)) {
            printf("FAIL kernel %s touches %zu bytes at %ld of an array of %ld bytes\n", jeton::machine.kernel->name,
                   bytes, (long)(at - r.from), (long)(r.to - r.from));
            exit(1);
        }
    }
    checked_busy = false;
}

#define CHECK_SIZE(n)                                                                                  \
    extern "C" UNCHECKED void __asan_load##n##_noabort(unsigned long at) { check_access(at, n); }      \
    extern "C" UNCHECKED void __asan_store##n##_noabort(unsigned long at) { check_access(at, n); }
CHECK_SIZE(1)
CHECK_SIZE(2)
CHECK_SIZE(4)
CHECK_SIZE(8)
CHECK_SIZE(16)
extern "C" UNCHECKED void __asan_loadN_noabort(unsigned long at, unsigned long n) { check_access(at, n); }
extern "C" UNCHECKED void __asan_storeN_noabort(unsigned long at, unsigned long n) { check_access(at, n); }
extern "C" void __asan_handle_no_return() {}
extern "C" void __asan_before_dynamic_init(const void*) {}
extern "C" void __asan_after_dynamic_init() {}
extern "C" void __asan_register_globals(void*, unsigned long) {}
extern "C" void __asan_unregister_globals(void*, unsigned long) {}
#endif
