#include "bridge.h"

#include "tensorrt_llm/executor/executor.h"

#include <algorithm>
#include <chrono>
#include <cmath>
#include <cstring>
#include <filesystem>
#include <limits>
#include <list>
#include <optional>
#include <stdexcept>
#include <thread>
#include <utility>

namespace tle = tensorrt_llm::executor;

namespace jeton {

namespace {

// How long responses wait for the statistics of the iteration that they come from, which the executor publishes after: on a
// busy host its thread may be some milliseconds late.
constexpr int STATISTICS_TRIES = 200;
constexpr std::chrono::microseconds STATISTICS_PAUSE{100};

std::int64_t bits(float value)
{
    std::uint32_t raw = 0;
    std::memcpy(&raw, &value, sizeof raw);
    return static_cast<std::int64_t>(raw);
}

tle::ExecutorConfig config(Settings const& settings)
{
    tle::KvCacheConfig cache(settings.reuse);
    if (settings.kvTokens > 0) {
        cache.setMaxTokens(static_cast<tle::SizeType32>(
            std::min<std::int64_t>(settings.kvTokens, std::numeric_limits<tle::SizeType32>::max())));
    }
    if (settings.kvFraction > 0) {
        cache.setFreeGpuMemoryFraction(settings.kvFraction);
    }
    tle::ExecutorConfig config(1);
    config.setKvCacheConfig(cache);
    config.setEnableChunkedContext(true);
    config.setIterStatsMaxIterations(settings.statistics);
    config.setRequestStatsMaxIterations(settings.statistics);
    if (settings.maxBatchSize > 0) {
        config.setMaxBatchSize(settings.maxBatchSize);
    }
    if (settings.maxBatchedTokens > 0) {
        config.setMaxNumTokens(settings.maxBatchedTokens);
    }
    return config;
}

tle::Request request(Ask const& ask)
{
    tle::SamplingConfig sampling(1);
    bool const greedy = ask.temperature == 0 || ask.topK == 1;
    sampling.setTopK(greedy ? 1 : ask.topK);
    if (!greedy) {
        sampling.setTemperature(ask.temperature);
        sampling.setTopP(ask.topP);
        if (ask.minP > 0) {
            sampling.setMinP(ask.minP);
        }
    }
    sampling.setSeed(static_cast<tle::RandomSeedType>(ask.seed));
    if (ask.minTokens > 0) {
        sampling.setMinTokens(ask.minTokens);
    }
    if (ask.repetitionPenalty != 1) {
        sampling.setRepetitionPenalty(ask.repetitionPenalty);
    }
    if (ask.presencePenalty != 0) {
        sampling.setPresencePenalty(ask.presencePenalty);
    }
    if (ask.frequencyPenalty != 0) {
        sampling.setFrequencyPenalty(ask.frequencyPenalty);
    }
    tle::OutputConfig output(ask.logProbabilities, false, false, true);
    tle::Request made(ask.tokens, ask.maxTokens, true, sampling, output);
    if (!ask.stopTokens.empty()) {
        std::list<tle::VecTokens> words;
        for (auto token : ask.stopTokens) {
            words.push_back({token});
        }
        made.setStopWords(words);
    }
    made.setPriority(ask.priority);
    made.setKvCacheRetentionConfig(tle::KvCacheRetentionConfig(
        {tle::KvCacheRetentionConfig::TokenRangeRetentionConfig(0, std::nullopt, ask.retention)}, ask.retention));
    return made;
}

} // namespace

std::string Bridge::version()
{
    return tle::version();
}

Bridge::Bridge(Settings const& settings)
    : executor_(std::make_unique<tle::Executor>(
        std::filesystem::path(settings.folder), tle::ModelType::kDECODER_ONLY, config(settings)))
{
    if (!executor_->canEnqueueRequests()) {
        throw std::runtime_error(
            "this process is not the leader of the engine's ranks, so it may not enqueue requests; start Jeton as rank 0");
    }
}

Bridge::~Bridge()
{
    try {
        shutdown();
    } catch (...) {
        // nobody is left to tell, and an exception here would end the process
    }
}

void Bridge::open() const
{
    if (closed_) {
        throw std::logic_error("the executor is shut down");
    }
}

void Bridge::enqueue(Ask const& ask)
{
    auto const made = request(ask);
    // The lock is held until the id is known here: a response may come before this returns.
    std::lock_guard<std::mutex> lock(mutex_);
    open();
    if (theirs_.count(ask.id) != 0) {
        throw std::invalid_argument("sequence " + std::to_string(ask.id) + " runs already");
    }
    auto const theirs = executor_->enqueueRequest(made);
    Sequence sequence;
    sequence.id = ask.id;
    sequence.prompt = static_cast<std::int32_t>(ask.tokens.size());
    sequences_[theirs] = sequence;
    theirs_[ask.id] = theirs;
}

void Bridge::cancel(std::int64_t id)
{
    std::lock_guard<std::mutex> lock(mutex_);
    open();
    auto const found = theirs_.find(id);
    if (found != theirs_.end()) {
        executor_->cancelRequest(found->second);
    }
}

std::size_t Bridge::await(std::int64_t milliseconds, std::int64_t* words, std::size_t room)
{
    std::lock_guard<std::mutex> awaiting(awaiting_);
    {
        std::lock_guard<std::mutex> lock(mutex_);
        open();
    }
    if (pending_.empty()) {
        auto const responses = executor_->awaitResponses(std::chrono::milliseconds(milliseconds));
        statistics();
        for (int i = 0; i < STATISTICS_TRIES && behind(responses); i++) {
            std::this_thread::sleep_for(STATISTICS_PAUSE);
            statistics();
        }
        for (auto const& each : responses) {
            Event made;
            if (response(each, made)) {
                pending_.push_back(std::move(made));
            }
        }
    }
    std::size_t written = 0;
    while (!pending_.empty() && pending_.front().size() <= room - written) {
        auto const& next = pending_.front();
        std::memcpy(words + written, next.data(), next.size() * sizeof(std::int64_t));
        written += next.size();
        pending_.pop_front();
    }
    if (written == 0 && !pending_.empty()) {
        throw std::length_error("an event has " + std::to_string(pending_.front().size()) + " words, but there is room for "
            + std::to_string(room));
    }
    return written;
}

// Whether a response has tokens of an iteration whose statistics are not there yet.
bool Bridge::behind(std::vector<tle::Response> const& responses)
{
    std::unordered_map<std::uint64_t, std::int32_t> more;
    for (auto const& each : responses) {
        if (!each.hasError() && !each.getResult().outputTokenIds.empty()) {
            more[each.getRequestId()] += static_cast<std::int32_t>(each.getResult().outputTokenIds.front().size());
        }
    }
    std::lock_guard<std::mutex> lock(mutex_);
    for (auto const& each : more) {
        auto const found = sequences_.find(each.first);
        if (found != sequences_.end() && found->second.counted < found->second.told + each.second) {
            return true;
        }
    }
    return false;
}

void Bridge::statistics()
{
    auto const overall = executor_->getLatestIterationStats();
    auto const requests = executor_->getLatestRequestStats();
    for (auto const& each : overall) {
        tle::RequestStatsPerIteration const* rows = nullptr;
        for (auto const& candidate : requests) {
            if (candidate.iter == each.iter) {
                rows = &candidate;
            }
        }
        iteration(each, rows);
    }
}

void Bridge::iteration(tle::IterationStats const& overall, tle::RequestStatsPerIteration const* requests)
{
    Event made{event::ITERATION, static_cast<std::int64_t>(overall.iter), std::llround(overall.iterLatencyMS * 1e6), 0};
    if (requests != nullptr) {
        std::lock_guard<std::mutex> lock(mutex_);
        for (auto const& row : requests->requestStats) {
            auto const found = sequences_.find(row.id);
            if (found == sequences_.end() || !row.scheduled) {
                continue;
            }
            auto& sequence = found->second;
            auto const generated = row.numGeneratedTokens - sequence.counted;
            auto prefill = row.contextPrefillPosition - sequence.prefilled;
            if (!sequence.stepped && generated > 0 && row.contextPrefillPosition == 0) {
                // without chunks the position stays 0: the whole prompt went before the first token
                prefill = sequence.prompt;
            }
            sequence.prefilled = std::max(sequence.prefilled, row.contextPrefillPosition);
            sequence.counted = row.numGeneratedTokens;
            sequence.stepped = true;
            auto const context = row.numGeneratedTokens > 0 ? sequence.prompt + row.numGeneratedTokens - 1
                                                            : std::max(row.contextPrefillPosition, prefill);
            made.insert(made.end(), {sequence.id, std::max(0, prefill), std::max(0, generated), context});
            made[3]++;
        }
    }
    pending_.push_back(std::move(made));
    Event state{event::STATE, overall.numActiveRequests, overall.numQueuedRequests, 0, 0, 0};
    if (overall.kvCacheStats) {
        state[3] = overall.kvCacheStats->maxNumBlocks;
        state[4] = overall.kvCacheStats->freeNumBlocks;
        state[5] = overall.kvCacheStats->tokensPerBlock;
    }
    pending_.push_back(std::move(state));
}

bool Bridge::response(tle::Response const& response, Event& into)
{
    std::lock_guard<std::mutex> lock(mutex_);
    auto const found = sequences_.find(response.getRequestId());
    if (found == sequences_.end()) {
        return false;
    }
    auto& sequence = found->second;
    if (response.hasError()) {
        auto const& message = response.getErrorMsg();
        into = {event::FAILURE, sequence.id, static_cast<std::int64_t>(message.size())};
        into.resize(3 + (message.size() + sizeof(std::int64_t) - 1) / sizeof(std::int64_t));
        std::memcpy(into.data() + 3, message.data(), message.size());
        theirs_.erase(sequence.id);
        sequences_.erase(found);
        return true;
    }
    auto const& result = response.getResult();
    auto const& tokens = result.outputTokenIds.empty() ? tle::VecTokens{} : result.outputTokenIds.front();
    std::int64_t flags = 0;
    if (result.isFinal) {
        auto const reason = result.finishReasons.empty() ? tle::FinishReason::kNOT_FINISHED : result.finishReasons.front();
        switch (reason) {
        case tle::FinishReason::kEND_ID:
        case tle::FinishReason::kSTOP_WORDS: flags = event::LAST | event::STOPPED; break;
        case tle::FinishReason::kLENGTH: flags = event::LAST | event::LENGTH; break;
        default: flags = event::LAST | event::CANCELLED; break;
        }
    }
    into = {event::TOKENS, sequence.id, static_cast<std::int64_t>(tokens.size()), flags};
    tle::VecLogProbs const* scores
        = result.logProbs && !result.logProbs->empty() ? &result.logProbs->front() : nullptr;
    // a stream may bring the scores of all tokens so far, or those of the new ones
    std::size_t const skipped = scores != nullptr && scores->size() > tokens.size() ? scores->size() - tokens.size() : 0;
    for (std::size_t i = 0; i < tokens.size(); i++) {
        bool const scored = scores != nullptr && skipped + i < scores->size();
        into.push_back(tokens[i]);
        into.push_back(bits(scored ? (*scores)[skipped + i] : std::numeric_limits<float>::quiet_NaN()));
    }
    sequence.told += static_cast<std::int32_t>(tokens.size());
    if (result.isFinal) {
        theirs_.erase(sequence.id);
        sequences_.erase(found);
    }
    return true;
}

void Bridge::shutdown()
{
    {
        std::lock_guard<std::mutex> lock(mutex_);
        if (closed_) {
            return;
        }
        closed_ = true;
        for (auto const& each : theirs_) {
            executor_->cancelRequest(each.second);
        }
    }
    executor_->shutdown();
    std::lock_guard<std::mutex> awaiting(awaiting_);
    executor_.reset();
}

} // namespace jeton
