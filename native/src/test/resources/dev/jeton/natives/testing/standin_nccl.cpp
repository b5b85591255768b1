/*
 * Stands in for NCCL (source: nccl.h of NCCL 2.27): sums and gathers over the devices of one machine, with its rules: a
 * stream that comes to an exchange is held until all ranks have come, each rank asking for the same; ranks differ in
 * device; who makes a rank waits for the others, unless a group makes all; memory must be the rank's own device's.
 * Sums are made in the order of ranks and rounded at each, as where partial sums go from rank to rank in their type.
 */
#include "standin.h"
#include <cstring>
#include <map>
#include <memory>
#include <mutex>
#include <set>
#include <vector>

namespace {

enum { OK = 0, CUDA_ERROR = 1, SYSTEM_ERROR = 2, INVALID_ARGUMENT = 4, INVALID_USAGE = 5 };

struct Id { char bytes[128]; };

struct Call { int kind; const void *from; void *to; size_t count; int type; };

struct Clique {
    std::vector<int> devices;          /* by rank; -1 until it has come */
    std::vector<Call> calls;
    std::vector<uint64_t> come;        /* exchanges that the rank's stream has come to */
    std::vector<bool> aborted;
    uint64_t done = 0;
};

struct Communicator { std::shared_ptr<Clique> clique; int rank; };

std::map<std::string, std::shared_ptr<Clique>> cliques;
std::set<Communicator *> communicators;
uint64_t identities = 0;
std::string last;
thread_local int depth = 0;
thread_local std::vector<std::function<int()>> grouped;

int failed(int code, const std::string &why) {
    standin::locked([&] { last = why; });
    return code;
}

/* As cuBLASLt's stand-in names types; -1 for none. */
int element_type(int type) { return type == 6 ? 2 : type == 7 ? 0 : type == 9 ? 14 : -1; }
size_t width(int type) { return type == 7 ? 4 : 2; }

void finish(Clique &clique) {
    size_t ranks = clique.devices.size();
    const Call &first = clique.calls[0];
    for (const Call &c : clique.calls) {
        if (c.kind != first.kind || c.count != first.count || c.type != first.type) {
            standin::lose(standin::LAUNCH_FAILED, "ranks ask for different exchanges at the same time");
            return;
        }
    }
    int type = element_type(first.type);
    size_t bytes = first.count * width(first.type);
    std::vector<char> out(first.kind ? bytes * ranks : bytes);
    for (size_t r = 0; r < ranks; r++) {
        const void *from = clique.calls[r].from;
        if (first.kind || r == 0) {
            memcpy(&out[bytes * r], from, bytes);
            continue;
        }
        for (size_t i = 0; i < first.count; i++) {
            float sum = standin::element(out.data(), type, (int64_t) i) + standin::element(from, type, (int64_t) i);
            standin::set_element(out.data(), type, (int64_t) i, sum);
        }
    }
    for (const Call &c : clique.calls) memcpy(c.to, out.data(), out.size());
    clique.done++;
}

/* A stream has come to an exchange. */
void come(Clique &clique, int rank, const Call &call) {
    std::string why;
    size_t bytes = call.count * width(call.type), out = call.kind ? bytes * clique.devices.size() : bytes;
    if (!standin::reachable(call.from, bytes, why) || !standin::reachable(call.to, out, why)) {
        standin::lose(standin::ILLEGAL_ADDRESS, "rank " + std::to_string(rank) + " of NCCL: " + why);
        return;
    }
    if (clique.come[rank] > clique.done) {
        standin::lose(standin::LAUNCH_FAILED, "a rank has two exchanges under way, on two streams");
        return;
    }
    clique.calls[rank] = call;
    clique.come[rank]++;
    for (uint64_t n : clique.come) if (n <= clique.done) return;
    finish(clique);
}

int now_or_grouped(std::function<int()> work) {
    if (!depth) return work();
    grouped.push_back(std::move(work));
    return OK;
}

int exchange(const char *name, Communicator *c, Call call, void *stream) {
    if (int code = standin::ordered(name)) return failed(code, std::string("as a test ordered, at ") + name);
    std::shared_ptr<Clique> clique;
    int rank = 0;
    standin::locked([&] { if (communicators.count(c)) clique = c->clique, rank = c->rank; });
    if (!clique) return failed(INVALID_ARGUMENT, "there is no such communicator");
    if (element_type(call.type) < 0) return failed(INVALID_ARGUMENT, "a type that this stand-in has not");
    return now_or_grouped([=] {
        int code = standin::exchange(clique->devices[rank], stream, name,
                [=] { if (!clique->aborted[rank]) come(*clique, rank, call); },
                [=] { return clique->aborted[rank] || clique->come[rank] <= clique->done; });
        return code ? failed(CUDA_ERROR, std::string(name) + ": the driver says " + std::to_string(code)) : (int) OK;
    });
}

bool whole(const Clique &clique) {
    for (int device : clique.devices) if (device < 0) return false;
    return true;
}

}  // namespace

long long standin::exchanges() { return (long long) communicators.size(); }

void standin::forget_exchanges() {
    for (Communicator *c : communicators) delete c;
    communicators.clear();
    cliques.clear();
    last.clear();
}

extern "C" {

const char *ncclGetErrorString(int code) {
    switch (code) {
        case 0: return "no error";
        case 1: return "unhandled cuda error";
        case 2: return "unhandled system error";
        case 3: return "internal error";
        case 4: return "invalid argument";
        case 5: return "invalid usage";
        case 6: return "remote process exited or there was a network error";
        default: return "unknown result code";
    }
}
const char *ncclGetLastError(void *) {
    thread_local std::string copy;
    standin::locked([&] { copy = last; });
    return copy.c_str();
}
int ncclGetVersion(int *version) {
    if (int code = standin::ordered("ncclGetVersion")) return code;
    *version = 22703;
    return OK;
}
int ncclGetUniqueId(Id *id) {
    if (int code = standin::ordered("ncclGetUniqueId")) return code;
    memset(id, 0, sizeof *id);
    standin::locked([&] { snprintf(id->bytes, sizeof id->bytes, "clique %llu", (unsigned long long) ++identities); });
    id->bytes[127] = 1;
    return OK;
}
int ncclCommInitRank(Communicator **out, int ranks, Id id, int rank) {
    *out = nullptr;
    if (int code = standin::ordered("ncclCommInitRank")) return failed(code, "as a test ordered");
    int device = standin::current();
    if (device < 0) return failed(CUDA_ERROR, "the thread has no context");
    if (ranks < 1 || rank < 0 || rank >= ranks) return failed(INVALID_ARGUMENT, "a rank that there is not");
    std::string name(id.bytes, sizeof id.bytes);
    return now_or_grouped([=] {
        std::shared_ptr<Clique> clique;
        int code = OK;
        standin::locked([&] {
            auto &known = cliques[name];
            if (!known) {
                known = std::make_shared<Clique>();
                known->devices.assign(ranks, -1);
                known->calls.resize(ranks);
                known->come.assign(ranks, 0);
                known->aborted.assign(ranks, false);
            }
            clique = known;
            if ((int) clique->devices.size() != ranks || clique->devices[rank] >= 0) code = INVALID_ARGUMENT;
            for (int other : clique->devices) if (other == device) code = INVALID_USAGE;
            if (code) return;
            clique->devices[rank] = device;
            communicators.insert(*out = new Communicator{clique, rank});
        });
        if (code) return failed(code, code == INVALID_USAGE ? "two ranks have one device" : "ranks do not agree");
        /* In a group the last of it waits for all. */
        if (!depth && grouped.empty() && !standin::wait([&] { return whole(*clique); })) {
            return failed(SYSTEM_ERROR, "a rank has not come");
        }
        return (int) OK;
    });
}
int ncclGroupStart() {
    if (int code = standin::ordered("ncclGroupStart")) return code;
    depth++;
    return OK;
}
int ncclGroupEnd() {
    int code = standin::ordered("ncclGroupEnd");
    if (!depth) return failed(INVALID_USAGE, "no group was started");
    if (--depth) return code;
    std::vector<std::function<int()>> work;
    while (!grouped.empty()) {
        std::function<int()> next = std::move(grouped.front());
        grouped.erase(grouped.begin());
        int found = next();
        if (!code) code = found;
    }
    return code;
}
int ncclAllReduce(const void *from, void *to, size_t count, int type, int op, Communicator *c, void *stream) {
    if (op != 0) return failed(INVALID_ARGUMENT, "only sums are made by this stand-in");
    return exchange("ncclAllReduce", c, {0, from, to, count, type}, stream);
}
int ncclAllGather(const void *from, void *to, size_t count, int type, Communicator *c, void *stream) {
    return exchange("ncclAllGather", c, {1, from, to, count, type}, stream);
}
int ncclCommGetAsyncError(Communicator *c, int *out) {
    if (int code = standin::ordered("ncclCommGetAsyncError")) return code;
    bool there = false;
    standin::locked([&] { there = communicators.count(c); });
    if (!there) return failed(INVALID_ARGUMENT, "there is no such communicator");
    *out = standin::ordered("exchange");
    return OK;
}
int ncclCommAbort(Communicator *c) {
    if (int code = standin::ordered("ncclCommAbort")) return code;
    bool there = false;
    standin::locked([&] {
        there = communicators.erase(c);
        if (there) {
            c->clique->aborted[c->rank] = true;
            delete c;
        }
    });
    return there ? OK : failed(INVALID_ARGUMENT, "there is no such communicator");
}
int ncclCommDestroy(Communicator *c) {
    if (int code = standin::ordered("ncclCommDestroy")) return code;
    bool there = false;
    standin::locked([&] {
        there = communicators.erase(c);
        if (there) delete c;
    });
    return there ? OK : failed(INVALID_ARGUMENT, "there is no such communicator");
}

}  // extern "C"
