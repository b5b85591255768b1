/* What the stand-ins for the CUDA driver, NVRTC, cuBLASLt and NCCL share. They are one library, known under four names. */
#pragma once
#include <cstdint>
#include <functional>
#include <string>

namespace standin {

enum { SUCCESS = 0, INVALID_VALUE = 1, OUT_OF_MEMORY = 2, NOT_INITIALIZED = 3, NO_DEVICE = 100, INVALID_DEVICE = 101,
       INVALID_IMAGE = 200, INVALID_CONTEXT = 201, NO_BINARY_FOR_GPU = 209, INVALID_HANDLE = 400, NOT_FOUND = 500,
       NOT_READY = 600, ILLEGAL_ADDRESS = 700, LAUNCH_TIMEOUT = 702, LAUNCH_FAILED = 719, NOT_SUPPORTED = 801,
       HOST_MEMORY_ALREADY_REGISTERED = 712, HOST_MEMORY_NOT_REGISTERED = 713, CAPTURE_UNSUPPORTED = 900,
       CAPTURE_INVALIDATED = 901, CAPTURE_UNMATCHED = 903, CAPTURE_UNJOINED = 904, CAPTURED_EVENT = 907,
       CAPTURE_WRONG_THREAD = 908,       GRAPH_EXEC_UPDATE_FAILURE = 910 };

/* Every entry point asks first: the code that a test has ordered for this call, or 0. Counts the call. */
int ordered(const char *call);

/* Queues work on a stream of the driver's stand-in, or records it where the stream is being captured. */
int enqueue(void *stream, const char *what, std::function<void()> work);

/*
 * Queues an exchange on a stream of a device, or records it: `come` when the stream gets there, after which it is held
 * until `all` says that the others have come, too.
 */
int exchange(int device, void *stream, const char *what, std::function<void()> come, std::function<bool()> all);

/* The device of this thread's context; -1 for none. */
int current();

/* Waits, without the lock, for what another thread does; false where it does not for as long as a test has patience. */
bool wait(const std::function<bool()> &until);

/* Does something under the lock; streams that it lets go on do. */
void locked(const std::function<void()> &work);

/* An element of a matrix of one of cuBLASLt's types. */
float element(const void *base, int type, int64_t at);
void set_element(void *base, int type, int64_t at, float value);

/* Communicators that are open; and how they are forgotten with the machine. */
long long exchanges();
void forget_exchanges();

/* Whether these bytes lie in the device's memory, or in host memory that it may reach. */
bool reachable(const void *address, size_t bytes, std::string &why);

/* The capability of the device at work, else of this thread's context, as 90. */
int capability();

/* Ends that device: what it was doing has failed, and every later call fails likewise. */
void lose(int code, const std::string &message);

/* Whether a test has said that products of fp8 with scales of rows are refused at so many rows of activations. */
bool refuses_row_scales(unsigned long long rows);
/* A product has run by an algorithm: the device's clock advances by what a test has said that it takes. */
void product(unsigned algorithm);

/* Whether modules are to be compiled with checks of every access. */
bool checking();

}  // namespace standin
