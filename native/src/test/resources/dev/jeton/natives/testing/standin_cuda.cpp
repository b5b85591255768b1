/*
 * Stands in for the CUDA driver where there is no GPU: the entry points that Jeton binds, with their signatures, codes
 * and rules (source: cuda.h of CUDA 13.0 and the driver API reference). Kernels are modules that the NVRTC stand-in
 * compiled for the host; they really run.
 *
 * Work runs at once, or, in deferred mode, only when somebody waits or asks: then streams run interleaved in an order
 * that a seed gives, held back by nothing but the events between them, so that a dependency which the program forgot
 * shows as wrong numbers. Pageable memory is copied when the copy is queued, pinned memory when it is made, as by the
 * driver. Fresh memory holds bytes of 0xff; red zones around each allocation are looked at after each launch.
 *
 * Each device has memory, streams and functions of its own, and is lost for itself: what one is given of another is an
 * error. A stream may be held by an exchange with another device (standin_nccl.cpp), whose thread may come at any time:
 * who waits for it then waits for that thread, for as long as a test has patience.
 *
 * One lock over everything: calls may come from any thread.
 */
#include "standin.h"
#include "cuda_host_fibers.h"
#include <algorithm>
#include <chrono>
#include <condition_variable>
#include <deque>
#include <dlfcn.h>
#include <elf.h>
#include <link.h>
#include <map>
#include <memory>
#include <mutex>
#include <random>
#include <set>
#include <sys/mman.h>
#include <thread>
#include <time.h>
#include <unistd.h>
#include <vector>

using namespace standin;
typedef unsigned long long Address;

namespace {

constexpr size_t ZONE = 256;
constexpr unsigned char ZONE_BYTE = 0xa5, FRESH = 0xff;

struct Graph;
struct Launching;

struct Op {
    std::string what;                 /* names the operation's kind and function: what a graph update compares */
    std::function<void()> work;
    std::function<bool()> ready;      /* empty: at once */
    bool exchange = false;            /* what makes it ready may come from another thread */
    std::function<bool()> over = {};  /* whether the work is done once it was begun; empty: it is */
    std::shared_ptr<Launching> kernel = {}; /* what it launches, if it is a kernel */
};

struct Node { Op op; std::vector<int> after; };

struct Graph { std::vector<Node> nodes; };

struct Capture {
    Graph *graph;
    struct Stream *origin;
    std::set<Stream *> members;
    int mode;
    bool broken;
    std::thread::id thread = std::this_thread::get_id();
};

struct Stream {
    int device = 0;
    unsigned flags = 0;
    std::deque<Op> queue = {};
    Capture *capture = nullptr;
    std::vector<int> tail = {};       /* of its capture */
};

struct Event {
    int device = 0;
    unsigned flags = 0;
    uint64_t recorded = 0, done = 0;
    long long nanos = 0;
    Capture *captured = nullptr;
    std::vector<int> tail = {};
};

struct Module { void *handle; int fd; int architecture; int device; };

struct Function { const jeton::Kernel *kernel; Module *module; unsigned most_shared; };

struct Block { size_t bytes; unsigned char *raw; int device; };

struct Device {
    std::string name = "Stand-in H200";
    int major = 9, minor = 0;
    int retained = 0, lost = 0;
    size_t used = 0;
    Stream legacy = {};
    std::map<std::string, long> calls = {};
};

struct Order { int device; std::string call; long nth; int code; bool sticky; };

using Clock = std::chrono::steady_clock;

struct State {
    std::vector<Device> devices{1};
    bool initialized = false;
    std::map<uintptr_t, Block> memory;           /* device memory, by address */
    std::map<uintptr_t, size_t> pinned, registered;
    std::map<uintptr_t, size_t> globals;         /* loaded modules */
    size_t total = 1ull << 30;                   /* of each device */
    std::set<Stream *> streams;
    std::set<Event *> events;
    std::vector<std::unique_ptr<Event>> ended;
    std::set<Module *> modules;
    std::map<Module *, std::vector<Function *>> functions;
    std::set<Graph *> graphs, execs;
    bool deferred = false, check = false;
    uint64_t seed = 0, launches = 0;
    std::mt19937_64 random;
    long long clock = 0, per_operation = 0, elapsed = 0;
    std::map<unsigned, long long> product_nanos;
    unsigned long long refused_from = 1, refused_to = 0;
    std::map<std::string, long> calls;
    std::vector<Order> orders;
    std::string message;
    Clock::time_point moved = Clock::now();      /* when work was last queued or done */
    std::chrono::milliseconds patience{20000};
};

std::recursive_mutex lock;
std::condition_variable_any changed;
State *state = new State();
thread_local int context = -1, running = -1, depth = 0;

/* The device that work is running on, or whose context the thread has. */
int here() { return running >= 0 ? running : context >= 0 ? context : 0; }

/* Of a block, at most, by compute capability: CUDA Programming Guide, "Technical specifications". */
int shared_of(const Device &device) {
    bool small = (device.major == 8 && device.minor != 0 && device.minor != 7) || device.major == 12;
    return small ? 101376 : device.major < 9 ? 166912 : (int) jeton::DYNAMIC_SHARED;
}

Device &device() { return state->devices[(size_t) here() < state->devices.size() ? here() : 0]; }

/*
 * Device memory comes from one range of addresses, from below upwards and never twice, so that whatever lies in the range
 * and in no allocation is an address gone wrong, or gone stale.
 */
constexpr size_t ARENA = 1ull << 38;
unsigned char *arena, *arena_end;

unsigned char *arena_take(size_t bytes) {
    if (!arena) {
        void *range = mmap(nullptr, ARENA, PROT_READ | PROT_WRITE, MAP_PRIVATE | MAP_ANONYMOUS | MAP_NORESERVE, -1, 0);
        if (range == MAP_FAILED) return nullptr;
        arena = arena_end = (unsigned char *) range;
    }
    bytes = (bytes + 4095) / 4096 * 4096;
    if (bytes > ARENA - (size_t) (arena_end - arena)) return nullptr;
    unsigned char *at = arena_end;
    arena_end += bytes;
    return at;
}

void arena_give(const Block &block) { madvise(block.raw, (block.bytes + 2 * ZONE + 4095) / 4096 * 4096, MADV_DONTNEED); }

struct Locked {
    Locked() { lock.lock(); depth++; }
    ~Locked() { depth--; lock.unlock(); }
    Locked(const Locked &) = delete;
};

/* The lock as often as this thread has it, for a wait in which others may go on. */
struct Whole {
    int held = depth;
    void lock() { for (int i = 0; i < held; i++) ::lock.lock(); }
    void unlock() { for (int i = 0; i < held; i++) ::lock.unlock(); }
};

void moved() {
    state->moved = Clock::now();
    changed.notify_all();
}

#define ENTER(name) Locked locked; if (int code = ordered(name)) return code
#define ENTER_CONTEXT(name) ENTER(name); if (context < 0) return INVALID_CONTEXT

long long now() {
    if (state->per_operation) return state->clock + state->elapsed;
    timespec t;
    clock_gettime(CLOCK_MONOTONIC, &t);
    return t.tv_sec * 1000000000ll + t.tv_nsec + state->elapsed;
}

void execute(Op &op, int on) {
    int before = running;
    running = on;
    if (!device().lost) {
        state->clock += state->per_operation;
        op.work();
    }
    running = before;
}

std::vector<Stream *> all_streams() {
    std::vector<Stream *> all(state->streams.begin(), state->streams.end());
    for (Device &d : state->devices) all.push_back(&d.legacy);
    return all;
}

Op with_followers(Op first, const std::function<const Op *()> &next, size_t &taken);

/* Runs the head of one stream that can go on; false where none can. What is queued on a lost device is dropped. */
bool step() {
    std::vector<Stream *> able;
    for (Stream *s : all_streams()) {
        if (!s->queue.empty() && (!s->queue.front().ready || state->devices[s->device].lost || s->queue.front().ready())) {
            able.push_back(s);
        }
    }
    if (able.empty()) return false;
    std::sort(able.begin(), able.end());
    Stream *chosen = able[state->random() % able.size()];
    /* Of an operation that goes on later the stream keeps the head. */
    size_t taken = 1;
    Op op = with_followers(chosen->queue.front(),
            [&] { return taken < chosen->queue.size() ? &chosen->queue[taken] : nullptr; }, taken);
    execute(op, chosen->device);
    if (!op.over || op.over() || state->devices[chosen->device].lost) {
        chosen->queue.erase(chosen->queue.begin(), chosen->queue.begin() + (long) taken);
    }
    moved();
    return true;
}

bool exchanging() {
    for (Stream *s : all_streams()) if (!s->queue.empty() && s->queue.front().exchange) return true;
    return false;
}

/*
 * What takes memory waits for work that is under way, on peers too, with locks that other threads need to launch theirs
 * (NCCL's issues 623 and 48). Where that work is an exchange to which a rank has not come, neither goes on: 0 or the loss.
 */
int takes_memory(const char *what) {
    for (Stream *s : all_streams()) {
        if (s->queue.empty() || !s->queue.front().exchange || s->queue.front().ready()) continue;
        lose(LAUNCH_TIMEOUT, std::string(what) + " takes memory while an exchange waits for a rank; they may wait for each other");
    }
    return device().lost;
}

/* Where nothing can go on: whether a thread that brings an exchange on may still come. If not, the device is lost. */
bool may_go_on() {
    if (!exchanging()) {
        lose(LAUNCH_FAILED, "streams wait for one another: an event is awaited that nothing will complete");
        return false;
    }
    if (Clock::now() - state->moved > state->patience) {
        lose(LAUNCH_TIMEOUT, "an exchange waits for a rank that does not come");
        return false;
    }
    return true;
}

int settle(const std::function<bool()> &until) {
    while (!until() && !device().lost) {
        if (step()) continue;
        if (!may_go_on()) break;
        Whole whole;
        changed.wait_for(whole, std::chrono::milliseconds(2));
    }
    return device().lost;
}

/* For who asks again and again instead of waiting. */
int ask() {
    for (unsigned n = state->random() % 3; n > 0 && step(); n--) {}
    if (exchanging() && Clock::now() - state->moved > state->patience) may_go_on();
    return device().lost;
}

bool idle() {
    for (Stream *s : all_streams()) if (s->device == here() && !s->queue.empty()) return false;
    return true;
}

Stream *stream_of(void *handle) {
    if (!handle || handle == (void *) 1) return &device().legacy;
    auto *s = (Stream *) handle;
    return state->streams.count(s) && s->device == here() ? s : nullptr;
}

int queue(Stream *s, Op op) {
    if (s->capture) {
        if (s->capture->broken) return CAPTURE_INVALIDATED;
        Graph *graph = s->capture->graph;
        graph->nodes.push_back({std::move(op), s->tail});
        s->tail = {(int) graph->nodes.size() - 1};
        return SUCCESS;
    }
    s->queue.push_back(std::move(op));
    moved();
    if (!state->deferred) {
        while (step()) {}
        if (!s->queue.empty() && !exchanging()) may_go_on();
    }
    return SUCCESS;
}

/*
 * Calls that wait or allocate are refused while a stream captures, and break the capture: to all threads in global mode,
 * to the capturing one in its own mode, to none in relaxed mode.
 */
bool forbidden_in_capture() {
    bool any = false;
    for (Stream *s : state->streams) {
        if (!s->capture || s->capture->mode == 2) continue;
        if (s->capture->mode == 0 || s->capture->thread == std::this_thread::get_id()) any = s->capture->broken = true;
    }
    return any;
}

void zones() {
    static const std::vector<unsigned char> whole(ZONE, ZONE_BYTE);
    for (auto &[address, block] : state->memory) {
        bool before = memcmp(block.raw, whole.data(), ZONE), after = memcmp(block.raw + ZONE + block.bytes, whole.data(), ZONE);
        if (!before && !after) continue;
        size_t i = 0;
        unsigned char *zone = before ? block.raw : block.raw + ZONE + block.bytes;
        while (zone[i] == ZONE_BYTE) i++;
        char text[200];
        snprintf(text, sizeof text, "byte %ld of the allocation of %zu bytes at 0x%lx was written by the last kernel",
                (long) (zone + i - block.raw) - (long) ZONE, block.bytes, (unsigned long) address);
        lose(ILLEGAL_ADDRESS, text);
        return;
    }
}

template <class M> bool within(const M &map, uintptr_t at, size_t bytes) {
    auto next = map.upper_bound(at);
    if (next == map.begin()) return false;
    auto &[from, size] = *std::prev(next);
    return at - from <= size && bytes <= size - (at - from);
}

bool in_device(uintptr_t at, size_t bytes) {
    auto next = state->memory.upper_bound(at);
    if (next == state->memory.begin()) return false;
    auto &[from, block] = *std::prev(next);
    return at - from <= block.bytes && bytes <= block.bytes - (at - from) && block.device == here();
}

bool kernel_may(const void *address, size_t bytes, bool, char *why, size_t room) {
    uintptr_t at = (uintptr_t) address;
    /* What is neither in the range of device memory nor near null belongs to the module itself. */
    if (at - (uintptr_t) arena >= ARENA && at >= 65536) return true;
    std::string text;
    bool fine = reachable(address, bytes, text);
    if (!fine) snprintf(why, room, "%s", text.c_str());
    return fine;
}

/* Kernels that have begun and not ended: at most this many. */
constexpr size_t MOST_BEGUN = 4;

struct Launching {
    Function *function;
    jeton::Launch launch;
    std::vector<std::vector<unsigned char>> values;

    /* Runs it; the kernels before, the nearest first, have not run yet, and do when it waits for them. */
    void run(Launching *const *before = nullptr, size_t count = 0) {
        std::vector<void *> params;
        for (auto &v : values) params.push_back(v.data());
        jeton::Launch l = launch;
        l.params = params.data();
        l.code = 0;
        l.seed = state->seed ? state->seed + ++state->launches : 0;
        l.allowed = state->check ? kernel_may : nullptr;
        static std::vector<unsigned char *> stacks;
        while (stacks.size() <= count) stacks.push_back(jeton::make_stacks());
        l.stacks = stacks[count];
        std::function<void()> previous = [&] {
            if (!device().lost) before[0]->run(before + 1, count - 1);
        };
        if (count) {
            l.previous = [](void *work) { (*(std::function<void()> *) work)(); };
            l.previous_of = &previous;
        }
        function->kernel->launch(function->kernel, &l);
        if (l.code) lose(l.code, l.message);
        zones();
    }
};

/*
 * An operation together with some of those that follow, where all are kernels and each that follows may begin while the
 * one before it runs: then the last of them comes onto the device first, and the one before runs when it waits for it.
 * `next` gives what follows those that were taken, or null.
 */
Op with_followers(Op first, const std::function<const Op *()> &next, size_t &taken) {
    if (!first.kernel || state->check) return first;
    std::vector<std::shared_ptr<Launching>> kernels = {first.kernel};
    size_t most = 1 + state->random() % MOST_BEGUN;
    for (const Op *op; kernels.size() < most && (op = next()) && op->kernel && op->kernel->launch.programmatic; taken++) {
        kernels.push_back(op->kernel);
    }
    if (kernels.size() == 1) return first;
    std::reverse(kernels.begin(), kernels.end());
    first.work = [kernels] {
        state->clock += state->per_operation * (long long) (kernels.size() - 1);
        std::vector<Launching *> all;
        for (auto &kernel : kernels) all.push_back(kernel.get());
        all[0]->run(all.data() + 1, all.size() - 1);
    };
    return first;
}

int copy_op(Stream *s, const char *what, void *to, const void *from, size_t bytes) {
    return queue(s, {what, [=] { memmove(to, from, bytes); }, {}});
}

bool pinned(const void *host, size_t bytes) {
    return within(state->pinned, (uintptr_t) host, bytes) || within(state->registered, (uintptr_t) host, bytes);
}

void forget(State *old) {
    for (auto &[address, block] : old->memory) arena_give(block);
    for (auto &[address, bytes] : old->pinned) free((void *) address);
    delete old;
}

}  // namespace

/* ---- what the other stand-ins use ---- */

int standin::ordered(const char *call) {
    Locked locked;
    long n = ++state->calls[call], own = ++device().calls[call];
    for (Order &order : state->orders) {
        if (order.call != call || (order.device >= 0 && order.device != here())) continue;
        if (order.nth == 0 || order.nth == (order.device < 0 ? n : own)) {
            if (order.sticky) lose(order.code, std::string("as a test ordered, at ") + call);
            return order.code;
        }
    }
    return strncmp(call, "cu", 2) == 0 && strncmp(call, "cublas", 6) != 0 ? device().lost : 0;
}

int standin::enqueue(void *stream, const char *what, std::function<void()> work) {
    Locked locked;
    Stream *s = stream_of(stream);
    return s ? queue(s, {what, std::move(work), {}}) : (int) INVALID_HANDLE;
}

int standin::exchange(int on, void *stream, const char *what, std::function<void()> come, std::function<bool()> all) {
    Locked locked;
    int before = context;
    context = on;
    Stream *s = stream_of(stream);
    int code = s ? device().lost : (int) INVALID_HANDLE;
    if (!code) code = queue(s, {what, std::move(come), {}});
    if (!code) code = queue(s, {what, [] {}, std::move(all), true});
    context = before;
    return code;
}

int standin::current() {
    Locked locked;
    return context;
}

bool standin::wait(const std::function<bool()> &until) {
    Locked locked;
    auto begin = Clock::now();
    while (!until()) {
        if (Clock::now() - begin > state->patience) return false;
        Whole whole;
        changed.wait_for(whole, std::chrono::milliseconds(2));
    }
    return true;
}

void standin::locked(const std::function<void()> &work) {
    Locked locked;
    work();
    moved();
    if (!state->deferred) while (step()) {}
}

bool standin::reachable(const void *address, size_t bytes, std::string &why) {
    Locked locked;
    uintptr_t at = (uintptr_t) address;
    if (in_device(at, bytes) || within(state->pinned, at, bytes) || within(state->registered, at, bytes)
            || within(state->globals, at, bytes)) return true;
    why = "it lies in no memory of the device";
    auto next = state->memory.upper_bound(at);
    char text[200] = "";
    if (next != state->memory.begin()) {
        auto &[from, block] = *std::prev(next);
        snprintf(text, sizeof text, "; the nearest allocation below has %zu bytes and begins %zu bytes before",
                block.bytes, (size_t) (at - from));
        if (block.device != here()) {
            snprintf(text, sizeof text, "; it lies in memory of device %d, and device %d asks for it", block.device, here());
        }
    }
    why += text;
    return false;
}

int standin::capability() {
    Locked locked;
    return device().major * 10 + device().minor;
}

void standin::lose(int code, const std::string &message) {
    if (device().lost) return;
    device().lost = code;
    state->message = message;
    fprintf(stderr, "stand-in for CUDA: device %d: %s\n", here(), message.c_str());
    changed.notify_all();
}

bool standin::checking() { return state->check; }

bool standin::refuses_row_scales(unsigned long long rows) {
    return rows >= state->refused_from && rows <= state->refused_to;
}

void standin::product(unsigned algorithm) {
    auto found = state->product_nanos.find(algorithm);
    if (found != state->product_nanos.end()) state->elapsed += found->second;
}

/* ---- knobs ---- */

extern "C" {

void standin_reset() {
    Locked locked;
    forget(state);
    forget_exchanges();
    state = new State();
}
void standin_device(int count, int major, int minor, long long memory) {
    Locked locked;
    state->devices.resize(count);
    int number = 0;
    for (Device &d : state->devices) d.major = major, d.minor = minor, d.legacy.device = number++;
    state->total = memory;
}
void standin_deferred(int on, long long seed) {
    Locked locked;
    state->deferred = on;
    state->random.seed(seed);
}
void standin_order(long long seed) { Locked locked; state->seed = seed; }
void standin_check(int on) { Locked locked; state->check = on; }
void standin_clock(long long nanos) { Locked locked; state->per_operation = nanos; }
void standin_product(int algorithm, long long nanos) { Locked locked; state->product_nanos[(unsigned) algorithm] = nanos; }
void standin_row_scales(int from, int to) {
    Locked locked;
    state->refused_from = (unsigned) from;
    state->refused_to = (unsigned) to;
}
void standin_fail(int on, const char *call, long long nth, int code, int sticky) {
    Locked locked;
    long before = on < 0 ? state->calls[call] : state->devices[on].calls[call];
    state->orders.push_back({on, call, nth ? before + nth : 0, code, sticky != 0});
}
void standin_heal() {
    Locked locked;
    state->orders.clear();
    for (Device &d : state->devices) d.lost = 0;
    state->message.clear();
}
void standin_lose(int code) { Locked locked; lose(code, "as a test ordered"); }
void standin_patience(long long millis) { Locked locked; state->patience = std::chrono::milliseconds(millis); }
long long standin_calls(const char *call) { Locked locked; return state->calls[call]; }
const char *standin_message() { Locked locked; return state->message.c_str(); }
long long standin_open(int which) {
    Locked locked;
    switch (which) {
        case 0: return (long long) state->memory.size();
        case 1: return (long long) (state->pinned.size() + state->registered.size());
        case 2: return (long long) state->streams.size();
        case 3: return (long long) state->events.size();
        case 4: return (long long) state->modules.size();
        case 5: return (long long) (state->graphs.size() + state->execs.size());
        case 6: { long long n = 0; for (Device &d : state->devices) n += d.retained; return n; }
        case 7: return exchanges();
        default: return -1;
    }
}

/* ---- errors ---- */

int cuGetErrorName(int code, const char **text) {
    switch (code) {
        case 0: *text = "CUDA_SUCCESS"; return 0;
        case 1: *text = "CUDA_ERROR_INVALID_VALUE"; return 0;
        case 2: *text = "CUDA_ERROR_OUT_OF_MEMORY"; return 0;
        case 3: *text = "CUDA_ERROR_NOT_INITIALIZED"; return 0;
        case 46: *text = "CUDA_ERROR_DEVICE_UNAVAILABLE"; return 0;
        case 100: *text = "CUDA_ERROR_NO_DEVICE"; return 0;
        case 101: *text = "CUDA_ERROR_INVALID_DEVICE"; return 0;
        case 200: *text = "CUDA_ERROR_INVALID_IMAGE"; return 0;
        case 201: *text = "CUDA_ERROR_INVALID_CONTEXT"; return 0;
        case 209: *text = "CUDA_ERROR_NO_BINARY_FOR_GPU"; return 0;
        case 214: *text = "CUDA_ERROR_ECC_UNCORRECTABLE"; return 0;
        case 400: *text = "CUDA_ERROR_INVALID_HANDLE"; return 0;
        case 500: *text = "CUDA_ERROR_NOT_FOUND"; return 0;
        case 600: *text = "CUDA_ERROR_NOT_READY"; return 0;
        case 700: *text = "CUDA_ERROR_ILLEGAL_ADDRESS"; return 0;
        case 702: *text = "CUDA_ERROR_LAUNCH_TIMEOUT"; return 0;
        case 710: *text = "CUDA_ERROR_ASSERT"; return 0;
        case 712: *text = "CUDA_ERROR_HOST_MEMORY_ALREADY_REGISTERED"; return 0;
        case 713: *text = "CUDA_ERROR_HOST_MEMORY_NOT_REGISTERED"; return 0;
        case 716: *text = "CUDA_ERROR_MISALIGNED_ADDRESS"; return 0;
        case 719: *text = "CUDA_ERROR_LAUNCH_FAILED"; return 0;
        case 801: *text = "CUDA_ERROR_NOT_SUPPORTED"; return 0;
        case 900: *text = "CUDA_ERROR_STREAM_CAPTURE_UNSUPPORTED"; return 0;
        case 901: *text = "CUDA_ERROR_STREAM_CAPTURE_INVALIDATED"; return 0;
        case 904: *text = "CUDA_ERROR_STREAM_CAPTURE_UNJOINED"; return 0;
        case 907: *text = "CUDA_ERROR_CAPTURED_EVENT"; return 0;
        case 910: *text = "CUDA_ERROR_GRAPH_EXEC_UPDATE_FAILURE"; return 0;
        case 999: *text = "CUDA_ERROR_UNKNOWN"; return 0;
        default: *text = nullptr; return INVALID_VALUE;
    }
}
int cuGetErrorString(int code, const char **text) {
    const char *name;
    if (cuGetErrorName(code, &name)) { *text = nullptr; return INVALID_VALUE; }
    *text = code == 2 ? "out of memory" : code == 700 ? "an illegal memory access was encountered"
            : code == 719 ? "unspecified launch failure" : "as the driver's stand-in has it";
    return 0;
}

/* ---- devices and contexts ---- */

int cuInit(unsigned flags) {
    ENTER("cuInit");
    if (flags) return INVALID_VALUE;
    state->initialized = true;
    return state->devices.empty() ? NO_DEVICE : SUCCESS;
}
int cuDriverGetVersion(int *version) { ENTER("cuDriverGetVersion"); *version = 13000; return 0; }
int cuDeviceGetCount(int *count) {
    ENTER("cuDeviceGetCount");
    if (!state->initialized) return NOT_INITIALIZED;
    *count = (int) state->devices.size();
    return 0;
}
int cuDeviceGet(int *device, int ordinal) {
    ENTER("cuDeviceGet");
    if (!state->initialized) return NOT_INITIALIZED;
    if (ordinal < 0 || ordinal >= (int) state->devices.size()) return INVALID_DEVICE;
    *device = ordinal;
    return 0;
}
int cuDeviceGetName(char *name, int length, int device) {
    ENTER("cuDeviceGetName");
    if (device < 0 || device >= (int) state->devices.size()) return INVALID_DEVICE;
    snprintf(name, length, "%s", state->devices[device].name.c_str());
    return 0;
}
int cuDeviceGetUuid_v2(unsigned char *uuid, int device) {
    ENTER("cuDeviceGetUuid_v2");
    if (device < 0 || device >= (int) state->devices.size()) return INVALID_DEVICE;
    for (int i = 0; i < 16; i++) uuid[i] = (unsigned char) (0x11 * (device + 1));
    return 0;
}
int cuDeviceTotalMem_v2(size_t *bytes, int device) {
    ENTER("cuDeviceTotalMem_v2");
    if (device < 0 || device >= (int) state->devices.size()) return INVALID_DEVICE;
    *bytes = state->total;
    return 0;
}
int cuDeviceGetAttribute(int *value, int attribute, int device) {
    ENTER("cuDeviceGetAttribute");
    if (device < 0 || device >= (int) state->devices.size()) return INVALID_DEVICE;
    switch (attribute) {
        case 1: *value = 1024; return 0;                                 /* threads per block */
        case 5: *value = 2147483647; return 0;                           /* grid x */
        case 6: case 7: *value = 65535; return 0;                        /* grid y, z */
        case 8: *value = 49152; return 0;                                /* shared memory per block */
        case 10: *value = 32; return 0;                                  /* warp */
        case 13: *value = 1980000; return 0;                             /* clock, kHz */
        case 16: *value = 4; return 0;                                   /* multiprocessors */
        case 18: *value = 0; return 0;                                   /* integrated */
        case 33: *value = 0x65 + device; return 0;                       /* PCI bus */
        case 34: *value = 0; return 0;                                   /* PCI device */
        case 36: *value = 3201000; return 0;                             /* memory clock, kHz */
        case 37: *value = 6144; return 0;                                /* memory bus, bits */
        case 38: *value = 52428800; return 0;                            /* second cache */
        case 39: *value = 2048; return 0;                                /* threads per multiprocessor */
        case 40: *value = 3; return 0;                                   /* copy engines */
        case 41: *value = 1; return 0;                                   /* unified addressing */
        case 50: *value = 0; return 0;                                   /* PCI domain */
        case 75: *value = state->devices[device].major; return 0;
        case 76: *value = state->devices[device].minor; return 0;
        case 81: *value = shared_of(state->devices[device]) + 1024; return 0; /* shared memory per multiprocessor */
        case 82: *value = 65536; return 0;                               /* registers per multiprocessor */
        case 97: *value = shared_of(state->devices[device]); return 0;   /* shared memory per block, at most */
        case 99: *value = 1; return 0;                                   /* host memory can be registered */
        case 106: *value = 32; return 0;                                 /* blocks per multiprocessor */
        case 115: *value = 1; return 0;                                  /* memory pools */
        default: *value = 0; return INVALID_VALUE;
    }
}
int cuDevicePrimaryCtxRetain(void **out, int device) {
    ENTER("cuDevicePrimaryCtxRetain");
    if (device < 0 || device >= (int) state->devices.size()) return INVALID_DEVICE;
    state->devices[device].retained++;
    *out = (void *) (intptr_t) (device + 1);
    return 0;
}
int cuDevicePrimaryCtxRelease_v2(int device) {
    ENTER("cuDevicePrimaryCtxRelease_v2");
    if (device < 0 || device >= (int) state->devices.size()) return INVALID_DEVICE;
    if (!state->devices[device].retained) return INVALID_CONTEXT;
    state->devices[device].retained--;
    return 0;
}
int cuCtxSetCurrent(void *c) {
    Locked locked;
    int before = context;
    context = (int) (intptr_t) c - 1;
    int code = ordered("cuCtxSetCurrent");
    if (code) context = before;
    return code;
}
int cuCtxSynchronize() {
    ENTER_CONTEXT("cuCtxSynchronize");
    if (forbidden_in_capture()) return CAPTURE_UNSUPPORTED;
    return settle(idle);
}

/* ---- memory ---- */

int cuMemAlloc_v2(Address *out, size_t bytes) {
    ENTER_CONTEXT("cuMemAlloc_v2");
    if (!bytes) return INVALID_VALUE;
    if (forbidden_in_capture()) return CAPTURE_UNSUPPORTED;
    if (bytes > state->total - device().used) return OUT_OF_MEMORY;
    if (int code = takes_memory("an allocation")) return code;
    unsigned char *raw = arena_take(bytes + 2 * ZONE);
    if (!raw) return OUT_OF_MEMORY;
    memset(raw, ZONE_BYTE, ZONE);
    memset(raw + ZONE, FRESH, bytes);
    memset(raw + ZONE + bytes, ZONE_BYTE, ZONE);
    state->memory[(uintptr_t) raw + ZONE] = {bytes, raw, here()};
    device().used += bytes;
    *out = (Address) (uintptr_t) raw + ZONE;
    return 0;
}
int cuMemFree_v2(Address address) {
    ENTER_CONTEXT("cuMemFree_v2");
    auto at = state->memory.find((uintptr_t) address);
    if (at == state->memory.end() || at->second.device != here()) return INVALID_VALUE;
    if (forbidden_in_capture()) return CAPTURE_UNSUPPORTED;
    /* The driver waits for the device before it frees. */
    if (int code = settle(idle)) return code;
    zones();
    device().used -= at->second.bytes;
    arena_give(at->second);
    state->memory.erase(at);
    return device().lost;
}
int cuMemAllocAsync(Address *out, size_t bytes, void *stream) {
    ENTER_CONTEXT("cuMemAllocAsync");
    Stream *s = stream_of(stream);
    if (!s) return INVALID_HANDLE;
    if (s->capture) return NOT_SUPPORTED;
    return cuMemAlloc_v2(out, bytes);
}
int cuMemFreeAsync(Address address, void *stream) {
    ENTER_CONTEXT("cuMemFreeAsync");
    Stream *s = stream_of(stream);
    if (!s) return INVALID_HANDLE;
    if (s->capture) return NOT_SUPPORTED;
    if (!state->memory.count((uintptr_t) address)) return INVALID_VALUE;
    return queue(s, {"free", [=] {
        auto at = state->memory.find((uintptr_t) address);
        if (at == state->memory.end()) return;
        device().used -= at->second.bytes;
        arena_give(at->second);
        state->memory.erase(at);
    }, {}});
}
int cuMemGetInfo_v2(size_t *free_bytes, size_t *total) {
    ENTER_CONTEXT("cuMemGetInfo_v2");
    *free_bytes = state->total - device().used;
    *total = state->total;
    return 0;
}
int cuMemHostAlloc(void **out, size_t bytes, unsigned) {
    ENTER_CONTEXT("cuMemHostAlloc");
    if (!bytes) return INVALID_VALUE;
    if (forbidden_in_capture()) return CAPTURE_UNSUPPORTED;
    *out = aligned_alloc(4096, (bytes + 4095) / 4096 * 4096);
    if (!*out) return OUT_OF_MEMORY;
    memset(*out, FRESH, bytes);
    state->pinned[(uintptr_t) *out] = bytes;
    return 0;
}
int cuMemFreeHost(void *p) {
    ENTER_CONTEXT("cuMemFreeHost");
    auto at = state->pinned.find((uintptr_t) p);
    if (at == state->pinned.end()) return INVALID_VALUE;
    state->pinned.erase(at);
    free(p);
    return 0;
}
int cuMemHostRegister_v2(void *p, size_t bytes, unsigned) {
    ENTER_CONTEXT("cuMemHostRegister_v2");
    if (!p || !bytes) return INVALID_VALUE;
    if (state->registered.count((uintptr_t) p)) return HOST_MEMORY_ALREADY_REGISTERED;
    state->registered[(uintptr_t) p] = bytes;
    return 0;
}
int cuMemHostUnregister(void *p) {
    ENTER_CONTEXT("cuMemHostUnregister");
    return state->registered.erase((uintptr_t) p) ? SUCCESS : HOST_MEMORY_NOT_REGISTERED;
}
int cuMemHostGetDevicePointer_v2(Address *out, void *p, unsigned) {
    ENTER_CONTEXT("cuMemHostGetDevicePointer_v2");
    if (!pinned(p, 1)) return INVALID_VALUE;
    *out = (Address) (uintptr_t) p;
    return 0;
}

/* A copy that waits: after what is queued on the legacy stream and on streams that are not non-blocking. */
static int now_copy(void *to, const void *from, size_t bytes) {
    if (forbidden_in_capture()) return CAPTURE_UNSUPPORTED;
    if (int code = settle([] {
        bool idle = device().legacy.queue.empty();
        for (Stream *s : state->streams) idle = idle && (s->device != here() || (s->flags & 1) || s->queue.empty());
        return idle;
    })) return code;
    memmove(to, from, bytes);
    return device().lost;
}
#define ON_DEVICE(address, bytes) \
    do { std::string why; if (!reachable((void *) (uintptr_t) (address), bytes, why)) return INVALID_VALUE; } while (0)

int cuMemcpyHtoD_v2(Address to, const void *from, size_t bytes) {
    ENTER_CONTEXT("cuMemcpyHtoD_v2");
    ON_DEVICE(to, bytes);
    return now_copy((void *) (uintptr_t) to, from, bytes);
}
int cuMemcpyDtoH_v2(void *to, Address from, size_t bytes) {
    ENTER_CONTEXT("cuMemcpyDtoH_v2");
    ON_DEVICE(from, bytes);
    return now_copy(to, (void *) (uintptr_t) from, bytes);
}
int cuMemcpyHtoDAsync_v2(Address to, const void *from, size_t bytes, void *stream) {
    ENTER_CONTEXT("cuMemcpyHtoDAsync_v2");
    ON_DEVICE(to, bytes);
    Stream *s = stream_of(stream);
    if (!s) return INVALID_HANDLE;
    if (pinned(from, bytes) || s->capture) return copy_op(s, "copy to device", (void *) (uintptr_t) to, from, bytes);
    auto staged = std::make_shared<std::vector<char>>((const char *) from, (const char *) from + bytes);
    return queue(s, {"copy to device", [=] { memcpy((void *) (uintptr_t) to, staged->data(), bytes); }, {}});
}
int cuMemcpyDtoHAsync_v2(void *to, Address from, size_t bytes, void *stream) {
    ENTER_CONTEXT("cuMemcpyDtoHAsync_v2");
    ON_DEVICE(from, bytes);
    Stream *s = stream_of(stream);
    if (!s) return INVALID_HANDLE;
    int code = copy_op(s, "copy to host", to, (void *) (uintptr_t) from, bytes);
    if (code || s->capture || pinned(to, bytes)) return code;
    return settle([s] { return s->queue.empty(); });
}
int cuMemcpyDtoDAsync_v2(Address to, Address from, size_t bytes, void *stream) {
    ENTER_CONTEXT("cuMemcpyDtoDAsync_v2");
    ON_DEVICE(from, bytes);
    ON_DEVICE(to, bytes);
    Stream *s = stream_of(stream);
    if (!s) return INVALID_HANDLE;
    return copy_op(s, "copy", (void *) (uintptr_t) to, (void *) (uintptr_t) from, bytes);
}
int cuMemsetD8Async(Address to, unsigned char value, size_t count, void *stream) {
    ENTER_CONTEXT("cuMemsetD8Async");
    ON_DEVICE(to, count);
    Stream *s = stream_of(stream);
    if (!s) return INVALID_HANDLE;
    return queue(s, {"fill", [=] { memset((void *) (uintptr_t) to, value, count); }, {}});
}
int cuMemsetD32Async(Address to, unsigned value, size_t count, void *stream) {
    ENTER_CONTEXT("cuMemsetD32Async");
    if (to % 4) return INVALID_VALUE;
    ON_DEVICE(to, count * 4);
    Stream *s = stream_of(stream);
    if (!s) return INVALID_HANDLE;
    return queue(s, {"fill", [=] { std::fill_n((unsigned *) (uintptr_t) to, count, value); }, {}});
}

/* ---- streams and events ---- */

int cuStreamCreateWithPriority(void **out, unsigned flags, int) {
    ENTER_CONTEXT("cuStreamCreateWithPriority");
    auto *s = new Stream();
    s->device = here();
    s->flags = flags;
    state->streams.insert(s);
    *out = s;
    return 0;
}
int cuCtxGetStreamPriorityRange(int *least, int *greatest) {
    ENTER_CONTEXT("cuCtxGetStreamPriorityRange");
    *least = 0;
    *greatest = -5;
    return 0;
}
int cuStreamDestroy_v2(void *stream) {
    ENTER_CONTEXT("cuStreamDestroy_v2");
    auto *s = (Stream *) stream;
    if (!state->streams.count(s)) return INVALID_HANDLE;
    settle([s] { return s->queue.empty(); });
    state->streams.erase(s);
    delete s;
    return device().lost;
}
int cuStreamSynchronize(void *stream) {
    ENTER_CONTEXT("cuStreamSynchronize");
    Stream *s = stream_of(stream);
    if (!s) return INVALID_HANDLE;
    if (s->capture) { s->capture->broken = true; return CAPTURE_UNSUPPORTED; }
    return settle([s] { return s->queue.empty(); });
}
int cuStreamQuery(void *stream) {
    ENTER_CONTEXT("cuStreamQuery");
    Stream *s = stream_of(stream);
    if (!s) return INVALID_HANDLE;
    if (s->capture) { s->capture->broken = true; return CAPTURE_UNSUPPORTED; }
    if (int code = ask()) return code;
    return s->queue.empty() ? SUCCESS : NOT_READY;
}
int cuEventCreate(void **out, unsigned flags) {
    ENTER_CONTEXT("cuEventCreate");
    auto *e = new Event();
    e->device = here();
    e->flags = flags;
    state->events.insert(e);
    *out = e;
    return 0;
}
int cuEventDestroy_v2(void *event) {
    ENTER_CONTEXT("cuEventDestroy_v2");
    auto *e = (Event *) event;
    if (!state->events.count(e)) return INVALID_HANDLE;
    /* Work that names it may still be queued. */
    state->events.erase(e);
    state->ended.emplace_back(e);
    return device().lost;
}
int cuEventRecord(void *event, void *stream) {
    ENTER_CONTEXT("cuEventRecord");
    auto *e = (Event *) event;
    Stream *s = stream_of(stream);
    if (!s || !state->events.count(e) || e->device != s->device) return INVALID_HANDLE;
    if (s->capture) {
        e->captured = s->capture;
        e->tail = s->tail;
        return 0;
    }
    e->captured = nullptr;
    uint64_t generation = ++e->recorded;
    return queue(s, {"event", [e, generation] { e->done = generation; e->nanos = now(); }, {}});
}
int cuStreamWaitEvent(void *stream, void *event, unsigned) {
    ENTER_CONTEXT("cuStreamWaitEvent");
    auto *e = (Event *) event;
    Stream *s = stream_of(stream);
    if (!s || !state->events.count(e)) return INVALID_HANDLE;
    if (e->captured) {
        if (!s->capture) {
            s->capture = e->captured;
            s->tail = {};
            e->captured->members.insert(s);
        }
        for (int node : e->tail) if (!std::count(s->tail.begin(), s->tail.end(), node)) s->tail.push_back(node);
        return 0;
    }
    if (s->capture) { s->capture->broken = true; return 905; }
    uint64_t generation = e->recorded;
    return queue(s, {"wait", [] {}, [e, generation] { return e->done >= generation; }});
}
int cuEventQuery(void *event) {
    ENTER_CONTEXT("cuEventQuery");
    auto *e = (Event *) event;
    if (!state->events.count(e)) return INVALID_HANDLE;
    if (e->captured) return CAPTURED_EVENT;
    if (int code = ask()) return code;
    return e->done == e->recorded ? SUCCESS : NOT_READY;
}
int cuEventSynchronize(void *event) {
    ENTER_CONTEXT("cuEventSynchronize");
    auto *e = (Event *) event;
    if (!state->events.count(e)) return INVALID_HANDLE;
    if (e->captured) return CAPTURED_EVENT;
    return settle([e] { return e->done == e->recorded; });
}
int cuEventElapsedTime(float *millis, void *start, void *end) {
    ENTER_CONTEXT("cuEventElapsedTime");
    auto *a = (Event *) start, *b = (Event *) end;
    if (!state->events.count(a) || !state->events.count(b) || !a->recorded || !b->recorded
            || (a->flags & 2) || (b->flags & 2) || a->device != b->device) return INVALID_HANDLE;
    if (a->done != a->recorded || b->done != b->recorded) return NOT_READY;
    *millis = (float) ((double) (b->nanos - a->nanos) / 1e6);
    return 0;
}

/* ---- modules and launches ---- */

static size_t elf_bytes(const unsigned char *image) {
    auto *header = (const Elf64_Ehdr *) image;
    return header->e_shoff + (size_t) header->e_shnum * header->e_shentsize;
}
static int add_globals(dl_phdr_info *info, size_t, void *handle) {
    link_map *map;
    if (dlinfo(handle, RTLD_DI_LINKMAP, &map) || map->l_addr != info->dlpi_addr) return 0;
    for (int i = 0; i < info->dlpi_phnum; i++) {
        if (info->dlpi_phdr[i].p_type == PT_LOAD) {
            state->globals[info->dlpi_addr + info->dlpi_phdr[i].p_vaddr] = info->dlpi_phdr[i].p_memsz;
        }
    }
    return 1;
}
int cuModuleLoadData(void **out, const void *image) {
    ENTER_CONTEXT("cuModuleLoadData");
    auto *bytes = (const unsigned char *) image;
    if (memcmp(bytes, "\177ELF", 4) != 0) return INVALID_IMAGE;
#if defined(__x86_64__)
    if (((const Elf64_Ehdr *) image)->e_machine != EM_X86_64) return NO_BINARY_FOR_GPU;
#else
    if (((const Elf64_Ehdr *) image)->e_machine != EM_AARCH64) return NO_BINARY_FOR_GPU;
#endif
    /* A name that no module had before: the loader gives back what it knows under a name, which may still be mapped. */
    std::string path = (getenv("TMPDIR") ? std::string(getenv("TMPDIR")) : "/tmp") + "/jeton-module-XXXXXX";
    int fd = mkstemp(&path[0]);
    if (fd < 0) return OUT_OF_MEMORY;
    size_t length = elf_bytes(bytes), written = 0;
    while (written < length) {
        ssize_t n = write(fd, bytes + written, length - written);
        if (n <= 0) { unlink(path.c_str()); close(fd); return OUT_OF_MEMORY; }
        written += (size_t) n;
    }
    void *handle = dlopen(path.c_str(), RTLD_NOW | RTLD_LOCAL);
    unlink(path.c_str());
    if (!handle) {
        fprintf(stderr, "stand-in for CUDA: %s\n", dlerror());
        close(fd);
        return INVALID_IMAGE;
    }
    auto *architecture = (const int *) dlsym(handle, "jeton_architecture");
    if (!architecture || *architecture / 10 != capability() / 10 || *architecture > capability()) {
        dlclose(handle);
        close(fd);
        return architecture ? NO_BINARY_FOR_GPU : INVALID_IMAGE;
    }
    auto *module = new Module{handle, fd, *architecture, here()};
    dl_iterate_phdr(add_globals, handle);
    state->modules.insert(module);
    *out = module;
    return 0;
}
int cuModuleUnload(void *m) {
    ENTER_CONTEXT("cuModuleUnload");
    auto *module = (Module *) m;
    if (!state->modules.count(module)) return INVALID_HANDLE;
    if (int code = cuCtxSynchronize()) return code;
    for (Function *f : state->functions[module]) delete f;
    state->functions.erase(module);
    state->modules.erase(module);
    /* The host's loader keeps it: its code may be in somebody's profile. */
    close(module->fd);
    delete module;
    return 0;
}
int cuModuleGetFunction(void **out, void *m, const char *name) {
    ENTER_CONTEXT("cuModuleGetFunction");
    auto *module = (Module *) m;
    if (!state->modules.count(module)) return INVALID_HANDLE;
    auto *kernel = (const jeton::Kernel *) dlsym(module->handle, (std::string("jeton_kernel_") + name).c_str());
    if (!kernel || !dlsym(module->handle, name)) return NOT_FOUND;
    auto *function = new Function{kernel, module, 49152};
    state->functions[module].push_back(function);
    *out = function;
    return 0;
}
int cuModuleGetGlobal_v2(Address *address, size_t *bytes, void *m, const char *name) {
    ENTER_CONTEXT("cuModuleGetGlobal_v2");
    auto *module = (Module *) m;
    if (!state->modules.count(module)) return INVALID_HANDLE;
    void *at = dlsym(module->handle, name);
    Dl_info info;
    const Elf64_Sym *symbol = nullptr;
    if (!at || !dladdr1(at, &info, (void **) &symbol, RTLD_DL_SYMENT) || !symbol
            || ELF64_ST_TYPE(symbol->st_info) != STT_OBJECT) return NOT_FOUND;
    *address = (Address) (uintptr_t) at;
    if (bytes) *bytes = symbol->st_size;
    return 0;
}
int cuFuncGetAttribute(int *value, int attribute, void *function) {
    ENTER_CONTEXT("cuFuncGetAttribute");
    auto *f = (Function *) function;
    switch (attribute) {
        case 0: *value = 1024; return 0;                  /* threads per block */
        case 1: case 2: case 3: *value = 0; return 0;     /* static shared, constant and local bytes */
        case 4: *value = 32; return 0;                    /* registers */
        case 5: case 6: *value = f->module->architecture; return 0;
        case 8: *value = (int) f->most_shared; return 0;
        default: *value = 0; return INVALID_VALUE;
    }
}
int cuFuncSetAttribute(void *function, int attribute, int value) {
    ENTER_CONTEXT("cuFuncSetAttribute");
    if (attribute == 9) return 0;
    if (attribute != 8 || value < 0 || value > shared_of(device())) return INVALID_VALUE;
    ((Function *) function)->most_shared = (unsigned) value;
    return 0;
}
int cuFuncGetParamInfo(void *function, size_t index, size_t *offset, size_t *bytes) {
    ENTER_CONTEXT("cuFuncGetParamInfo");
    auto *f = (Function *) function;
    if (index >= f->kernel->count) return INVALID_VALUE;
    *offset = 0;
    *bytes = f->kernel->sizes[index];
    return 0;
}
int cuOccupancyMaxActiveBlocksPerMultiprocessor(int *blocks, void *, int threads, size_t shared) {
    ENTER_CONTEXT("cuOccupancyMaxActiveBlocksPerMultiprocessor");
    if (threads <= 0 || threads > 1024) return INVALID_VALUE;
    int by_threads = 2048 / threads, by_shared = shared ? (int) ((shared_of(device()) + 1024) / (shared + 1024)) : 32;
    *blocks = std::min(32, std::min(by_threads, by_shared));
    return 0;
}
static int launch(Function *f, void *stream, const unsigned (&grid)[3], const unsigned (&block)[3], unsigned shared, void **params,
        void **extra, bool programmatic) {
    Stream *s = stream_of(stream);
    if (!f || !s || f->module->device != s->device) return INVALID_HANDLE;
    uint64_t threads = (uint64_t) block[0] * block[1] * block[2];
    if (!grid[0] || !grid[1] || !grid[2] || grid[1] > 65535 || grid[2] > 65535 || !threads || threads > 1024 || block[2] > 64
            || shared > f->most_shared || extra) return INVALID_VALUE;
    auto launching = std::make_shared<Launching>();
    launching->function = f;
    launching->launch = {{grid[0], grid[1], grid[2]}, {block[0], block[1], block[2]}, shared, 0, nullptr, 0, "", nullptr,
            nullptr, programmatic, nullptr, nullptr};
    for (unsigned i = 0; i < f->kernel->count; i++) {
        auto *from = (const unsigned char *) params[i];
        launching->values.emplace_back(from, from + f->kernel->sizes[i]);
    }
    const char *kind = programmatic ? "programmatic kernel " : "kernel ";
    return queue(s, {std::string(kind) + f->kernel->name, [launching] { launching->run(); }, {}, false, {}, launching});
}
int cuLaunchKernel(void *function, unsigned gx, unsigned gy, unsigned gz, unsigned bx, unsigned by, unsigned bz,
        unsigned shared, void *stream, void **params, void **extra) {
    ENTER_CONTEXT("cuLaunchKernel");
    return launch((Function *) function, stream, {gx, gy, gz}, {bx, by, bz}, shared, params, extra, false);
}

/* CUlaunchAttribute and CUlaunchConfig; of the attributes only the one that Jeton uses is known. */
struct Attribute { int id; int pad; union { int value; char room[64]; }; };
struct Config {
    unsigned grid[3], block[3], shared;
    void *stream;
    Attribute *attributes;
    unsigned count;
};
static_assert(sizeof(Attribute) == 72 && sizeof(Config) == 56, "cuda.h has these sizes");

int cuLaunchKernelEx(const Config *config, void *function, void **params, void **extra) {
    ENTER_CONTEXT("cuLaunchKernelEx");
    bool programmatic = false;
    if (!config || (config->count && !config->attributes)) return INVALID_VALUE;
    for (unsigned i = 0; i < config->count; i++) {
        const Attribute &attribute = config->attributes[i];
        if (attribute.id == 0) continue;
        if (attribute.id != 6 || attribute.value < 0 || attribute.value > 1) return INVALID_VALUE;
        programmatic = attribute.value;
    }
    if (programmatic && capability() < 90) return NOT_SUPPORTED;
    return launch((Function *) function, config->stream, config->grid, config->block, config->shared, params, extra,
            programmatic);
}

/* ---- graphs ---- */

int cuStreamBeginCapture_v2(void *stream, int mode) {
    ENTER_CONTEXT("cuStreamBeginCapture_v2");
    auto *s = (Stream *) stream;
    if (!state->streams.count(s) || mode < 0 || mode > 2) return INVALID_VALUE;
    if (s->capture) return 401;
    auto *graph = new Graph();
    s->capture = new Capture{graph, s, {s}, mode, false};
    s->tail = {};
    return 0;
}
int cuStreamEndCapture(void *stream, void **out) {
    ENTER_CONTEXT("cuStreamEndCapture");
    auto *s = (Stream *) stream;
    *out = nullptr;
    if (!state->streams.count(s) || !s->capture) return 401;
    Capture *capture = s->capture;
    if (capture->origin != s) return CAPTURE_UNMATCHED;
    if (capture->mode != 2 && capture->thread != std::this_thread::get_id()) return CAPTURE_WRONG_THREAD;
    Graph *graph = capture->graph;
    /* Everything captured must lead to the tail of the stream that began. */
    std::set<int> reached;
    std::vector<int> open = s->tail;
    while (!open.empty()) {
        int node = open.back();
        open.pop_back();
        if (reached.insert(node).second) {
            open.insert(open.end(), graph->nodes[node].after.begin(), graph->nodes[node].after.end());
        }
    }
    bool joined = reached.size() == graph->nodes.size(), broken = capture->broken;
    for (Stream *member : capture->members) member->capture = nullptr, member->tail = {};
    for (Event *e : state->events) if (e->captured == capture) e->captured = nullptr;
    delete capture;
    if (broken || !joined) {
        delete graph;
        return broken ? CAPTURE_INVALIDATED : CAPTURE_UNJOINED;
    }
    state->graphs.insert(graph);
    *out = graph;
    return 0;
}
int cuStreamIsCapturing(void *stream, int *status) {
    ENTER_CONTEXT("cuStreamIsCapturing");
    Stream *s = stream_of(stream);
    if (!s) return INVALID_HANDLE;
    *status = !s->capture ? 0 : s->capture->broken ? 2 : 1;
    return 0;
}
int cuGraphGetNodes(void *g, void **, size_t *count) {
    ENTER_CONTEXT("cuGraphGetNodes");
    if (!state->graphs.count((Graph *) g)) return INVALID_VALUE;
    *count = ((Graph *) g)->nodes.size();
    return 0;
}
int cuGraphInstantiateWithFlags(void **out, void *g, unsigned long long) {
    ENTER_CONTEXT("cuGraphInstantiateWithFlags");
    if (!state->graphs.count((Graph *) g)) return INVALID_VALUE;
    if (int code = takes_memory("a graph")) return code;
    auto *exec = new Graph(*(Graph *) g);
    state->execs.insert(exec);
    *out = exec;
    return 0;
}
int cuGraphUpload(void *exec, void *) {
    ENTER_CONTEXT("cuGraphUpload");
    return state->execs.count((Graph *) exec) ? SUCCESS : INVALID_VALUE;
}
int cuGraphLaunch(void *e, void *stream) {
    ENTER_CONTEXT("cuGraphLaunch");
    auto *exec = (Graph *) e;
    Stream *s = stream_of(stream);
    if (!s || !state->execs.count(exec)) return INVALID_VALUE;
    if (s->capture) return CAPTURE_UNSUPPORTED;
    /* One launch: what it has done so far, since an exchange in it may hold it. */
    struct Run {
        std::vector<Node> nodes;
        std::vector<bool> done;
        size_t left, first = 0;
        std::vector<size_t> able(bool any) {
            std::vector<size_t> found;
            while (first < nodes.size() && done[first]) first++;
            for (size_t i = first; i < nodes.size(); i++) {
                bool ready = !done[i];
                for (int before : nodes[i].after) ready = ready && done[before];
                if (!ready || (nodes[i].op.ready && !nodes[i].op.ready())) continue;
                found.push_back(i);
                if (any) break;
            }
            return found;
        }
    };
    auto run = std::make_shared<Run>(Run{exec->nodes, std::vector<bool>(exec->nodes.size()), exec->nodes.size()});
    bool exchange = false;
    for (Node &node : run->nodes) exchange = exchange || node.op.exchange;
    return queue(s, {"graph", [run] {
        int on = running;
        for (auto able = run->able(!state->deferred); !able.empty(); able = run->able(!state->deferred)) {
            std::vector<size_t> chain = {able[state->deferred ? state->random() % able.size() : 0]};
            size_t taken = 1;
            Op op = with_followers(run->nodes[chain[0]].op, [&]() -> const Op * {
                /* What waits for the last one taken, and for nothing else. */
                for (size_t i = chain.back() + 1; i < run->nodes.size(); i++) {
                    if (run->nodes[i].after != std::vector<int>{(int) chain.back()}) continue;
                    chain.push_back(i);
                    return &run->nodes[i].op;
                }
                return nullptr;
            }, taken);
            chain.resize(taken);
            for (size_t i : chain) run->done[i] = true, run->left--;
            execute(op, on);
        }
    }, [run] { return run->left == 0 || !run->able(true).empty(); }, exchange, [run] { return run->left == 0; }});
}
int cuGraphExecUpdate_v2(void *e, void *g, void *info) {
    ENTER_CONTEXT("cuGraphExecUpdate_v2");
    auto *exec = (Graph *) e, *graph = (Graph *) g;
    if (!state->execs.count(exec) || !state->graphs.count(graph)) return INVALID_VALUE;
    int result = exec->nodes.size() == graph->nodes.size() ? 0 : 2;
    for (size_t i = 0; !result && i < graph->nodes.size(); i++) {
        if (exec->nodes[i].after != graph->nodes[i].after) result = 2;
        else if (exec->nodes[i].op.what != graph->nodes[i].op.what) result = 4;
    }
    if (info) *(int *) info = result;
    if (result) return GRAPH_EXEC_UPDATE_FAILURE;
    exec->nodes = graph->nodes;
    return 0;
}
int cuGraphExecDestroy(void *e) {
    ENTER_CONTEXT("cuGraphExecDestroy");
    if (!state->execs.erase((Graph *) e)) return INVALID_VALUE;
    delete (Graph *) e;
    return 0;
}
int cuGraphDestroy(void *g) {
    ENTER_CONTEXT("cuGraphDestroy");
    if (!state->graphs.erase((Graph *) g)) return INVALID_VALUE;
    delete (Graph *) g;
    return 0;
}

}  // extern "C"
