// A conformance double of TensorRT-LLM's executor: the part of its documented interface that Jeton's bridge uses, under
// the same names, written for tests. It is not NVIDIA's code and computes nothing but numbers that a test can predict.
#pragma once

#include <cstdint>
#include <optional>
#include <string>
#include <vector>

namespace tensorrt_llm::executor {

using SizeType32 = std::int32_t;
using FloatType = float;
using TokenIdType = std::int32_t;
using VecTokens = std::vector<TokenIdType>;
using BeamTokens = std::vector<VecTokens>;
using IdType = std::uint64_t;
using IterationType = std::uint64_t;
using RandomSeedType = std::uint64_t;
using VecLogProbs = std::vector<FloatType>;
using PriorityType = float;
using RetentionPriority = SizeType32;

enum class ModelType { kDECODER_ONLY = 0, kENCODER_ONLY = 1, kENCODER_DECODER = 2 };

enum class FinishReason { kNOT_FINISHED = 0, kEND_ID = 1, kSTOP_WORDS = 2, kLENGTH = 3, kTIMED_OUT = 4, kCANCELLED = 5 };

enum class RequestStage {
    kQUEUED,
    kENCODER_IN_PROGRESS,
    kCONTEXT_IN_PROGRESS,
    kGENERATION_IN_PROGRESS,
    kGENERATION_COMPLETE,
};

struct KvCacheStats {
    SizeType32 maxNumBlocks;
    SizeType32 freeNumBlocks;
    SizeType32 usedNumBlocks;
    SizeType32 tokensPerBlock;
    SizeType32 allocTotalBlocks;
    SizeType32 allocNewBlocks;
    SizeType32 reusedBlocks;
};

struct IterationStats {
    std::string timestamp;
    IterationType iter;
    double iterLatencyMS;
    double newActiveRequestsQueueLatencyMS;
    SizeType32 numActiveRequests;
    SizeType32 numQueuedRequests;
    SizeType32 numCompletedRequests;
    SizeType32 maxNumActiveRequests;
    std::optional<KvCacheStats> kvCacheStats;
};

struct RequestStats {
    IdType id;
    RequestStage stage;
    SizeType32 contextPrefillPosition;
    SizeType32 numGeneratedTokens;
    float avgNumDecodedTokensPerIter;
    bool scheduled;
    bool paused;
};

struct RequestStatsPerIteration {
    IterationType iter;
    std::vector<RequestStats> requestStats;
};

} // namespace tensorrt_llm::executor
