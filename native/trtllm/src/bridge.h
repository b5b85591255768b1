// What Jeton needs of TensorRT-LLM's executor, without JNI: sequences in, flat events out.
//
// Any thread may enqueue and cancel; one thread awaits. An executor that is shut down refuses all calls.
#pragma once

#include <cstdint>
#include <cstddef>
#include <deque>
#include <memory>
#include <mutex>
#include <string>
#include <unordered_map>
#include <vector>

namespace tensorrt_llm::executor {
class Executor;
class Response;
struct IterationStats;
struct RequestStatsPerIteration;
} // namespace tensorrt_llm::executor

namespace jeton {

// How an executor is made; 0 leaves a bound to the engine.
struct Settings {
    std::string folder;
    int maxBatchSize = 0;
    int maxBatchedTokens = 0;
    std::int64_t kvTokens = 0;
    float kvFraction = 0;
    bool reuse = true;
    int statistics = 1000;
};

// One sequence.
struct Ask {
    std::int64_t id = 0;
    std::vector<std::int32_t> tokens;
    std::int32_t maxTokens = 0;
    std::vector<std::int32_t> stopTokens;
    float temperature = 1;
    float topP = 1;
    float minP = 0;
    float repetitionPenalty = 1;
    float presencePenalty = 0;
    float frequencyPenalty = 0;
    std::int32_t topK = 0;
    std::int32_t minTokens = 0;
    std::int64_t seed = 0;
    bool logProbabilities = false;
    // KV blocks of a greater one are kept longer, 0 to 100.
    std::int32_t retention = 35;
    // 0 to 1; more is sooner.
    float priority = 0.5F;
};

// Events are written one after the other as little-endian 64-bit words.
//
//   ITERATION   kind, number, nanoseconds, rows; then for each row: id, prefill tokens, generated tokens, context tokens
//   TOKENS      kind, id, count, flags; then for each token: token, bits of its log-probability (NaN where not asked for)
//   FAILURE     kind, id, bytes of a message; then the message, padded to words
//   STATE       kind, active, queued, KV blocks, free KV blocks, tokens of a block
namespace event {
constexpr std::int64_t ITERATION = 1;
constexpr std::int64_t TOKENS = 2;
constexpr std::int64_t FAILURE = 3;
constexpr std::int64_t STATE = 4;

// Flags of TOKENS: the last of the sequence, and why it is.
constexpr std::int64_t LAST = 1;
constexpr std::int64_t STOPPED = 2;
constexpr std::int64_t LENGTH = 4;
constexpr std::int64_t CANCELLED = 8;
} // namespace event

class Bridge {
public:
    explicit Bridge(Settings const& settings);
    ~Bridge();
    Bridge(Bridge const&) = delete;
    Bridge& operator=(Bridge const&) = delete;

    // The library's version, as its engines carry it.
    static std::string version();

    void enqueue(Ask const& ask);
    void cancel(std::int64_t id);

    // Waits for something to tell, and writes as many whole events as have room; the others come with the next call.
    // Returns the words written. Iterations come before the tokens that they brought.
    std::size_t await(std::int64_t milliseconds, std::int64_t* words, std::size_t room);

    // Ends what runs, waits for it and lets go of the device.
    void shutdown();

private:
    struct Sequence {
        std::int64_t id = 0;
        std::int32_t prompt = 0;
        // As iterations say it.
        std::int32_t prefilled = 0;
        std::int32_t counted = 0;
        bool stepped = false;
        // As responses say it.
        std::int32_t told = 0;
    };

    using Event = std::vector<std::int64_t>;

    void statistics();
    void iteration(tensorrt_llm::executor::IterationStats const& overall,
                   tensorrt_llm::executor::RequestStatsPerIteration const* requests);
    bool response(tensorrt_llm::executor::Response const& response, Event& into);
    bool behind(std::vector<tensorrt_llm::executor::Response> const& responses);
    void open() const;

    std::unique_ptr<tensorrt_llm::executor::Executor> executor_;
    // Held by whoever awaits, so that a shutdown lets go of the executor only afterwards.
    std::mutex awaiting_;
    mutable std::mutex mutex_;
    // Guarded by the mutex: the executor's ids of sequences that have not ended, and ours.
    std::unordered_map<std::uint64_t, Sequence> sequences_;
    std::unordered_map<std::int64_t, std::uint64_t> theirs_;
    bool closed_ = false;
    // The awaiting thread's alone.
    std::deque<Event> pending_;
};

} // namespace jeton
