// Runs the checks' kernels on the host, on the machine of cuda_host.h (native's tests): -DMACHINE='"check_host.h"' and
// the folder of cuda_host.h on the include path. The order of blocks and threads comes from a seed that counts launches.
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
