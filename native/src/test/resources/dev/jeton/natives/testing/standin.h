/* What the stand-ins for the CUDA driver, NVRTC and cuBLASLt share. They are one library, known under three names. */
#pragma once
#include <cstdint>
#include <functional>
#include <string>

namespace standin {

enum { SUCCESS = 0, INVALID_VALUE = 1, OUT_OF_MEMORY = 2, NOT_INITIALIZED = 3, NO_DEVICE = 100, INVALID_DEVICE = 101,
       INVALID_IMAGE = 200, INVALID_CONTEXT = 201, NO_BINARY_FOR_GPU = 209, INVALID_HANDLE = 400, NOT_FOUND = 500,
       NOT_READY = 600, ILLEGAL_ADDRESS = 700, LAUNCH_FAILED = 719, NOT_SUPPORTED = 801,
       HOST_MEMORY_ALREADY_REGISTERED = 712, HOST_MEMORY_NOT_REGISTERED = 713, CAPTURE_UNSUPPORTED = 900,
       CAPTURE_INVALIDATED = 901, CAPTURE_UNMATCHED = 903, CAPTURE_UNJOINED = 904, CAPTURED_EVENT = 907,
       GRAPH_EXEC_UPDATE_FAILURE = 910 };

/* Every entry point asks first: the code that a test has ordered for this call, or 0. Counts the call. */
int ordered(const char *call);

/* Queues work on a stream of the driver's stand-in, or records it where the stream is being captured. */
int enqueue(void *stream, const char *what, std::function<void()> work);

/* Whether these bytes lie in the device's memory, or in host memory that it may reach. */
bool reachable(const void *address, size_t bytes, std::string &why);

/* The capability of the device of this thread's context, as 90. */
int capability();

/* Ends the device: what it was doing has failed, and every later call fails likewise. */
void lose(int code, const std::string &message);

/* A product has run by an algorithm: the device's clock advances by what a test has said that it takes. */
void product(unsigned algorithm);

/* Whether modules are to be compiled with checks of every access. */
bool checking();

}  // namespace standin
