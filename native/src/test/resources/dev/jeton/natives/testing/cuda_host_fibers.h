/*
 * Runs one block of a CUDA kernel on the host: every thread of the block is a fiber, so that barriers, shuffles and
 * votes work as on a GPU and a missing one shows. Part of cuda_host.h.
 *
 * A fiber runs until it has to wait. Lanes of a warp are handed over to one another directly; the scheduler goes from
 * warp to warp. Where nobody can run and somebody is alive, the kernel is stuck: that is reported with the place of
 * every waiting thread's kind, never waited for. The order of warps and lanes comes from a seed, since nothing on a GPU
 * promises any.
 *
 * One block runs at a time in a process; whoever launches holds the stand-in's lock.
 */
#pragma once
#include <cstdarg>
#include <cstddef>
#include <cstdint>
#include <cstdio>
#include <cstdlib>
#include <cstring>
#include <sys/mman.h>

#if defined(__x86_64__)
asm(R"(
.pushsection .text
.weak jeton_switch
.hidden jeton_switch
.type jeton_switch,@function
jeton_switch:
    endbr64
    pushq %rbp
    pushq %rbx
    pushq %r12
    pushq %r13
    pushq %r14
    pushq %r15
    movq %rsp, (%rdi)
    movq %rsi, %rsp
    popq %r15
    popq %r14
    popq %r13
    popq %r12
    popq %rbx
    popq %rbp
    ret
.size jeton_switch,.-jeton_switch
.popsection
)");
#elif defined(__aarch64__)
asm(R"(
.pushsection .text
.weak jeton_switch
.hidden jeton_switch
.type jeton_switch,%function
jeton_switch:
    sub sp, sp, #160
    stp x19, x20, [sp, #0]
    stp x21, x22, [sp, #16]
    stp x23, x24, [sp, #32]
    stp x25, x26, [sp, #48]
    stp x27, x28, [sp, #64]
    stp x29, x30, [sp, #80]
    stp d8, d9, [sp, #96]
    stp d10, d11, [sp, #112]
    stp d12, d13, [sp, #128]
    stp d14, d15, [sp, #144]
    mov x9, sp
    str x9, [x0]
    mov sp, x1
    ldp x19, x20, [sp, #0]
    ldp x21, x22, [sp, #16]
    ldp x23, x24, [sp, #32]
    ldp x25, x26, [sp, #48]
    ldp x27, x28, [sp, #64]
    ldp x29, x30, [sp, #80]
    ldp d8, d9, [sp, #96]
    ldp d10, d11, [sp, #112]
    ldp d12, d13, [sp, #128]
    ldp d14, d15, [sp, #144]
    add sp, sp, #160
    ret
.size jeton_switch,.-jeton_switch
.popsection
)");
#else
#error "the host version of CUDA knows x86-64 and aarch64"
#endif

/* Keeps the callee's registers on the stack, that stack in *from, and goes on where `to` stopped. */
extern "C" void jeton_switch(void **from, void *to);

struct uint3 { unsigned x, y, z; };
struct dim3 {
    unsigned x, y, z;
    constexpr dim3(unsigned x_ = 1, unsigned y_ = 1, unsigned z_ = 1) : x(x_), y(y_), z(z_) {}
    constexpr dim3(uint3 v) : x(v.x), y(v.y), z(v.z) {}
};

namespace jeton {

/* What the driver's stand-in and a module tell each other; the layout is the same in both. */
struct Launch {
    unsigned grid[3];
    unsigned block[3];
    unsigned shared;        /* dynamic shared memory, bytes */
    unsigned long long seed; /* of the order of blocks, warps and lanes; 0: ascending */
    void **params;
    int code;               /* out: 0, or a CUresult */
    char message[1024];     /* out */
    /* Whether a kernel may touch these bytes; asked only of modules compiled with checks. If not, `why` says why. */
    bool (*allowed)(const void *address, size_t bytes, bool write, char *why, size_t room);
    unsigned char *stacks;  /* STACKS bytes of the fibers, which all modules may share; null: the module has its own */
    int programmatic;       /* whether each thread must wait for the kernel before, which may not have run yet */
    void (*previous)(void *previous_of); /* runs the kernel before, once nothing of the first block can go on without it */
    void *previous_of;
};

struct Kernel {
    const char *name;
    void (*thread)(void **params);
    unsigned count;
    const unsigned *sizes;  /* of the parameters, bytes */
    void (*launch)(const Kernel *, Launch *);
};

constexpr int ILLEGAL_ADDRESS = 700, ASSERTION = 710, MISALIGNED_ADDRESS = 716, LAUNCH_FAILED = 719;
constexpr unsigned WARP = 32, MOST_THREADS = 1024, MOST_WARPS = MOST_THREADS / WARP, BARRIERS = 16;
constexpr size_t STACK = 128 * 1024, DYNAMIC_SHARED = 232448;
/* From one stack to the next: not a power of two, so that what lies at one depth in all does not share a cache's set. */
constexpr size_t STRIDE = STACK + 320, STACKS = MOST_THREADS * STRIDE;
constexpr uint64_t CANARY = 0x6a65746f6e5f7374ull;

/* MEET is where lanes wait for each other as some instructions make them, which orders no access of memory. */
enum Kind : int { RUNS, SYNC, SHUFFLE, BALLOT, ADD, MINIMUM, MAXIMUM, AND, OR, XOR, MATCH, MEET, BARRIER, PREVIOUS };

inline const char *kind_name(int kind) {
    static const char *names[] = {"nothing", "__syncwarp", "a shuffle", "a vote", "__reduce_add_sync",
            "__reduce_min_sync", "__reduce_max_sync", "__reduce_and_sync", "__reduce_or_sync", "__reduce_xor_sync",
            "__match_any_sync", "an instruction of the warp", "a barrier of the block", "the kernel before"};
    return names[kind];
}

struct Lane {
    void *sp;
    unsigned char *stack;
    uint3 thread;
    unsigned warp, lane;
    bool waited;            /* for the kernel before */
    bool turn;              /* which of two places is written to next, where lanes take them by turns */
    int kind, barrier;
    uint32_t mask;
    int source;
    uint64_t value[2], result[2];
};

/* Told to who looks for races (cuda_host_races.cpp), in sources compiled for that alone. */
namespace races {
#ifdef JETON_RACES
void begin_launch();
void begin_block();
void join(const Lane *const *lanes, unsigned count);
void fence();
void in_atomic(const void *at);
void watch(const void *from, size_t bytes);
void forget(const void *from);
unsigned found();
#else
inline void begin_launch() {}
inline void begin_block() {}
inline void join(const Lane *const *, unsigned) {}
inline void fence() {}
inline void in_atomic(const void *) {}
#endif
}  // namespace races

struct Warp { uint32_t live, ready, waiting; };

struct Barrier { unsigned arrived, expected; int any, all, count; };

struct Range { unsigned char *at; size_t bytes; };

struct Machine {
    Lane lanes[MOST_THREADS];
    Warp warps[MOST_WARPS];
    Barrier barriers[BARRIERS];
    unsigned threads, warp_count, live, spins;
    unsigned at_barriers;   /* threads that wait there */
    void *scheduler;
    const Kernel *kernel;
    Launch *launch;
    Launch own;             /* what it points to while blocks run */
    unsigned char values[4096 + 8]; /* of the parameters, and where each begins */
    void *params[512];
    uint64_t random;
    unsigned char *stacks;
    Range shared[3];        /* shared memory: static, and the dynamic part */
    unsigned char *dynamic;
};

/* Of a module, which reaches them at their place and not through a table. */
#define JETON_OWN inline __attribute__((visibility("hidden")))
JETON_OWN Machine machine;
JETON_OWN Lane *current;
JETON_OWN uint3 block_index;
JETON_OWN dim3 block_size, grid_size;
#undef JETON_OWN

inline uint64_t next_random() {
    uint64_t z = machine.random += 0x9e3779b97f4a7c15ull;
    z = (z ^ z >> 30) * 0xbf58476d1ce4e5b9ull;
    z = (z ^ z >> 27) * 0x94d049bb133111ebull;
    return z ^ z >> 31;
}

/* Ends the launch: the fibers are dropped where they stand. */
[[noreturn]] inline void fail(int code, const char *format, ...) {
    Launch *launch = machine.launch;
    launch->code = code;
    int at = snprintf(launch->message, sizeof launch->message, "kernel %s, block (%u, %u, %u), thread (%u, %u, %u): ",
            machine.kernel->name, block_index.x, block_index.y, block_index.z,
            current->thread.x, current->thread.y, current->thread.z);
    va_list args;
    va_start(args, format);
    vsnprintf(launch->message + at, sizeof launch->message - at, format, args);
    va_end(args);
    void *dropped;
    jeton_switch(&dropped, machine.scheduler);
    __builtin_unreachable();
}

inline Lane *pick(Warp &warp, unsigned index) {
    unsigned lane;
    if (machine.launch->seed) {
        unsigned turn = next_random() & 31;
        uint32_t turned = turn ? warp.ready >> turn | warp.ready << (32 - turn) : warp.ready;
        lane = (__builtin_ctz(turned) + turn) & 31;
    } else {
        lane = __builtin_ctz(warp.ready);
    }
    warp.ready &= ~(1u << lane);
    return &machine.lanes[index * WARP + lane];
}

/* Gives way to whoever of the warp can run, else to the scheduler. */
inline void wait() {
    Lane *me = current;
    Warp &warp = machine.warps[me->warp];
    if (warp.ready) {
        Lane *next = pick(warp, me->warp);
        current = next;
        jeton_switch(&me->sp, next->sp);
    } else {
        jeton_switch(&me->sp, machine.scheduler);
    }
}

/* Lets the others run; for loops that wait for memory to change. */
inline void yield() {
    if (++machine.spins > 50000000u) {
        fail(LAUNCH_FAILED, "waits for memory that nobody changes");
    }
    Lane *me = current;
    machine.warps[me->warp].ready |= 1u << me->lane;
    jeton_switch(&me->sp, machine.scheduler);
}

inline uint64_t reduced(int kind, const Lane *lanes, uint32_t group) {
    bool first = true;
    uint64_t sum = 0;
    for (unsigned l = 0; l < WARP; l++) {
        if (!(group >> l & 1)) continue;
        uint64_t v = lanes[l].value[0];
        bool sign = lanes[l].source;
        if (first) sum = v;
        else switch (kind) {
            case ADD: sum += v; break;
            case MINIMUM: sum = sign ? ((int) v < (int) sum ? v : sum) : (v < sum ? v : sum); break;
            case MAXIMUM: sum = sign ? ((int) v > (int) sum ? v : sum) : (v > sum ? v : sum); break;
            case AND: sum &= v; break;
            case OR: sum |= v; break;
            default: sum ^= v; break;
        }
        first = false;
    }
    return (uint32_t) sum;
}

inline void exchange(int kind, Lane *lanes, uint32_t group) {
    uint64_t all = 0;
    if (kind == BALLOT) {
        for (unsigned l = 0; l < WARP; l++) if (group >> l & 1 && lanes[l].value[0]) all |= 1u << l;
    } else if (kind >= ADD && kind <= XOR) {
        all = reduced(kind, lanes, group);
    }
    for (unsigned l = 0; l < WARP; l++) {
        if (!(group >> l & 1)) continue;
        Lane &lane = lanes[l];
        if (kind == SHUFFLE) {
            bool there = group >> lane.source & 1;
            /* What a lane that takes no part has, is undefined: not a number, and no valid index. */
            lane.result[0] = there ? lanes[lane.source].value[0] : ~0ull;
            lane.result[1] = there ? lanes[lane.source].value[1] : ~0ull;
        } else if (kind == MATCH) {
            uint32_t same = 0;
            for (unsigned o = 0; o < WARP; o++) {
                if (group >> o & 1 && lanes[o].value[0] == lane.value[0]) same |= 1u << o;
            }
            lane.result[0] = same;
        } else {
            lane.result[0] = all;
        }
    }
}

/* Whether all living lanes of the mask have come; then they have their results and can run. */
inline bool complete(Warp &warp, unsigned index, uint32_t mask, int kind) {
    uint32_t group = mask & warp.live;
    if ((warp.waiting & group) != group) return false;
    Lane *lanes = &machine.lanes[index * WARP];
    for (unsigned l = 0; l < WARP; l++) {
        if (group >> l & 1 && (lanes[l].kind != kind || lanes[l].mask != mask)) {
            fail(LAUNCH_FAILED, "warp %u is split: one lane waits in %s with mask %08x, lane %u in %s with mask %08x",
                    index, kind_name(kind), mask, l, kind_name(lanes[l].kind), lanes[l].mask);
        }
    }
    exchange(kind, lanes, group);
    warp.waiting &= ~group;
    const Lane *met[WARP];
    unsigned count = 0;
    for (unsigned l = 0; l < WARP; l++) if (group >> l & 1) lanes[l].kind = RUNS, met[count++] = &lanes[l];
    if (kind == SYNC) races::join(met, count);
    warp.ready |= group;
    return true;
}

inline Lane *collective(int kind, uint32_t mask, uint64_t v0, uint64_t v1, int source) {
    Lane *me = current;
    Warp &warp = machine.warps[me->warp];
    uint32_t bit = 1u << me->lane;
    if (!(mask & bit)) {
        fail(LAUNCH_FAILED, "is in %s with mask %08x, which leaves out its own lane %u", kind_name(kind), mask, me->lane);
    }
    me->kind = kind;
    me->mask = mask;
    me->value[0] = v0;
    me->value[1] = v1;
    me->source = source;
    warp.waiting |= bit;
    if (complete(warp, me->warp, mask, kind)) {
        warp.ready &= ~bit;
    } else {
        wait();
    }
    return me;
}

inline void release(int id) {
    Barrier &barrier = machine.barriers[id];
    machine.at_barriers -= barrier.arrived;
    barrier.arrived = 0;
    uint64_t result = barrier.any | barrier.all << 1 | barrier.count << 2;
    barrier.any = barrier.count = 0;
    barrier.all = 1;
    static const Lane *met[MOST_THREADS];
    unsigned count = 0;
    for (unsigned t = 0; t < machine.threads; t++) {
        Lane &lane = machine.lanes[t];
        if (lane.kind == BARRIER && lane.barrier == id) {
            met[count++] = &lane;
            lane.kind = RUNS;
            lane.result[0] = result;
            machine.warps[lane.warp].ready |= 1u << lane.lane;
        }
    }
    races::join(met, count);
}

/* Barrier `id`; 0 threads expected: every living one of the block. Returns any | all << 1 | count << 2 of predicates. */
inline int barrier(int id, unsigned expected, int predicate) {
    if (id < 0 || id >= (int) BARRIERS) {
        fail(LAUNCH_FAILED, "there is no barrier %d", id);
    }
    Lane *me = current;
    Barrier &barrier = machine.barriers[id];
    barrier.any |= predicate != 0;
    barrier.all &= predicate != 0;
    barrier.count += predicate != 0;
    barrier.expected = expected;
    me->kind = BARRIER;
    me->barrier = id;
    machine.at_barriers++;
    if (++barrier.arrived == (expected ? expected : machine.live)) {
        release(id);
        machine.warps[me->warp].ready &= ~(1u << me->lane);
    } else {
        wait();
    }
    return (int) me->result[0];
}

/* As griddepcontrol.wait: what follows may use what the kernel before has written. */
inline void wait_for_previous() {
    current->waited = true;
    if (machine.launch->previous) {
        current->kind = PREVIOUS;
        wait();
    }
}

/* The fiber's whole life. */
inline void life() {
    machine.kernel->thread(machine.launch->params);
    Lane *me = current;
    if (machine.launch->programmatic && !me->waited) {
        fail(LAUNCH_FAILED, "ends without having waited for the kernel before");
    }
    if (*(uint64_t *) me->stack != CANARY) {
        fail(LAUNCH_FAILED, "has used more than %zu bytes of stack", STACK);
    }
    Warp &warp = machine.warps[me->warp];
    warp.live &= ~(1u << me->lane);
    machine.live--;
    for (unsigned l = 0; warp.waiting && l < WARP; l++) {
        if (warp.waiting >> l & 1) {
            Lane &lane = machine.lanes[me->warp * WARP + l];
            complete(warp, me->warp, lane.mask, lane.kind);
        }
    }
    for (unsigned id = 0; machine.at_barriers && id < BARRIERS; id++) {
        Barrier &barrier = machine.barriers[id];
        if (barrier.arrived && !barrier.expected && barrier.arrived == machine.live) release(id);
    }
    wait();
    __builtin_unreachable();
}

inline unsigned char *make_stacks() {
    return (unsigned char *) mmap(nullptr, STACKS, PROT_READ | PROT_WRITE,
            MAP_PRIVATE | MAP_ANONYMOUS | MAP_NORESERVE, -1, 0);
}

inline void prepare(Lane &lane) {
    unsigned char *top = lane.stack + STACK;
    *(uint64_t *) lane.stack = CANARY;
#if defined(__x86_64__)
    void **sp = (void **) top;
    *--sp = nullptr;
    *--sp = (void *) &life;
    for (int i = 0; i < 6; i++) *--sp = nullptr;
#else
    void **sp = (void **) (top - 160);
    memset(sp, 0, 160);
    sp[11] = (void *) &life;
#endif
    lane.sp = sp;
}

/*
 * Runs the kernel before, whose module may be this one: what this launch has in it is put aside meanwhile. False where
 * nobody waits for it.
 */
inline bool run_previous() {
    bool awaited = false;
    for (unsigned t = 0; t < machine.threads; t++) awaited = awaited || machine.lanes[t].kind == PREVIOUS;
    if (!awaited) return false;
    size_t bytes = sizeof machine;
    for (Range &range : machine.shared) bytes += range.bytes;
    unsigned char *aside = (unsigned char *) malloc(bytes), *at = aside + sizeof machine;
    memcpy(aside, &machine, sizeof machine);
    for (Range &range : machine.shared) at = (unsigned char *) memcpy(at, range.at, range.bytes) + range.bytes;
    uint3 index = block_index;
    dim3 size = block_size, grid = grid_size;
    machine.launch->previous(machine.launch->previous_of);
    memcpy(&machine, aside, sizeof machine);
    at = aside + sizeof machine;
    for (Range &range : machine.shared) memcpy(range.at, at, range.bytes), at += range.bytes;
    block_index = index, block_size = size, grid_size = grid;
    free(aside);
    machine.launch->previous = nullptr;
    for (unsigned t = 0; t < machine.threads; t++) {
        Lane &lane = machine.lanes[t];
        if (lane.kind != PREVIOUS) continue;
        lane.kind = RUNS;
        machine.warps[lane.warp].ready |= 1u << lane.lane;
    }
    return true;
}

inline void stuck() {
    unsigned kinds[PREVIOUS + 1] = {0};
    Lane *example = nullptr;
    for (unsigned t = 0; t < machine.threads; t++) {
        Lane &lane = machine.lanes[t];
        if (!(machine.warps[lane.warp].live >> lane.lane & 1)) continue;
        kinds[lane.kind]++;
        if (!example || lane.kind != BARRIER) example = &lane;
    }
    char text[512];
    int at = snprintf(text, sizeof text, "is stuck: of %u threads %u have ended", machine.threads,
            machine.threads - machine.live);
    for (int kind = SYNC; kind <= PREVIOUS; kind++) {
        if (kinds[kind] && at < (int) sizeof text) {
            at += snprintf(text + at, sizeof text - at, ", %u wait in %s", kinds[kind], kind_name(kind));
        }
    }
    current = example;
    machine.launch->code = LAUNCH_FAILED;
    snprintf(machine.launch->message, sizeof machine.launch->message,
            "kernel %s, block (%u, %u, %u) %s; thread (%u, %u, %u) waits in %s, mask %08x, barrier %d",
            machine.kernel->name, block_index.x, block_index.y, block_index.z, text, example->thread.x,
            example->thread.y, example->thread.z, kind_name(example->kind), example->mask, example->barrier);
}

inline void start_block() {
    machine.live = machine.threads;
    machine.spins = 0;
    machine.at_barriers = 0;
    for (unsigned w = 0; w < machine.warp_count; w++) {
        unsigned lanes = machine.threads - w * WARP;
        uint32_t all = lanes >= WARP ? ~0u : (1u << lanes) - 1;
        machine.warps[w] = {all, all, 0};
    }
    for (Barrier &barrier : machine.barriers) barrier = {0, 0, 0, 1, 0};
    uint3 thread = {0, 0, 0};
    for (unsigned t = 0; t < machine.threads; t++) {
        Lane &lane = machine.lanes[t];
        lane.stack = machine.stacks + t * STRIDE;
        lane.thread = thread;
        if (++thread.x == block_size.x) {
            thread.x = 0;
            if (++thread.y == block_size.y) thread.y = 0, thread.z++;
        }
        lane.warp = t / WARP;
        lane.lane = t % WARP;
        lane.kind = RUNS;
        lane.waited = false;
        lane.turn = false;
        prepare(lane);
    }
    /* Shared memory holds no numbers at first, whatever an earlier block left there. */
    for (Range &range : machine.shared) if (range.bytes) memset(range.at, 0xff, range.bytes);
    races::begin_block();
}

inline void run_block() {
    start_block();
    while (machine.live && !machine.launch->code) {
        bool ran = false;
        unsigned first = machine.launch->seed ? next_random() % machine.warp_count : 0;
        for (unsigned i = 0; i < machine.warp_count && !machine.launch->code; i++) {
            unsigned w = (first + i) % machine.warp_count;
            /* Those that yield come back next turn, so that other warps run in between. */
            for (unsigned n = 0; n < WARP && machine.warps[w].ready && !machine.launch->code; n++) {
                ran = true;
                current = pick(machine.warps[w], w);
                jeton_switch(&machine.scheduler, current->sp);
                current = nullptr;
            }
        }
        if (!ran && machine.live && !machine.launch->code && !run_previous()) {
            stuck();
        }
    }
}

/* Each block once, in an order that the seed gives: i -> (i * step + start) mod count with step coprime to count. */
inline void run_grid(const Kernel *kernel, Launch *launch) {
    size_t used = 0;
    for (unsigned i = 0; i < kernel->count; used += (kernel->sizes[i] + 15) / 16 * 16, i++) {
        machine.params[i] = machine.values + used;
        memcpy(machine.params[i], launch->params[i], kernel->sizes[i]);
    }
    machine.kernel = kernel;
    machine.own = *launch;
    machine.own.params = machine.params;
    Launch *asked = launch;
    races::begin_launch();
    machine.launch = launch = &machine.own;
    machine.random = launch->seed;
    block_size = dim3(launch->block[0], launch->block[1], launch->block[2]);
    grid_size = dim3(launch->grid[0], launch->grid[1], launch->grid[2]);
    machine.threads = block_size.x * block_size.y * block_size.z;
    machine.warp_count = (machine.threads + WARP - 1) / WARP;
    if (launch->stacks) machine.stacks = launch->stacks;
    else if (!machine.stacks) machine.stacks = make_stacks();
    uint64_t blocks = (uint64_t) grid_size.x * grid_size.y * grid_size.z, step = 1, start = 0;
    if (launch->seed && blocks > 1) {
        start = next_random() % blocks;
        for (;;) {
            step = next_random() % blocks | 1;
            uint64_t a = step, b = blocks;
            while (b) { uint64_t r = a % b; a = b; b = r; }
            if (a == 1) break;
        }
    }
    for (uint64_t i = 0; i < blocks && !launch->code; i++) {
        uint64_t b = (uint64_t) (((unsigned __int128) i * step + start) % blocks);
        block_index = {(unsigned) (b % grid_size.x), (unsigned) (b / grid_size.x % grid_size.y),
                (unsigned) (b / grid_size.x / grid_size.y)};
        run_block();
    }
    asked->code = launch->code;
    memcpy(asked->message, launch->message, sizeof launch->message);
}

/* Of a module compiled with -fsanitize=kernel-address: every access of memory comes here first. */
__attribute__((no_sanitize("kernel-address"))) inline void access(uintptr_t address, size_t bytes, bool write) {
    if (!current || !machine.launch->allowed) return;
    char why[512];
    if (!machine.launch->allowed((const void *) address, bytes, write, why, sizeof why)) {
        fail(ILLEGAL_ADDRESS, "%s %zu bytes at %p: %s", write ? "writes" : "reads", bytes, (void *) address, why);
    }
}

}  // namespace jeton
