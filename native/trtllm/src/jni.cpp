// Functions of dev.jeton.natives.TrtLlm. Handles are numbers, never addresses: one that was closed is not found again.
// Arrays are copied in and events out through a direct buffer, so that no reference outlives a call.
#include "bridge.h"

#include <jni.h>

#include <cstdint>
#include <exception>
#include <map>
#include <memory>
#include <mutex>
#include <stdexcept>
#include <string>
#include <vector>

namespace {

constexpr char const* FAILURE = "dev/jeton/natives/TrtLlmException";
constexpr int FLOATS = 7;
constexpr int INTS = 4;

std::mutex mutex;
// Never destroyed: a process that ends without closing its executors must not shut them down among static destructors, while
// a thread of the JVM still awaits one.
auto& bridges = *new std::map<jlong, std::shared_ptr<jeton::Bridge>>;
jlong handles = 0;

std::shared_ptr<jeton::Bridge> find(jlong handle)
{
    std::lock_guard<std::mutex> lock(mutex);
    auto const found = bridges.find(handle);
    if (found == bridges.end()) {
        throw std::logic_error("the executor is closed");
    }
    return found->second;
}

void raise(JNIEnv* env, char const* message)
{
    if (env->ExceptionCheck() != JNI_FALSE) {
        return;
    }
    jclass const type = env->FindClass(FAILURE);
    if (type != nullptr) {
        env->ThrowNew(type, message);
        env->DeleteLocalRef(type);
    }
}

template <typename T, typename F>
T guarded(JNIEnv* env, T otherwise, F call)
{
    try {
        return call();
    } catch (std::exception const& e) {
        raise(env, e.what());
    } catch (...) {
        raise(env, "an unknown error");
    }
    return otherwise;
}

std::string text(JNIEnv* env, jstring given)
{
    char const* const chars = env->GetStringUTFChars(given, nullptr);
    if (chars == nullptr) {
        throw std::runtime_error("no memory for a text");
    }
    std::string copy(chars);
    env->ReleaseStringUTFChars(given, chars);
    return copy;
}

std::vector<std::int32_t> ints(JNIEnv* env, jintArray given)
{
    std::vector<std::int32_t> copy(static_cast<std::size_t>(env->GetArrayLength(given)));
    static_assert(sizeof(jint) == sizeof(std::int32_t));
    env->GetIntArrayRegion(given, 0, static_cast<jsize>(copy.size()), reinterpret_cast<jint*>(copy.data()));
    return copy;
}

} // namespace

extern "C" {

JNIEXPORT jstring JNICALL Java_dev_jeton_natives_TrtLlm_version0(JNIEnv* env, jclass)
{
    return guarded<jstring>(env, nullptr, [&] { return env->NewStringUTF(jeton::Bridge::version().c_str()); });
}

JNIEXPORT jlong JNICALL Java_dev_jeton_natives_TrtLlm_create0(JNIEnv* env, jclass, jstring folder, jint batch, jint tokens,
    jlong kvTokens, jfloat kvFraction, jboolean reuse, jint statistics)
{
    return guarded<jlong>(env, 0, [&] {
        jeton::Settings settings;
        settings.folder = text(env, folder);
        settings.maxBatchSize = batch;
        settings.maxBatchedTokens = tokens;
        settings.kvTokens = kvTokens;
        settings.kvFraction = kvFraction;
        settings.reuse = reuse != JNI_FALSE;
        settings.statistics = statistics;
        auto made = std::make_shared<jeton::Bridge>(settings);
        std::lock_guard<std::mutex> lock(mutex);
        bridges[++handles] = std::move(made);
        return handles;
    });
}

JNIEXPORT void JNICALL Java_dev_jeton_natives_TrtLlm_enqueue0(JNIEnv* env, jclass, jlong handle, jlong id, jintArray tokens,
    jint length, jint maxTokens, jintArray stops, jfloatArray floats, jintArray numbers, jlong seed)
{
    guarded<int>(env, 0, [&] {
        auto const bridge = find(handle);
        jeton::Ask ask;
        ask.id = id;
        if (length < 1 || length > env->GetArrayLength(tokens) || env->GetArrayLength(floats) != FLOATS
            || env->GetArrayLength(numbers) != INTS) {
            throw std::invalid_argument("a prompt of " + std::to_string(length) + " tokens, or parameters of another version");
        }
        ask.tokens.resize(static_cast<std::size_t>(length));
        env->GetIntArrayRegion(tokens, 0, length, reinterpret_cast<jint*>(ask.tokens.data()));
        ask.maxTokens = maxTokens;
        ask.stopTokens = ints(env, stops);
        float real[FLOATS];
        env->GetFloatArrayRegion(floats, 0, FLOATS, real);
        ask.temperature = real[0];
        ask.topP = real[1];
        ask.minP = real[2];
        ask.repetitionPenalty = real[3];
        ask.presencePenalty = real[4];
        ask.frequencyPenalty = real[5];
        ask.priority = real[6];
        jint whole[INTS];
        env->GetIntArrayRegion(numbers, 0, INTS, whole);
        ask.topK = whole[0];
        ask.minTokens = whole[1];
        ask.logProbabilities = whole[2] != 0;
        ask.retention = whole[3];
        ask.seed = seed;
        bridge->enqueue(ask);
        return 0;
    });
}

JNIEXPORT jint JNICALL Java_dev_jeton_natives_TrtLlm_await0(
    JNIEnv* env, jclass, jlong handle, jlong milliseconds, jobject buffer)
{
    return guarded<jint>(env, 0, [&] {
        auto const bridge = find(handle);
        auto* const words = static_cast<std::int64_t*>(env->GetDirectBufferAddress(buffer));
        auto const room = env->GetDirectBufferCapacity(buffer) / static_cast<jlong>(sizeof(std::int64_t));
        if (words == nullptr || room < 1) {
            throw std::invalid_argument("events need a direct buffer");
        }
        return static_cast<jint>(bridge->await(milliseconds, words, static_cast<std::size_t>(room)));
    });
}

JNIEXPORT void JNICALL Java_dev_jeton_natives_TrtLlm_cancel0(JNIEnv* env, jclass, jlong handle, jlong id)
{
    guarded<int>(env, 0, [&] {
        find(handle)->cancel(id);
        return 0;
    });
}

JNIEXPORT void JNICALL Java_dev_jeton_natives_TrtLlm_close0(JNIEnv* env, jclass, jlong handle)
{
    guarded<int>(env, 0, [&] {
        std::shared_ptr<jeton::Bridge> bridge;
        {
            std::lock_guard<std::mutex> lock(mutex);
            auto const found = bridges.find(handle);
            if (found == bridges.end()) {
                return 0;
            }
            bridge = found->second;
            bridges.erase(found);
        }
        bridge->shutdown();
        return 0;
    });
}

} // extern "C"
