// Holds the bridge against the double; run under the sanitizers. Prints nothing and ends with 0 where all is well.
#include "bridge.h"

#include "tensorrt_llm/executor/executor.h"

#include <cmath>
#include <cstdint>
#include <cstdio>
#include <cstdlib>
#include <cstring>
#include <filesystem>
#include <fstream>
#include <map>
#include <stdexcept>
#include <string>
#include <thread>
#include <unistd.h>
#include <vector>

namespace {

int failures = 0;

#define CHECK(condition)                                                                                                   \
    do {                                                                                                                   \
        if (!(condition)) {                                                                                                \
            std::fprintf(stderr, "%s:%d: %s does not hold\n", __FILE__, __LINE__, #condition);                             \
            failures++;                                                                                                    \
        }                                                                                                                  \
    } while (false)

std::filesystem::path home()
{
    return std::filesystem::temp_directory_path() / ("jeton-trtllm-" + std::to_string(getpid()));
}

std::string engine(std::string const& name, std::string const& knobs = "")
{
    auto const folder = home() / name;
    std::filesystem::create_directories(folder);
    std::ofstream(folder / "config.json") << "{\"pretrained_config\": {\"vocab_size\": 1000}, \"build_config\": "
                                             "{\"max_seq_len\": 128, \"max_batch_size\": 4, \"max_num_tokens\": 32}, "
                                             "\"double\": {\"x\": 0"
                                          << knobs << "}}";
    std::ofstream(folder / "rank0.engine") << "an engine";
    return folder.string();
}

jeton::Settings settings(std::string const& folder)
{
    jeton::Settings made;
    made.folder = folder;
    return made;
}

struct Told {
    std::vector<std::int32_t> tokens;
    std::vector<float> scores;
    std::int64_t flags = 0;
    std::string failure;
    std::int64_t prefill = 0;
    std::int64_t generated = 0;
    bool tokensBeforeTheirIteration = false;
};

void read(std::vector<std::int64_t> const& words, std::size_t count, std::map<std::int64_t, Told>& all)
{
    std::size_t at = 0;
    while (at < count) {
        switch (words[at]) {
        case jeton::event::ITERATION: {
            auto const rows = words[at + 3];
            CHECK(words[at + 2] >= 0);
            for (std::int64_t row = 0; row < rows; row++) {
                auto const* const it = &words[at + 4 + 4 * static_cast<std::size_t>(row)];
                all[it[0]].prefill += it[1];
                all[it[0]].generated += it[2];
            }
            at += 4 + 4 * static_cast<std::size_t>(rows);
            break;
        }
        case jeton::event::TOKENS: {
            auto& told = all[words[at + 1]];
            for (std::int64_t i = 0; i < words[at + 2]; i++) {
                told.tokens.push_back(static_cast<std::int32_t>(words[at + 4 + 2 * static_cast<std::size_t>(i)]));
                auto const raw = static_cast<std::uint32_t>(words[at + 5 + 2 * static_cast<std::size_t>(i)]);
                float score = 0;
                std::memcpy(&score, &raw, sizeof score);
                told.scores.push_back(score);
            }
            told.tokensBeforeTheirIteration |= static_cast<std::int64_t>(told.tokens.size()) > told.generated;
            told.flags |= words[at + 3];
            at += 4 + 2 * static_cast<std::size_t>(words[at + 2]);
            break;
        }
        case jeton::event::FAILURE: {
            auto const bytes = static_cast<std::size_t>(words[at + 2]);
            all[words[at + 1]].failure.assign(reinterpret_cast<char const*>(&words[at + 3]), bytes);
            all[words[at + 1]].flags |= jeton::event::LAST;
            at += 3 + (bytes + 7) / 8;
            break;
        }
        case jeton::event::STATE: at += 6; break;
        default: CHECK(false); return;
        }
    }
}

std::map<std::int64_t, Told> drain(jeton::Bridge& bridge, std::size_t sequences, std::size_t room = 4096)
{
    std::map<std::int64_t, Told> all;
    std::vector<std::int64_t> words(room);
    for (int i = 0; i < 100000; i++) {
        read(words, bridge.await(100, words.data(), room), all);
        std::size_t over = 0;
        for (auto const& each : all) {
            over += (each.second.flags & jeton::event::LAST) != 0;
        }
        if (over == sequences) {
            return all;
        }
    }
    CHECK(false);
    return all;
}

jeton::Ask ask(std::int64_t id, int length, int most)
{
    jeton::Ask made;
    made.id = id;
    for (int i = 0; i < length; i++) {
        made.tokens.push_back((static_cast<int>(id) * 31 + i * 7) % 1000);
    }
    made.maxTokens = most;
    made.topK = 1;
    return made;
}

template <typename F>
std::string thrown(F call)
{
    try {
        call();
    } catch (std::exception const& e) {
        return e.what();
    }
    return "";
}

void sequencesAreWholeWhateverTheBatch()
{
    jeton::Bridge bridge(settings(engine("whole")));
    std::map<std::int64_t, std::vector<std::int32_t>> alone;
    for (std::int64_t id = 0; id < 12; id++) {
        bridge.enqueue(ask(id, 5 + 6 * static_cast<int>(id), 10));
        alone[id] = drain(bridge, 1)[id].tokens;
        CHECK(alone[id].size() == 10);
    }
    for (std::int64_t id = 0; id < 12; id++) {
        bridge.enqueue(ask(id, 5 + 6 * static_cast<int>(id), 10));
    }
    auto const all = drain(bridge, 12, 64);
    for (auto const& each : all) {
        CHECK(each.second.tokens == alone[each.first]);
        CHECK(each.second.flags == (jeton::event::LAST | jeton::event::LENGTH));
        CHECK(each.second.prefill == 5 + 6 * each.first);
        CHECK(each.second.generated == 10);
        CHECK(!each.second.tokensBeforeTheirIteration);
        CHECK(std::isnan(each.second.scores.front()));
    }
}

void statisticsThatComeLateAreWaitedFor()
{
    jeton::Bridge bridge(settings(engine("late", ", \"statistics_late_us\": 300")));
    bridge.enqueue(ask(1, 20, 8));
    auto const told = drain(bridge, 1)[1];
    CHECK(told.generated == 8);
    CHECK(!told.tokensBeforeTheirIteration);
}

void stopTokensAreTold()
{
    jeton::Bridge bridge(settings(engine("stop")));
    bridge.enqueue(ask(1, 9, 20));
    auto const tokens = drain(bridge, 1)[1].tokens;
    auto stopping = ask(2, 9, 20);
    stopping.tokens = ask(1, 9, 20).tokens;
    stopping.stopTokens = {tokens[5]};
    stopping.logProbabilities = true;
    bridge.enqueue(stopping);
    auto const told = drain(bridge, 1)[2];
    CHECK(told.tokens.back() == tokens[5]);
    CHECK(told.tokens.size() <= 6);
    CHECK((told.flags & jeton::event::STOPPED) != 0);
    CHECK(told.scores.front() == -0.25F - 1.0F / 1024);
}

void cancelledOnesEnd()
{
    jeton::Bridge bridge(settings(engine("cancel", ", \"iteration_us\": 500")));
    bridge.enqueue(ask(1, 4, 100));
    bridge.cancel(1);
    bridge.cancel(99);
    auto const told = drain(bridge, 1)[1];
    CHECK((told.flags & jeton::event::CANCELLED) != 0);
    CHECK(told.tokens.size() <= 2);
}

void errorsAreTold()
{
    jeton::Bridge bridge(settings(engine("errors")));
    bridge.enqueue(ask(1, 200, 1));
    CHECK(drain(bridge, 1)[1].failure.find("exceeds maximum input length") != std::string::npos);
    auto wrong = ask(2, 4, 1);
    wrong.retention = 101;
    CHECK(thrown([&] { bridge.enqueue(wrong); }).find("Invalid priority") != std::string::npos);
    CHECK(thrown([&] { bridge.enqueue(ask(3, 0, 1)); }).find("at least one token") != std::string::npos);
    std::vector<std::int64_t> words(2);
    bridge.enqueue(ask(4, 4, 1));
    CHECK(thrown([&] {
        for (int i = 0; i < 100; i++) {
            (void) bridge.await(100, words.data(), words.size());
        }
    }).find("there is room for 2")
        != std::string::npos);
    jeton::Bridge failing(settings(engine("failing", ", \"fail_after\": 3")));
    failing.enqueue(ask(1, 4, 50));
    CHECK(drain(failing, 1)[1].failure.find("as the test wants it") != std::string::npos);
}

void whatCannotBeMadeIsRefused()
{
    CHECK(thrown([] { jeton::Bridge bridge(settings("/nowhere")); }).find("Failed to open") != std::string::npos);
    auto const folder = engine("noengine");
    std::filesystem::remove(std::filesystem::path(folder) / "rank0.engine");
    CHECK(thrown([&] { jeton::Bridge bridge(settings(folder)); }).find("rank0.engine") != std::string::npos);
    CHECK(thrown([] { jeton::Bridge bridge(settings(engine("follower", ", \"leader\": false"))); }).find("not the leader")
        != std::string::npos);
}

void nothingIsUsedAfterAShutdown()
{
    jeton::Bridge bridge(settings(engine("closed", ", \"iteration_us\": 200")));
    bridge.enqueue(ask(1, 4, 100));
    std::vector<std::int64_t> words(4096);
    std::thread awaiting([&] {
        while (thrown([&] { (void) bridge.await(1000, words.data(), words.size()); }).empty()) {
        }
    });
    bridge.shutdown();
    awaiting.join();
    bridge.shutdown();
    CHECK(thrown([&] { bridge.enqueue(ask(2, 4, 1)); }) == "the executor is shut down");
    CHECK(thrown([&] { bridge.cancel(1); }) == "the executor is shut down");
    CHECK(thrown([&] { (void) bridge.await(1, words.data(), words.size()); }) == "the executor is shut down");
}

void doubleKeepsToTheDocumentation()
{
    namespace tle = tensorrt_llm::executor;
    tle::ExecutorConfig config(1);
    config.setRequestStatsMaxIterations(3);
    config.setIterStatsMaxIterations(3);
    tle::Executor executor(engine("double"), tle::ModelType::kDECODER_ONLY, config);
    auto const id = executor.enqueueRequest(tle::Request({1, 2, 3}, 10, false));
    auto responses = executor.awaitResponses(id, std::chrono::milliseconds(5000));
    CHECK(responses.size() == 1);
    // all its responses were given: the next await would never return without a timeout
    CHECK(executor.awaitResponses(id, std::chrono::milliseconds(20)).empty());
    std::this_thread::sleep_for(std::chrono::milliseconds(20));
    CHECK(executor.getLatestIterationStats().size() == 3);
    CHECK(executor.getLatestIterationStats().empty());
    CHECK(executor.getLatestRequestStats().size() == 3);
    CHECK(executor.getLatestRequestStats().empty());
}

} // namespace

int main()
{
    sequencesAreWholeWhateverTheBatch();
    statisticsThatComeLateAreWaitedFor();
    stopTokensAreTold();
    cancelledOnesEnd();
    errorsAreTold();
    whatCannotBeMadeIsRefused();
    nothingIsUsedAfterAShutdown();
    doubleKeepsToTheDocumentation();
    std::filesystem::remove_all(home());
    return failures == 0 ? EXIT_SUCCESS : EXIT_FAILURE;
}
