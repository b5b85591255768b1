// See types.h: a double for tests.
#pragma once

#include "tensorrt_llm/executor/types.h"

#include <chrono>
#include <cstddef>
#include <deque>
#include <filesystem>
#include <list>
#include <memory>
#include <optional>
#include <string>
#include <vector>

namespace tensorrt_llm::executor {

char const* version() noexcept;

class SamplingConfig {
public:
    explicit SamplingConfig(SizeType32 beamWidth = 1);
    void setTopK(std::optional<SizeType32> const& value);
    void setTopP(std::optional<FloatType> const& value);
    void setMinP(std::optional<FloatType> const& value);
    void setSeed(std::optional<RandomSeedType> const& value);
    void setTemperature(std::optional<FloatType> const& value);
    void setMinTokens(std::optional<SizeType32> const& value);
    void setRepetitionPenalty(std::optional<FloatType> const& value);
    void setPresencePenalty(std::optional<FloatType> const& value);
    void setFrequencyPenalty(std::optional<FloatType> const& value);
    [[nodiscard]] std::optional<SizeType32> getTopK() const { return topK_; }
    [[nodiscard]] std::optional<FloatType> getTemperature() const { return temperature_; }
    [[nodiscard]] std::optional<RandomSeedType> getSeed() const { return seed_; }
    [[nodiscard]] std::optional<SizeType32> getMinTokens() const { return minTokens_; }

private:
    std::optional<SizeType32> topK_;
    std::optional<FloatType> temperature_;
    std::optional<RandomSeedType> seed_;
    std::optional<SizeType32> minTokens_;
};

class OutputConfig {
public:
    explicit OutputConfig(bool returnLogProbs = false, bool returnContextLogits = false, bool returnGenerationLogits = false,
        bool excludeInputFromOutput = false);
    bool returnLogProbs;
    bool returnContextLogits;
    bool returnGenerationLogits;
    bool excludeInputFromOutput;
};

class KvCacheRetentionConfig {
public:
    static constexpr RetentionPriority kMinRetentionPriority = 0;
    static constexpr RetentionPriority kMaxRetentionPriority = 100;
    static constexpr RetentionPriority kDefaultRetentionPriority = 35;

    struct TokenRangeRetentionConfig {
        explicit TokenRangeRetentionConfig(SizeType32 tokenStart, std::optional<SizeType32> tokenEnd = std::nullopt,
            RetentionPriority priority = kDefaultRetentionPriority,
            std::optional<std::chrono::milliseconds> durationMs = std::nullopt);
        SizeType32 tokenStart;
        std::optional<SizeType32> tokenEnd;
        RetentionPriority priority;
        std::optional<std::chrono::milliseconds> durationMs;
    };

    explicit KvCacheRetentionConfig(std::vector<TokenRangeRetentionConfig> const& ranges,
        RetentionPriority decodeRetentionPriority = kDefaultRetentionPriority,
        std::optional<std::chrono::milliseconds> decodeDurationMs = std::nullopt);
};

class Request {
public:
    static constexpr PriorityType kDefaultPriority = 0.5;
    Request(VecTokens inputTokenIds, SizeType32 maxTokens, bool streaming = false,
        SamplingConfig const& samplingConfig = SamplingConfig(), OutputConfig const& outputConfig = OutputConfig());
    void setStopWords(std::list<VecTokens> const& stopWords);
    void setPriority(PriorityType priority);
    void setKvCacheRetentionConfig(KvCacheRetentionConfig const& config);

    VecTokens tokens;
    SizeType32 maxTokens;
    bool streaming;
    SamplingConfig sampling;
    OutputConfig output;
    std::list<VecTokens> stopWords;
    PriorityType priority = kDefaultPriority;
};

struct Result {
    bool isFinal = false;
    BeamTokens outputTokenIds;
    std::optional<VecLogProbs> cumLogProbs;
    std::optional<std::vector<VecLogProbs>> logProbs;
    std::vector<FinishReason> finishReasons;
    bool isSequenceFinal = false;
};

class Response {
public:
    Response(IdType requestId, std::string errorMsg);
    Response(IdType requestId, Result result);
    [[nodiscard]] IdType getRequestId() const;
    [[nodiscard]] bool hasError() const;
    [[nodiscard]] std::string const& getErrorMsg() const;
    [[nodiscard]] Result const& getResult() const;

private:
    IdType id_;
    std::optional<std::string> error_;
    std::optional<Result> result_;
};

class KvCacheConfig {
public:
    explicit KvCacheConfig(bool enableBlockReuse = true);
    void setMaxTokens(SizeType32 maxTokens);
    void setFreeGpuMemoryFraction(FloatType fraction);
    [[nodiscard]] bool getEnableBlockReuse() const { return reuse_; }
    [[nodiscard]] std::optional<SizeType32> getMaxTokens() const { return maxTokens_; }

private:
    bool reuse_;
    std::optional<SizeType32> maxTokens_;
};

class ExecutorConfig {
public:
    explicit ExecutorConfig(SizeType32 maxBeamWidth = 1);
    void setKvCacheConfig(KvCacheConfig const& config);
    void setEnableChunkedContext(bool enable);
    void setIterStatsMaxIterations(SizeType32 most);
    void setRequestStatsMaxIterations(SizeType32 most);
    void setMaxBatchSize(SizeType32 size);
    void setMaxNumTokens(SizeType32 tokens);

    KvCacheConfig kvCache;
    bool chunked = true;
    SizeType32 iterations = 1000;
    SizeType32 requestIterations = 0;
    std::optional<SizeType32> maxBatchSize;
    std::optional<SizeType32> maxNumTokens;
};

class Executor {
public:
    Executor(std::filesystem::path const& modelPath, ModelType modelType, ExecutorConfig const& executorConfig);
    ~Executor();
    Executor(Executor const&) = delete;
    Executor& operator=(Executor const&) = delete;
    Executor(Executor&&) = default;
    Executor& operator=(Executor&&) = default;

    [[nodiscard]] IdType enqueueRequest(Request const& request);
    [[nodiscard]] std::vector<Response> awaitResponses(
        std::optional<std::chrono::milliseconds> const& timeout = std::nullopt);
    [[nodiscard]] std::vector<Response> awaitResponses(
        IdType const& requestId, std::optional<std::chrono::milliseconds> const& timeout = std::nullopt);
    void cancelRequest(IdType requestId);
    void shutdown();
    std::deque<IterationStats> getLatestIterationStats();
    std::deque<RequestStatsPerIteration> getLatestRequestStats();
    [[nodiscard]] bool canEnqueueRequests() const;
    [[nodiscard]] bool isParticipant() const;

private:
    class Impl;
    std::unique_ptr<Impl> impl_;
};

} // namespace tensorrt_llm::executor
