/*
 * Finds accesses of one kernel that nothing orders: what the host's machine cannot show by wrong numbers, since its
 * threads take turns. Sources compiled with -fsanitize=thread and JETON_RACES call the functions at the end for every
 * access of memory; this is linked in place of the sanitizer's own library.
 *
 * Every thread has a vector clock (Mattern 1989): how far it knows every other thread of its block to be. __syncwarp and
 * barriers join those of who meets there; shuffles, votes and products of a warp do not, since CUDA promises no order of
 * memory by them. Each byte remembers its last write and its reads since then (FastTrack, Flanagan and Freund 2009), and an
 * access that does not know of an earlier one, where either writes, is a race. Atomics do not race with each other.
 * Between blocks only atomics order: who adds to a counter tells what it and others have fenced, who adds later learns it.
 *
 * Shared memory is forgotten from block to block, the memory of arrays from launch to launch. What is not looked at: orders
 * that the hardware gives beyond CUDA's promises, the caches that loads go through, and launches beside each other.
 */
#include "cuda_host.h"
#include <algorithm>
#include <cstdio>
#include <map>
#include <memory>
#include <set>
#include <string>
#include <unistd.h>
#include <unordered_map>
#include <utility>
#include <vector>

namespace {

using jeton::MOST_THREADS;
using jeton::machine;

/* When and by whom; block 0 is nobody. */
struct Tag {
    uint32_t block;
    uint16_t thread;
    uint16_t clock : 15;
    uint16_t atomic : 1;
};

/* What is known of one byte. Reads are one, or `more` by the block that read last, and one of another block. */
struct Cell {
    Tag write, read, other;
    uint32_t write_at, read_at, other_at;
    uint32_t more;
};

/* What a thread learned from another block by an atomic: that block's clocks, known from its own clock on. */
struct Learned {
    uint16_t thread, clock;
    uint32_t block;
    std::shared_ptr<std::vector<uint16_t>> known;
};

struct Told {
    uint32_t block;
    std::shared_ptr<std::vector<uint16_t>> known;
};

constexpr size_t PAGE = 4096;
constexpr unsigned MOST_REPORTS = 20;

struct Range { uintptr_t from, to; };

uint16_t knows[MOST_THREADS][MOST_THREADS];
/* By thread: its own clock at its last fence, and what it knew then; clocks go on behind a fence. */
uint16_t fenced[MOST_THREADS];
uint16_t at_fence[MOST_THREADS][MOST_THREADS];
uint32_t block, first_of_launch = 1;
bool atomic;
std::map<uintptr_t, Range> ranges;
Range last_range;
std::unordered_map<uintptr_t, std::unique_ptr<Cell[]>> pages;
uintptr_t last_page = ~(uintptr_t) 0;
Cell *last_cells;
std::vector<std::vector<Tag>> sets(1);
std::vector<uint32_t> free_sets;
std::vector<Learned> learned;
std::map<uintptr_t, std::vector<Told>> told;
std::set<std::pair<uint32_t, uint32_t>> reported;

unsigned index_of(const jeton::Lane *lane) { return (unsigned) (lane - machine.lanes); }

bool is_shared(uintptr_t at) {
    for (const jeton::Range &range : machine.shared) {
        if (at - (uintptr_t) range.at < range.bytes) return true;
    }
    return false;
}

bool is_array(uintptr_t at) {
    if (at - last_range.from < last_range.to - last_range.from) return true;
    auto next = ranges.upper_bound(at);
    if (next == ranges.begin()) return false;
    const Range &range = std::prev(next)->second;
    if (at >= range.to) return false;
    last_range = range;
    return true;
}

Cell *cells_of(uintptr_t at) {
    uintptr_t page = at / PAGE;
    if (page != last_page) {
        std::unique_ptr<Cell[]> &cells = pages[page];
        if (!cells) cells.reset(new Cell[PAGE]());
        last_page = page;
        last_cells = cells.get();
    }
    return last_cells + at % PAGE;
}

bool ordered(const Tag &tag, unsigned me) {
    if (tag.block == block) return tag.thread == me || knows[me][tag.thread] >= tag.clock;
    for (const Learned &l : learned) {
        if (l.block == tag.block && (l.thread == me || knows[me][l.thread] >= l.clock)
                && (*l.known)[tag.thread] >= tag.clock) return true;
    }
    return false;
}

/* Where in the sources; programs are linked with -no-pie, so addresses have 32 bits and are those of the file. */
std::string place(uint32_t at) {
    char command[256], line[512] = "";
    snprintf(command, sizeof command, "addr2line -e /proc/%d/exe -i -s 0x%lx", (int) getpid(),
            (unsigned long) at - 1);
    std::string all;
    if (FILE *out = popen(command, "r")) {
        while (fgets(line, sizeof line, out)) {
            line[strcspn(line, " \n")] = 0;
            if (strncmp(line, "??", 2)) all += (all.empty() ? "" : " in ") + std::string(line);
        }
        pclose(out);
    }
    return all.empty() ? "somewhere" : all;
}

void report(uintptr_t at, bool write, uint32_t here, const Tag &before, bool wrote, uint32_t there) {
    if (reported.size() >= MOST_REPORTS || !reported.insert({there, here}).second) return;
    const jeton::Lane *me = jeton::current;
    std::string where = "shared memory";
    if (!is_shared(at)) where = "byte " + std::to_string(at - last_range.from) + " of an array of "
            + std::to_string(last_range.to - last_range.from);
    std::string who = before.block == block ? "thread " + std::to_string(before.thread)
            : "thread " + std::to_string(before.thread) + " of another block";
    printf("RACE kernel %s, %s: thread %u %s at %s, and nothing orders that after what %s %s at %s\n",
            machine.kernel->name, where.c_str(), index_of(me), write ? "writes" : "reads", place(here).c_str(),
            who.c_str(), wrote ? "wrote" : "read", place(there).c_str());
}

void forget_reads(Cell &cell) {
    if (cell.more) {
        sets[cell.more].clear();
        free_sets.push_back(cell.more);
        cell.more = 0;
    }
    cell.read = cell.other = {};
}

void add_read(Cell &cell, const Tag &tag, unsigned me, uint32_t pc) {
    if (cell.read.block != block) {
        if (cell.read.block && !ordered(cell.read, me)) cell.other = cell.read, cell.other_at = cell.read_at;
        if (cell.more) sets[cell.more].clear(), free_sets.push_back(cell.more), cell.more = 0;
    } else if (!cell.more && !ordered(cell.read, me)) {
        if (free_sets.empty()) cell.more = (uint32_t) sets.size(), sets.emplace_back();
        else cell.more = free_sets.back(), free_sets.pop_back();
        sets[cell.more].push_back(cell.read);
    }
    if (cell.more) {
        std::vector<Tag> &set = sets[cell.more];
        if (ordered(set[0], me)) {
            set.erase(std::remove_if(set.begin(), set.end(), [&](const Tag &t) { return ordered(t, me); }), set.end());
        }
        set.push_back(tag);
    }
    cell.read = tag;
    cell.read_at = pc;
}

/* Of the reads since the last write, one that `me` knows nothing of, or null. */
const Tag *unordered_read(const Cell &cell, unsigned me) {
    if (cell.other.block && cell.other.block >= first_of_launch && !ordered(cell.other, me)) return &cell.other;
    if (cell.more) {
        for (const Tag &t : sets[cell.more]) if (!ordered(t, me)) return &t;
        return nullptr;
    }
    return cell.read.block && !ordered(cell.read, me) ? &cell.read : nullptr;
}

void touch(uintptr_t at, size_t bytes, bool write, void *caller) {
    if (!jeton::current || !block) return;
    bool shared = is_shared(at);
    if (!shared && !is_array(at)) return;
    unsigned me = index_of(jeton::current);
    uint32_t pc = (uint32_t) (uintptr_t) caller, oldest = shared ? block : first_of_launch;
    Tag tag = {block, (uint16_t) me, (uint16_t) (knows[me][me] & 0x7fff), atomic};
    Cell *cells = at / PAGE == (at + bytes - 1) / PAGE ? cells_of(at) : nullptr;
    for (size_t i = 0; i < bytes; i++) {
        Cell &cell = cells ? cells[i] : *cells_of(at + i);
        if (cell.write.block < oldest) cell.write = {};
        if (cell.read.block < oldest) forget_reads(cell);
        if (cell.write.block && !(atomic && cell.write.atomic) && !ordered(cell.write, me)) {
            report(at + i, write, pc, cell.write, true, cell.write_at);
        }
        if (write) {
            if (const Tag *read = unordered_read(cell, me)) {
                report(at + i, true, pc, *read, false, read == &cell.other ? cell.other_at : cell.read_at);
            }
            forget_reads(cell);
            cell.write = tag;
            cell.write_at = pc;
        } else if (!atomic) {
            add_read(cell, tag, me, pc);
        }
    }
}

}  // namespace

namespace jeton::races {

void watch(const void *from, size_t bytes) { ranges[(uintptr_t) from] = {(uintptr_t) from, (uintptr_t) from + bytes}; }

void forget(const void *from) {
    auto at = ranges.find((uintptr_t) from);
    if (at == ranges.end()) return;
    for (uintptr_t page = at->second.from / PAGE; page <= at->second.to / PAGE; page++) pages.erase(page);
    ranges.erase(at);
    last_range = {0, 0};
    last_page = ~(uintptr_t) 0;
}

void begin_launch() {
    first_of_launch = block + 1;
    told.clear();
}

void begin_block() {
    block++;
    learned.clear();
    memset(fenced, 0, sizeof fenced);
    for (unsigned t = 0; t < machine.threads; t++) {
        memset(at_fence[t], 0, machine.threads * sizeof at_fence[t][0]);
        memset(knows[t], 0, machine.threads * sizeof knows[t][0]);
        knows[t][t] = 1;
    }
}

/* What the thread does from now on is not among what it has told. */
static void go_on(unsigned me) {
    if (++knows[me][me] >= 0x7fff) fail(LAUNCH_FAILED, "has met others too often to look for races");
}

void join(const Lane *const *lanes, unsigned count) {
    static uint16_t all[MOST_THREADS];
    unsigned threads = machine.threads;
    if (count == threads) {
        /* nobody knows more of a thread than itself */
        for (unsigned t = 0; t < threads; t++) all[t] = knows[t][t];
    } else {
        memset(all, 0, sizeof all);
        for (unsigned i = 0; i < count; i++) {
            const uint16_t *row = knows[index_of(lanes[i])];
            for (unsigned t = 0; t < threads; t++) all[t] = all[t] > row[t] ? all[t] : row[t];
        }
    }
    for (unsigned i = 0; i < count; i++) {
        unsigned me = index_of(lanes[i]);
        memcpy(knows[me], all, threads * sizeof all[0]);
        go_on(me);
    }
}

void fence() {
    unsigned me = index_of(current);
    fenced[me] = knows[me][me];
    memcpy(at_fence[me], knows[me], machine.threads * sizeof knows[me][0]);
    go_on(me);
}

/* An atomic begins at an address, or the one that began has ended (null). */
void in_atomic(const void *at) {
    atomic = at != nullptr;
    if (!at || is_shared((uintptr_t) at)) return;
    unsigned me = index_of(current);
    std::vector<Told> &here = told[(uintptr_t) at];
    for (const Told &t : here) {
        if (t.block != block) learned.push_back({(uint16_t) me, knows[me][me], t.block, t.known});
    }
    auto known = std::make_shared<std::vector<uint16_t>>(MOST_THREADS);
    for (unsigned t = 0; t < machine.threads; t++) {
        uint16_t own = std::min(knows[me][t], fenced[t]);
        (*known)[t] = std::max(own, at_fence[me][t]);
    }
    here.push_back({block, known});
}

/* How many races there were. */
unsigned found() { return (unsigned) reported.size(); }

}  // namespace jeton::races

#define CALLER __builtin_return_address(0)
#define ACCESS(n) \
    void __tsan_read##n(void *at) { touch((uintptr_t) at, n, false, CALLER); } \
    void __tsan_write##n(void *at) { touch((uintptr_t) at, n, true, CALLER); } \
    void __tsan_unaligned_read##n(void *at) { touch((uintptr_t) at, n, false, CALLER); } \
    void __tsan_unaligned_write##n(void *at) { touch((uintptr_t) at, n, true, CALLER); }
extern "C" {
ACCESS(1)
ACCESS(2)
ACCESS(4)
ACCESS(8)
ACCESS(16)
void __tsan_read_range(void *at, size_t bytes) { touch((uintptr_t) at, bytes, false, CALLER); }
void __tsan_write_range(void *at, size_t bytes) { touch((uintptr_t) at, bytes, true, CALLER); }
void __tsan_vptr_update(void **, void *) {}
void __tsan_func_entry(void *) {}
void __tsan_func_exit() {}
void __tsan_init() {}
}
