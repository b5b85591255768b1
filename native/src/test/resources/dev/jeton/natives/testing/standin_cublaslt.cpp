/*
 * Stands in for cuBLASLt (source: cublasLt.h, cublas_api.h and library_types.h of CUDA 13.0): column-major products in
 * float, with the rules that callers trip over on a GPU: fp8 only as transposed times plain and in multiples of 16, the
 * pointers' alignment, the workspace that an algorithm needs.
 */
#include "standin.h"
#include <algorithm>
#include <cmath>
#include <cstring>
#include <memory>
#include <vector>

namespace {

enum { OK = 0, NOT_INITIALIZED = 1, INVALID = 7, EXECUTION_FAILED = 13, UNSUPPORTED = 15 };
enum { R_32F = 0, R_16F = 2, R_8I = 3, R_32I = 10, R_16BF = 14, R_E4M3 = 28, R_E5M2 = 29 };
enum { COMPUTE_32F = 68, COMPUTE_32I = 72 };
enum { EPILOGUE_DEFAULT = 1, EPILOGUE_RELU = 2, EPILOGUE_BIAS = 4 };
enum { SCALE_SCALAR = 0, SCALE_OUTER = 3 };

struct Desc {
    int compute, scale_type, pointer_mode = 0, transposed[2] = {0, 0}, epilogue = 1, bias_type = -1;
    void *bias = nullptr;
    const float *scale[4] = {nullptr, nullptr, nullptr, nullptr};   /* a, b, c, d */
    int scale_mode[4] = {0, 0, 0, 0};
    signed char fast = 0;
};

struct Layout { int type; uint64_t rows, columns; int64_t ld; int order = 0, batch = 1; };

struct Preference { uint64_t workspace = 0; unsigned reductions = 7, aligned[4] = {256, 256, 256, 256}; };

/* As cublasLtMatmulAlgo_t: 8 words. */
struct Algorithm { uint64_t magic, id, split, reduction, workspace, rest[3]; };

struct Result { Algorithm algorithm; size_t workspace; int state; float waves; int reserved[4]; };

constexpr uint64_t MAGIC = 0x6a65746f6e616c67ull;

int width(int type) {
    switch (type) {
        case R_32F: case R_32I: return 4;
        case R_16F: case R_16BF: return 2;
        case R_8I: case R_E4M3: case R_E5M2: return 1;
        default: return 0;
    }
}

bool fp8(int type) { return type == R_E4M3 || type == R_E5M2; }

float small(unsigned byte, int exponent_bits, int mantissa_bits, int bias) {
    int exponent = byte >> mantissa_bits & ((1 << exponent_bits) - 1), mantissa = byte & ((1 << mantissa_bits) - 1);
    float v = exponent ? std::ldexp(1 + mantissa / (float) (1 << mantissa_bits), exponent - bias)
            : std::ldexp(mantissa / (float) (1 << mantissa_bits), 1 - bias);
    return byte & 128 ? -v : v;
}

float value(const void *base, int type, int64_t at) {
    switch (type) {
        case R_32F: return ((const float *) base)[at];
        case R_32I: return (float) ((const int *) base)[at];
        case R_8I: return ((const signed char *) base)[at];
        case R_16BF: {
            uint32_t bits = (uint32_t) ((const uint16_t *) base)[at] << 16;
            float v;
            memcpy(&v, &bits, 4);
            return v;
        }
        case R_16F: {
            uint16_t h = ((const uint16_t *) base)[at];
            int exponent = h >> 10 & 31, mantissa = h & 1023;
            float v = exponent == 31 ? (mantissa ? NAN : INFINITY)
                    : exponent ? std::ldexp(1 + mantissa / 1024.0f, exponent - 15) : std::ldexp(mantissa / 1024.0f, -14);
            return h & 0x8000 ? -v : v;
        }
        case R_E4M3: {
            unsigned b = ((const unsigned char *) base)[at];
            return (b & 127) == 127 ? NAN : small(b, 4, 3, 7);
        }
        default: {
            unsigned b = ((const unsigned char *) base)[at];
            return (b & 127) > 124 ? NAN : (b & 127) == 124 ? (b & 128 ? -INFINITY : INFINITY) : small(b, 5, 2, 15);
        }
    }
}

uint16_t half(float v) {
    uint32_t sign = std::signbit(v) ? 0x8000 : 0;
    if (std::isnan(v)) return 0x7fff;
    float a = std::fabs(v);
    if (a >= 65520) return (uint16_t) (sign | 0x7c00);
    if (a < std::ldexp(1.0f, -14)) return (uint16_t) (sign | (uint32_t) std::nearbyint(std::ldexp(a, 24)));
    int exponent = std::ilogb(a);
    uint32_t mantissa = (uint32_t) std::nearbyint(std::ldexp(a, 10 - exponent));
    return (uint16_t) (sign | (((uint32_t) (exponent + 15) << 10) + mantissa - 1024));
}

uint8_t e4m3(float v) {
    uint8_t sign = std::signbit(v) ? 128 : 0;
    if (std::isnan(v)) return 127;
    float a = std::min(std::fabs(v), 448.0f);
    int exponent = a < std::ldexp(1.0f, -6) ? -6 : std::ilogb(a);
    int mantissa = (int) std::nearbyint(std::ldexp(a, 3 - exponent));
    int code = a < std::ldexp(1.0f, -6) ? mantissa : ((exponent + 7) << 3) + mantissa - 8;
    return (uint8_t) (sign | std::min(code, 126));
}

void store(void *base, int type, int64_t at, float v) {
    switch (type) {
        case R_32F: ((float *) base)[at] = v; break;
        case R_32I: ((int *) base)[at] = (int) v; break;
        case R_8I: ((signed char *) base)[at] = (signed char) std::nearbyint(std::max(-128.0f, std::min(127.0f, v))); break;
        case R_16BF: {
            uint32_t bits;
            memcpy(&bits, &v, 4);
            ((uint16_t *) base)[at] = std::isnan(v) ? 0x7fff : (uint16_t) ((bits + 0x7fff + (bits >> 16 & 1)) >> 16);
            break;
        }
        case R_16F: ((uint16_t *) base)[at] = half(v); break;
        default: ((uint8_t *) base)[at] = e4m3(v); break;
    }
}

struct Problem {
    Desc desc;
    Layout a, b, c, d;
    uint64_t m, n, k;
};

/* What a GPU of compute capability 9 takes; 0, or the code of the refusal. */
int refusal(const Problem &p) {
    const Desc &desc = p.desc;
    for (const Layout *l : {&p.a, &p.b, &p.c, &p.d}) {
        if (!width(l->type) || l->order != 0 || l->batch != 1 || l->ld < (int64_t) l->rows) return INVALID;
    }
    uint64_t ak = desc.transposed[0] ? p.a.rows : p.a.columns, bk = desc.transposed[1] ? p.b.columns : p.b.rows;
    uint64_t m = desc.transposed[0] ? p.a.columns : p.a.rows, n = desc.transposed[1] ? p.b.rows : p.b.columns;
    if (ak != bk || m != p.d.rows || n != p.d.columns || p.c.rows != m || p.c.columns != n) return INVALID;
    if (fp8(p.a.type) || fp8(p.b.type)) {
        if (!fp8(p.a.type) || !fp8(p.b.type) || standin::capability() < 89) return UNSUPPORTED;
        if (!desc.transposed[0] || desc.transposed[1] || ak % 16 || m % 16 || p.a.ld % 16 || p.b.ld % 16) return UNSUPPORTED;
        if (desc.scale_mode[0] == SCALE_OUTER && standin::capability() < 90) return UNSUPPORTED;
        if (desc.scale_mode[0] != desc.scale_mode[1]) return UNSUPPORTED;
        if (desc.scale_mode[0] == SCALE_OUTER && standin::refuses_row_scales(n)) return UNSUPPORTED;
    } else if (p.a.type != p.b.type) {
        return UNSUPPORTED;
    }
    bool integers = p.a.type == R_8I;
    if (desc.compute != (integers ? COMPUTE_32I : COMPUTE_32F)) return UNSUPPORTED;
    if (integers && (!desc.transposed[0] || desc.transposed[1] || p.a.ld % 4 || p.b.ld % 4)) return UNSUPPORTED;
    if (desc.epilogue != EPILOGUE_DEFAULT && desc.epilogue != EPILOGUE_BIAS && desc.epilogue != EPILOGUE_RELU
            && desc.epilogue != (EPILOGUE_BIAS | EPILOGUE_RELU)) return UNSUPPORTED;
    return OK;
}

Problem problem(const Desc *desc, const Layout *a, const Layout *b, const Layout *c, const Layout *d) {
    return {*desc, *a, *b, *c, *d, d->rows, d->columns, desc->transposed[0] ? a->rows : a->columns};
}

/* op(matrix) as rows of k floats: op(A) by rows, op(B) by columns. */
std::vector<float> unpacked(const void *base, const Layout &l, bool across, uint64_t rows, uint64_t k) {
    std::vector<float> out(rows * k);
    for (uint64_t r = 0; r < rows; r++) {
        for (uint64_t i = 0; i < k; i++) {
            int64_t at = across ? (int64_t) (r * l.ld + i) : (int64_t) (i * l.ld + r);
            out[r * k + i] = value(base, l.type, at);
        }
    }
    return out;
}

float dot(const float *a, const float *b, uint64_t k) {
    double sum = 0;
    for (uint64_t i = 0; i < k; i += 256) {
        float lanes[16] = {0};
        uint64_t to = std::min(k, i + 256), j = i;
        for (; j + 16 <= to; j += 16) for (int l = 0; l < 16; l++) lanes[l] += a[j + l] * b[j + l];
        for (; j < to; j++) lanes[0] += a[j] * b[j];
        for (float lane : lanes) sum += lane;
    }
    return (float) sum;
}

/* As tensor cores sum fp8 where that may be fast: with fourteen bits, rounded off after each 32 products. */
float fast_dot(const float *a, const float *b, uint64_t k) {
    float sum = 0;
    for (uint64_t i = 0; i < k; i += 32) {
        sum += dot(a + i, b + i, std::min<uint64_t>(32, k - i));
        uint32_t bits;
        memcpy(&bits, &sum, 4);
        bits &= ~0x3ffu;
        memcpy(&sum, &bits, 4);
    }
    return sum;
}

void multiply(const Problem &p, float alpha, float beta, const void *a, const void *b, const void *c, void *d) {
    const Desc &desc = p.desc;
    std::vector<float> left = unpacked(a, p.a, desc.transposed[0], p.m, p.k);
    std::vector<float> right = unpacked(b, p.b, !desc.transposed[1], p.n, p.k);
    for (uint64_t j = 0; j < p.n; j++) {
        for (uint64_t i = 0; i < p.m; i++) {
            float v = alpha * (p.desc.fast && fp8(p.a.type) ? fast_dot : dot)(&left[i * p.k], &right[j * p.k], p.k);
            if (desc.scale[0]) v *= desc.scale[0][desc.scale_mode[0] == SCALE_OUTER ? i : 0];
            if (desc.scale[1]) v *= desc.scale[1][desc.scale_mode[1] == SCALE_OUTER ? j : 0];
            if (beta != 0) v += beta * value(c, p.c.type, (int64_t) (j * p.c.ld + i));
            if (desc.epilogue & EPILOGUE_BIAS) {
                v += value(desc.bias, desc.bias_type < 0 ? p.d.type : desc.bias_type, (int64_t) i);
            }
            if (desc.epilogue & EPILOGUE_RELU) v = std::max(v, 0.0f);
            if (desc.scale[3]) v *= *desc.scale[3];
            store(d, p.d.type, (int64_t) (j * p.d.ld + i), v);
        }
    }
}

template <class T> int take(T &into, const void *from, size_t bytes) {
    if (bytes != sizeof(T)) return INVALID;
    memcpy(&into, from, bytes);
    return OK;
}

size_t extent(const Layout &l) { return ((l.columns - 1) * l.ld + l.rows) * (size_t) width(l.type); }

bool outside(const void *at, size_t bytes) {
    std::string why;
    if (standin::reachable(at, bytes, why)) return false;
    standin::lose(standin::ILLEGAL_ADDRESS, "cublasLtMatmul: " + std::to_string(bytes) + " bytes: " + why);
    return true;
}

}  // namespace

float standin::element(const void *base, int type, int64_t at) { return value(base, type, at); }

void standin::set_element(void *base, int type, int64_t at, float v) { store(base, type, at, v); }

extern "C" {

size_t cublasLtGetVersion() { return 130101; }
const char *cublasLtGetStatusString(int code) { return code == OK ? "success" : "as cuBLASLt's stand-in has it"; }
const char *cublasLtGetStatusName(int code) {
    switch (code) {
        case 0: return "CUBLAS_STATUS_SUCCESS";
        case 1: return "CUBLAS_STATUS_NOT_INITIALIZED";
        case 3: return "CUBLAS_STATUS_ALLOC_FAILED";
        case 7: return "CUBLAS_STATUS_INVALID_VALUE";
        case 8: return "CUBLAS_STATUS_ARCH_MISMATCH";
        case 13: return "CUBLAS_STATUS_EXECUTION_FAILED";
        case 14: return "CUBLAS_STATUS_INTERNAL_ERROR";
        case 15: return "CUBLAS_STATUS_NOT_SUPPORTED";
        default: return "CUBLAS_STATUS unknown";
    }
}
int cublasLtCreate(void **handle) {
    if (int code = standin::ordered("cublasLtCreate")) return code;
    *handle = new int(1);
    return OK;
}
int cublasLtDestroy(void *handle) {
    if (int code = standin::ordered("cublasLtDestroy")) return code;
    delete (int *) handle;
    return OK;
}
int cublasLtMatmulDescCreate(Desc **out, int compute, int scale) {
    if (int code = standin::ordered("cublasLtMatmulDescCreate")) return code;
    *out = new Desc{compute, scale};
    return OK;
}
int cublasLtMatmulDescDestroy(Desc *desc) {
    if (int code = standin::ordered("cublasLtMatmulDescDestroy")) return code;
    delete desc;
    return OK;
}
int cublasLtMatmulDescSetAttribute(Desc *desc, int attribute, const void *from, size_t bytes) {
    if (int code = standin::ordered("cublasLtMatmulDescSetAttribute")) return code;
    switch (attribute) {
        case 2: return take(desc->pointer_mode, from, bytes);
        case 3: return take(desc->transposed[0], from, bytes);
        case 4: return take(desc->transposed[1], from, bytes);
        case 7: return take(desc->epilogue, from, bytes);
        case 8: return take(desc->bias, from, bytes);
        case 15: return bytes == 4 ? OK : INVALID;
        case 17: case 18: case 19: case 20: return take(desc->scale[attribute - 17], from, bytes);
        case 25: return take(desc->fast, from, bytes);
        case 26: return take(desc->bias_type, from, bytes);
        case 31: case 32: case 33: case 34: return take(desc->scale_mode[attribute - 31], from, bytes);
        default: return INVALID;
    }
}
int cublasLtMatrixLayoutCreate(Layout **out, int type, uint64_t rows, uint64_t columns, int64_t ld) {
    if (int code = standin::ordered("cublasLtMatrixLayoutCreate")) return code;
    if (!rows || !columns || !width(type)) return INVALID;
    *out = new Layout{type, rows, columns, ld};
    return OK;
}
int cublasLtMatrixLayoutDestroy(Layout *layout) {
    if (int code = standin::ordered("cublasLtMatrixLayoutDestroy")) return code;
    delete layout;
    return OK;
}
int cublasLtMatrixLayoutSetAttribute(Layout *layout, int attribute, const void *from, size_t bytes) {
    if (int code = standin::ordered("cublasLtMatrixLayoutSetAttribute")) return code;
    switch (attribute) {
        case 1: return take(layout->order, from, bytes);
        case 2: return take(layout->rows, from, bytes);
        case 3: return take(layout->columns, from, bytes);
        case 4: return take(layout->ld, from, bytes);
        case 5: return take(layout->batch, from, bytes);
        default: return INVALID;
    }
}
int cublasLtMatmulPreferenceCreate(Preference **out) {
    if (int code = standin::ordered("cublasLtMatmulPreferenceCreate")) return code;
    *out = new Preference();
    return OK;
}
int cublasLtMatmulPreferenceDestroy(Preference *preference) {
    if (int code = standin::ordered("cublasLtMatmulPreferenceDestroy")) return code;
    delete preference;
    return OK;
}
int cublasLtMatmulPreferenceSetAttribute(Preference *preference, int attribute, const void *from, size_t bytes) {
    if (int code = standin::ordered("cublasLtMatmulPreferenceSetAttribute")) return code;
    switch (attribute) {
        case 1: return take(preference->workspace, from, bytes);
        case 3: return take(preference->reductions, from, bytes);
        case 5: case 6: case 7: case 8: return take(preference->aligned[attribute - 5], from, bytes);
        default: return INVALID;
    }
}
/* Three algorithms: plain, plain with other tiles, and split over k with a workspace. */
int cublasLtMatmulAlgoGetHeuristic(void *, Desc *desc, Layout *a, Layout *b, Layout *c, Layout *d, Preference *preference,
        int wanted, Result *results, int *count) {
    if (int code = standin::ordered("cublasLtMatmulAlgoGetHeuristic")) return code;
    *count = 0;
    if (int code = refusal(problem(desc, a, b, c, d))) return code;
    const Algorithm known[] = {{MAGIC, 2, 4, 2, 4096, {}}, {MAGIC, 0, 1, 0, 0, {}}, {MAGIC, 1, 1, 0, 0, {}}};
    for (const Algorithm &algorithm : known) {
        if (*count == wanted || algorithm.workspace > preference->workspace
                || (algorithm.reduction & ~preference->reductions)) continue;
        results[(*count)++] = {algorithm, algorithm.workspace, OK, 1.0f, {}};
    }
    return *count ? OK : UNSUPPORTED;
}
int cublasLtMatmulAlgoCheck(void *, Desc *desc, Layout *a, Layout *b, Layout *c, Layout *d, const Algorithm *algorithm,
        Result *result) {
    if (int code = standin::ordered("cublasLtMatmulAlgoCheck")) return code;
    if (algorithm->magic != MAGIC) return INVALID;
    if (int code = refusal(problem(desc, a, b, c, d))) return code;
    *result = {*algorithm, algorithm->workspace, OK, 1.0f, {}};
    return OK;
}
int cublasLtMatmulAlgoConfigGetAttribute(const Algorithm *algorithm, int attribute, void *to, size_t bytes, size_t *written) {
    if (int code = standin::ordered("cublasLtMatmulAlgoConfigGetAttribute")) return code;
    if (bytes != 4 || algorithm->magic != MAGIC) return INVALID;
    int v = attribute == 0 ? (int) algorithm->id : attribute == 2 ? (int) algorithm->split
            : attribute == 3 ? (int) algorithm->reduction : 0;
    memcpy(to, &v, 4);
    if (written) *written = 4;
    return OK;
}
int cublasLtMatmul(void *handle, Desc *desc, const void *alpha, const void *a, Layout *al, const void *b, Layout *bl,
        const void *beta, const void *c, Layout *cl, void *d, Layout *dl, const Algorithm *algorithm, void *workspace,
        size_t workspace_bytes, void *stream) {
    if (int code = standin::ordered("cublasLtMatmul")) return code;
    if (!handle) return NOT_INITIALIZED;
    Problem p = problem(desc, al, bl, cl, dl);
    if (int code = refusal(p)) return code;
    if (!algorithm || algorithm->magic != MAGIC || workspace_bytes < algorithm->workspace || desc->pointer_mode) return INVALID;
    if (desc->epilogue & EPILOGUE_BIAS && !desc->bias) return INVALID;
    for (const void *pointer : {a, b, c, (const void *) d}) {
        if ((uintptr_t) pointer % 16) return UNSUPPORTED;
    }
    float alpha_value = *(const float *) alpha, beta_value = *(const float *) beta;
    size_t needed = algorithm->workspace;
    unsigned id = (unsigned) algorithm->id;
    int code = standin::enqueue(stream, "matmul", [=] {
        if (outside(a, extent(p.a)) || outside(b, extent(p.b)) || outside(c, extent(p.c)) || outside(d, extent(p.d))
                || (needed && outside(workspace, needed))
                || (p.desc.scale[0] && outside(p.desc.scale[0], p.desc.scale_mode[0] == SCALE_OUTER ? p.m * 4 : 4))
                || (p.desc.scale[1] && outside(p.desc.scale[1], p.desc.scale_mode[1] == SCALE_OUTER ? p.n * 4 : 4))) return;
        multiply(p, alpha_value, beta_value, a, b, c, d);
        standin::product(id);
    });
    return code ? (int) EXECUTION_FAILED : (int) OK;
}

}  // extern "C"
