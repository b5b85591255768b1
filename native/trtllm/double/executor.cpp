// A double of the executor: batches in flight on a thread of its own, as the documentation says that the real one does.
//
// What it keeps to: requests join and leave the batch between iterations; prompts are computed in chunks of the token
// budget; a response for each iteration of a stream, the last one final; a stop word is the last token told; a cancelled
// request ends with a final response within an iteration; statistics are drained by who asks and bounded; those of an
// iteration appear after its responses; awaiting one request's responses after its last waits until the timeout, or for
// ever; only the leader enqueues; a prompt that does not fit is answered with an error.
//
// The next token is a hash of the tokens before it and, where the request samples, of its seed, below the vocabulary of the
// engine's config.json. Knobs for tests stand in that file's "double" object: "leader", "iteration_us", "statistics_late_us",
// "fail_after" (iterations).
#include "tensorrt_llm/executor/executor.h"

#include <algorithm>
#include <condition_variable>
#include <fstream>
#include <map>
#include <mutex>
#include <regex>
#include <set>
#include <sstream>
#include <stdexcept>
#include <thread>
#include <utility>

namespace tensorrt_llm::executor {

char const* version() noexcept
{
    return "0.18.2";
}

SamplingConfig::SamplingConfig(SizeType32 beamWidth)
{
    if (beamWidth != 1) {
        throw std::runtime_error("the double has no beams");
    }
}
void SamplingConfig::setTopK(std::optional<SizeType32> const& value)
{
    if (value && *value < 0) {
        throw std::runtime_error("topK must not be negative");
    }
    topK_ = value;
}
void SamplingConfig::setTopP(std::optional<FloatType> const& value)
{
    if (value && (*value < 0 || *value > 1)) {
        throw std::runtime_error("topP must be between 0 and 1");
    }
}
void SamplingConfig::setMinP(std::optional<FloatType> const&) {}
void SamplingConfig::setSeed(std::optional<RandomSeedType> const& value)
{
    seed_ = value;
}
void SamplingConfig::setTemperature(std::optional<FloatType> const& value)
{
    if (value && *value < 0) {
        throw std::runtime_error("temperature must not be negative");
    }
    temperature_ = value;
}
void SamplingConfig::setMinTokens(std::optional<SizeType32> const& value)
{
    minTokens_ = value;
}
void SamplingConfig::setRepetitionPenalty(std::optional<FloatType> const&) {}
void SamplingConfig::setPresencePenalty(std::optional<FloatType> const&) {}
void SamplingConfig::setFrequencyPenalty(std::optional<FloatType> const&) {}

OutputConfig::OutputConfig(bool logProbs, bool contextLogits, bool generationLogits, bool excludeInput)
    : returnLogProbs(logProbs)
    , returnContextLogits(contextLogits)
    , returnGenerationLogits(generationLogits)
    , excludeInputFromOutput(excludeInput)
{
}

KvCacheRetentionConfig::TokenRangeRetentionConfig::TokenRangeRetentionConfig(SizeType32 start,
    std::optional<SizeType32> end, RetentionPriority rank, std::optional<std::chrono::milliseconds> duration)
    : tokenStart(start)
    , tokenEnd(end)
    , priority(rank)
    , durationMs(duration)
{
    if (rank < kMinRetentionPriority || rank > kMaxRetentionPriority) {
        throw std::runtime_error("Invalid priority value. Must be between 0 and 100");
    }
}
KvCacheRetentionConfig::KvCacheRetentionConfig(std::vector<TokenRangeRetentionConfig> const&, RetentionPriority,
    std::optional<std::chrono::milliseconds>)
{
}

Request::Request(VecTokens inputTokenIds, SizeType32 most, bool streamed, SamplingConfig const& samplingConfig,
    OutputConfig const& outputConfig)
    : tokens(std::move(inputTokenIds))
    , maxTokens(most)
    , streaming(streamed)
    , sampling(samplingConfig)
    , output(outputConfig)
{
    if (tokens.empty() || maxTokens < 1) {
        throw std::runtime_error("a request has at least one token and wants at least one");
    }
}
void Request::setStopWords(std::list<VecTokens> const& words)
{
    stopWords = words;
}
void Request::setPriority(PriorityType value)
{
    if (value < 0 || value > 1) {
        throw std::runtime_error("priority must be between 0 and 1");
    }
    priority = value;
}
void Request::setKvCacheRetentionConfig(KvCacheRetentionConfig const&) {}

Response::Response(IdType requestId, std::string errorMsg)
    : id_(requestId)
    , error_(std::move(errorMsg))
{
}
Response::Response(IdType requestId, Result result)
    : id_(requestId)
    , result_(std::move(result))
{
}
IdType Response::getRequestId() const
{
    return id_;
}
bool Response::hasError() const
{
    return error_.has_value();
}
std::string const& Response::getErrorMsg() const
{
    if (!error_) {
        throw std::runtime_error("the response has no error");
    }
    return *error_;
}
Result const& Response::getResult() const
{
    if (!result_) {
        throw std::runtime_error("the response has an error, no result");
    }
    return *result_;
}

KvCacheConfig::KvCacheConfig(bool enableBlockReuse)
    : reuse_(enableBlockReuse)
{
}
void KvCacheConfig::setMaxTokens(SizeType32 maxTokens)
{
    maxTokens_ = maxTokens;
}
void KvCacheConfig::setFreeGpuMemoryFraction(FloatType) {}

ExecutorConfig::ExecutorConfig(SizeType32) {}
void ExecutorConfig::setKvCacheConfig(KvCacheConfig const& config)
{
    kvCache = config;
}
void ExecutorConfig::setEnableChunkedContext(bool enable)
{
    chunked = enable;
}
void ExecutorConfig::setIterStatsMaxIterations(SizeType32 most)
{
    iterations = most;
}
void ExecutorConfig::setRequestStatsMaxIterations(SizeType32 most)
{
    requestIterations = most;
}
void ExecutorConfig::setMaxBatchSize(SizeType32 size)
{
    maxBatchSize = size;
}
void ExecutorConfig::setMaxNumTokens(SizeType32 tokens)
{
    maxNumTokens = tokens;
}

class Executor::Impl {
public:
    Impl(std::filesystem::path const& folder, ExecutorConfig const& config)
        : config_(config)
    {
        std::ifstream file(folder / "config.json");
        if (!file) {
            throw std::runtime_error("Failed to open engine config file: " + (folder / "config.json").string());
        }
        if (!std::filesystem::exists(folder / "rank0.engine")) {
            throw std::runtime_error("Error opening engine file: " + (folder / "rank0.engine").string());
        }
        std::stringstream text;
        text << file.rdbuf();
        json_ = text.str();
        vocabulary_ = number("vocab_size", 1000);
        context_ = number("max_seq_len", 256);
        batch_ = std::min(config.maxBatchSize.value_or(1 << 20), number("max_batch_size", 4));
        budget_ = std::min(config.maxNumTokens.value_or(1 << 20), number("max_num_tokens", 64));
        iterationMicros_ = number("iteration_us", 0);
        lateMicros_ = number("statistics_late_us", 0);
        failAfter_ = number("fail_after", 0);
        leader_ = json_.find("\"leader\": false") == std::string::npos;
        thread_ = std::thread([this] { run(); });
    }

    ~Impl()
    {
        shutdown();
    }

    IdType enqueue(Request const& request)
    {
        if (!leader_) {
            throw std::runtime_error("Only the leader can enqueue requests");
        }
        std::lock_guard<std::mutex> lock(mutex_);
        if (closing_) {
            throw std::runtime_error("Cannot enqueue requests after shutdown");
        }
        IdType const id = ++ids_;
        if (static_cast<SizeType32>(request.tokens.size()) >= context_) {
            respond(Response(id, "Prompt length (" + std::to_string(request.tokens.size())
                + ") exceeds maximum input length (" + std::to_string(context_ - 1) + ")"));
            return id;
        }
        requests_.emplace(id, Running{request, request.tokens, 0, 0, {}, false});
        order_.push_back(id);
        work_.notify_all();
        return id;
    }

    std::vector<Response> await(std::optional<std::chrono::milliseconds> const& timeout)
    {
        std::unique_lock<std::mutex> lock(mutex_);
        wait(lock, timeout, [this] { return !ready_.empty() || closing_; });
        std::vector<Response> taken(ready_.begin(), ready_.end());
        ready_.clear();
        return taken;
    }

    std::vector<Response> await(IdType id, std::optional<std::chrono::milliseconds> const& timeout)
    {
        std::unique_lock<std::mutex> lock(mutex_);
        auto const its = [id](Response const& each) { return each.getRequestId() == id; };
        wait(lock, timeout, [&] { return std::any_of(ready_.begin(), ready_.end(), its); });
        std::vector<Response> taken;
        std::copy_if(ready_.begin(), ready_.end(), std::back_inserter(taken), its);
        ready_.erase(std::remove_if(ready_.begin(), ready_.end(), its), ready_.end());
        return taken;
    }

    void cancel(IdType id)
    {
        std::lock_guard<std::mutex> lock(mutex_);
        auto const found = requests_.find(id);
        if (found != requests_.end()) {
            found->second.cancelled = true;
            work_.notify_all();
        }
    }

    void shutdown()
    {
        {
            std::lock_guard<std::mutex> lock(mutex_);
            closing_ = true;
            work_.notify_all();
            told_.notify_all();
        }
        if (thread_.joinable()) {
            thread_.join();
        }
    }

    template <typename T>
    std::deque<T> drain(std::deque<T>& from)
    {
        std::lock_guard<std::mutex> lock(mutex_);
        std::deque<T> taken;
        taken.swap(from);
        return taken;
    }

    bool leader_ = true;
    std::deque<IterationStats> iterations_;
    std::deque<RequestStatsPerIteration> rows_;

private:
    struct Running {
        Request request;
        VecTokens tokens;
        SizeType32 prefilled;
        SizeType32 generated;
        VecLogProbs scores;
        bool cancelled;
    };

    SizeType32 number(std::string const& name, SizeType32 otherwise) const
    {
        std::smatch found;
        std::regex const pattern("\"" + name + "\"\\s*:\\s*([0-9]+)");
        return std::regex_search(json_, found, pattern) ? std::stoi(found[1]) : otherwise;
    }

    template <typename P>
    void wait(std::unique_lock<std::mutex>& lock, std::optional<std::chrono::milliseconds> const& timeout, P until)
    {
        if (timeout) {
            told_.wait_for(lock, *timeout, until);
        } else {
            told_.wait(lock, until);
        }
    }

    void respond(Response response)
    {
        ready_.push_back(std::move(response));
        told_.notify_all();
    }

    TokenIdType next(Running const& running) const
    {
        auto const& sampling = running.request.sampling;
        std::uint64_t hash = sampling.getTopK() == 1 ? 0 : sampling.getSeed().value_or(0);
        for (auto token : running.tokens) {
            hash = (hash ^ static_cast<std::uint64_t>(token)) * 0x9e3779b97f4a7c15ULL;
            hash ^= hash >> 29;
        }
        return static_cast<TokenIdType>(hash % static_cast<std::uint64_t>(vocabulary_));
    }

    void run()
    {
        std::unique_lock<std::mutex> lock(mutex_);
        while (true) {
            work_.wait(lock, [this] { return closing_ || !requests_.empty(); });
            if (requests_.empty()) {
                return;
            }
            auto const began = std::chrono::steady_clock::now();
            if (iterationMicros_ > 0) {
                lock.unlock();
                std::this_thread::sleep_for(std::chrono::microseconds(iterationMicros_));
                lock.lock();
            }
            iterate(began, lock);
        }
    }

    void iterate(std::chrono::steady_clock::time_point began, std::unique_lock<std::mutex>& lock)
    {
        iteration_++;
        RequestStatsPerIteration rows{iteration_, {}};
        std::vector<IdType> over;
        SizeType32 left = budget_;
        SizeType32 active = 0;
        // the more urgent first, then who came first
        std::stable_sort(order_.begin(), order_.end(), [this](IdType a, IdType b) {
            auto const& first = requests_.at(a);
            auto const& second = requests_.at(b);
            bool const firstRuns = first.prefilled > 0;
            bool const secondRuns = second.prefilled > 0;
            return firstRuns != secondRuns ? firstRuns : first.request.priority > second.request.priority;
        });
        bool const fails = failAfter_ > 0 && static_cast<SizeType32>(iteration_) >= failAfter_;
        for (IdType id : order_) {
            auto& running = requests_.at(id);
            if (running.cancelled || closing_ || fails) {
                if (fails) {
                    respond(Response(id, "Encountered an error in forwardAsync function: as the test wants it"));
                } else {
                    respond(last(id, {}, FinishReason::kCANCELLED, running));
                }
                over.push_back(id);
                continue;
            }
            bool const may = active < batch_ && left > 0;
            RequestStats row{id, RequestStage::kQUEUED, running.prefilled, running.generated, 1, may, false};
            if (may) {
                active++;
                step(id, running, left, row, over);
            }
            rows.requestStats.push_back(row);
        }
        for (IdType id : over) {
            requests_.erase(id);
            order_.erase(std::find(order_.begin(), order_.end(), id));
        }
        if (lateMicros_ > 0) {
            lock.unlock();
            std::this_thread::sleep_for(std::chrono::microseconds(lateMicros_));
            lock.lock();
        }
        std::chrono::duration<double, std::milli> const took = std::chrono::steady_clock::now() - began;
        KvCacheStats const cache{batch_ * context_ / 16, batch_ * context_ / 16, 0, 16, 0, 0, 0};
        keep(iterations_,
            IterationStats{"", iteration_, took.count(), 0, active, static_cast<SizeType32>(order_.size()) - active,
                static_cast<SizeType32>(over.size()), batch_, cache},
            config_.iterations);
        keep(rows_, std::move(rows), config_.requestIterations);
    }

    void step(IdType id, Running& running, SizeType32& left, RequestStats& row, std::vector<IdType>& over)
    {
        auto const prompt = static_cast<SizeType32>(running.request.tokens.size());
        if (running.prefilled < prompt) {
            auto const chunk = std::min(left, prompt - running.prefilled);
            running.prefilled += chunk;
            left -= chunk;
            row.stage = RequestStage::kCONTEXT_IN_PROGRESS;
            row.contextPrefillPosition = running.prefilled;
            if (running.prefilled < prompt) {
                return;
            }
        } else {
            left--;
            row.stage = RequestStage::kGENERATION_IN_PROGRESS;
        }
        auto const token = next(running);
        running.tokens.push_back(token);
        running.generated++;
        running.scores.push_back(-0.25F - static_cast<float>(running.generated) / 1024);
        row.numGeneratedTokens = running.generated;
        bool const mayStop = running.generated >= running.request.sampling.getMinTokens().value_or(0);
        bool stopped = false;
        for (auto const& word : running.request.stopWords) {
            stopped = stopped || (mayStop && word.size() == 1 && word.front() == token);
        }
        bool const full = running.generated == running.request.maxTokens
            || static_cast<SizeType32>(running.tokens.size()) >= context_;
        if (stopped || full) {
            row.stage = RequestStage::kGENERATION_COMPLETE;
            respond(last(id, {token}, stopped ? FinishReason::kSTOP_WORDS : FinishReason::kLENGTH, running));
            over.push_back(id);
        } else if (running.request.streaming) {
            Result result;
            result.outputTokenIds = {{token}};
            result.finishReasons = {FinishReason::kNOT_FINISHED};
            scores(result, running);
            respond(Response(id, std::move(result)));
        }
    }

    static void scores(Result& result, Running const& running)
    {
        if (running.request.output.returnLogProbs) {
            result.logProbs = std::vector<VecLogProbs>{running.scores};
        }
    }

    static Response last(IdType id, VecTokens tokens, FinishReason reason, Running const& running)
    {
        Result result;
        result.isFinal = true;
        result.isSequenceFinal = true;
        result.outputTokenIds = {std::move(tokens)};
        result.finishReasons = {reason};
        scores(result, running);
        return Response(id, std::move(result));
    }

    template <typename T>
    static void keep(std::deque<T>& in, T value, SizeType32 most)
    {
        in.push_back(std::move(value));
        while (static_cast<SizeType32>(in.size()) > most) {
            in.pop_front();
        }
    }

    ExecutorConfig config_;
    std::string json_;
    SizeType32 vocabulary_ = 0;
    SizeType32 context_ = 0;
    SizeType32 batch_ = 0;
    SizeType32 budget_ = 0;
    SizeType32 iterationMicros_ = 0;
    SizeType32 lateMicros_ = 0;
    SizeType32 failAfter_ = 0;
    std::mutex mutex_;
    std::condition_variable work_;
    std::condition_variable told_;
    std::map<IdType, Running> requests_;
    std::vector<IdType> order_;
    std::deque<Response> ready_;
    IdType ids_ = 100;
    IterationType iteration_ = 0;
    bool closing_ = false;
    std::thread thread_;
};

Executor::Executor(std::filesystem::path const& modelPath, ModelType modelType, ExecutorConfig const& executorConfig)
    : impl_(std::make_unique<Impl>(modelPath, executorConfig))
{
    if (modelType != ModelType::kDECODER_ONLY) {
        throw std::runtime_error("the double is a decoder only");
    }
}
Executor::~Executor() = default;
IdType Executor::enqueueRequest(Request const& request)
{
    return impl_->enqueue(request);
}
std::vector<Response> Executor::awaitResponses(std::optional<std::chrono::milliseconds> const& timeout)
{
    return impl_->await(timeout);
}
std::vector<Response> Executor::awaitResponses(
    IdType const& requestId, std::optional<std::chrono::milliseconds> const& timeout)
{
    return impl_->await(requestId, timeout);
}
void Executor::cancelRequest(IdType requestId)
{
    impl_->cancel(requestId);
}
void Executor::shutdown()
{
    impl_->shutdown();
}
std::deque<IterationStats> Executor::getLatestIterationStats()
{
    return impl_->drain(impl_->iterations_);
}
std::deque<RequestStatsPerIteration> Executor::getLatestRequestStats()
{
    return impl_->drain(impl_->rows_);
}
bool Executor::canEnqueueRequests() const
{
    return impl_->leader_;
}
bool Executor::isParticipant() const
{
    return true;
}

} // namespace tensorrt_llm::executor
