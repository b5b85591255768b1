/*
 * Stands in for NVRTC (source: nvrtc.h of CUDA 13.0). Compiling runs g++ on the source with cuda_host.h before it, which
 * may lie there compiled (standin_headers), since that is a third of the time; the "cubin" is the shared library that
 * comes out, with a descriptor appended for each __global__ function, so that the driver's stand-in can launch it.
 */
#include "standin.h"
#include <cstdio>
#include <cstdlib>
#include <cstring>
#include <dlfcn.h>
#include <fcntl.h>
#include <fstream>
#include <regex>
#include <set>
#include <spawn.h>
#include <sstream>
#include <sys/wait.h>
#include <unistd.h>
#include <vector>

extern char **environ;

namespace {

enum { OK = 0, INVALID_INPUT = 3, INVALID_PROGRAM = 4, INVALID_OPTION = 5, COMPILATION = 6, INTERNAL = 11 };

struct Program {
    std::string source, name, log, cubin;
    std::vector<std::pair<std::string, std::string>> headers;
};

std::string here() {
    Dl_info info;
    dladdr((void *) &here, &info);
    std::string path = info.dli_fname;
    return path.substr(0, path.rfind('/'));
}

std::string read_file(const std::string &path) {
    std::ifstream in(path, std::ios::binary);
    std::ostringstream out;
    out << in.rdbuf();
    return out.str();
}

void write_file(const std::string &path, const std::string &text) { std::ofstream(path, std::ios::binary) << text; }

/* 0 where the command ended well; its errors are added to the log. */
int run(const std::vector<std::string> &command, const std::string &errors, std::string &log) {
    std::vector<char *> argv;
    for (const std::string &word : command) argv.push_back(const_cast<char *>(word.c_str()));
    argv.push_back(nullptr);
    posix_spawn_file_actions_t actions;
    posix_spawn_file_actions_init(&actions);
    posix_spawn_file_actions_addopen(&actions, 2, errors.c_str(), O_WRONLY | O_CREAT | O_TRUNC, 0600);
    pid_t child;
    int failed = posix_spawnp(&child, argv[0], &actions, nullptr, argv.data(), environ), status = -1;
    posix_spawn_file_actions_destroy(&actions);
    if (failed) {
        log += "g++ is not there\n";
        return failed;
    }
    while (waitpid(child, &status, 0) < 0 && errno == EINTR) {}
    log += read_file(errors);
    return status;
}

/* Names of the kernels of a preprocessed source; templates have none that can be asked for. */
std::set<std::string> kernels(const std::string &text) {
    std::set<std::string> names;
    const std::string mark = "__attribute__((__aligned__(64), __used__))";
    std::regex name("([A-Za-z_][A-Za-z_0-9]*)\\s*\\(");
    for (size_t at = text.find(mark); at != std::string::npos; at = text.find(mark, at + 1)) {
        size_t before = text.find_last_of(";}", at);
        if (text.substr(before + 1, at - before).find("template") != std::string::npos) continue;
        std::string rest = text.substr(at + mark.size(), 2000);
        /* Other attributes before the name are taken out, so that the first word before a bracket is the name. */
        rest = std::regex_replace(rest, std::regex("__attribute__\\s*\\(\\([^;{]*?\\)\\)"), " ");
        std::smatch found;
        if (std::regex_search(rest, found, name)) names.insert(found[1]);
    }
    return names;
}

/* Names of `extern __shared__ T name[]`. */
std::set<std::string> dynamic(const std::string &text) {
    std::set<std::string> names;
    std::regex declared("\\bextern\\b[^;{}=]*\\bthread_local\\b[^;{}=]*?([A-Za-z_][A-Za-z_0-9]*)\\s*\\[\\s*\\]\\s*;");
    for (std::sregex_iterator i(text.begin(), text.end(), declared), end; i != end; ++i) names.insert((*i)[1]);
    return names;
}

std::string own_part(const std::string &preprocessed) {
    /* Our header and the system's come first; only what follows the source's own line marker is searched. */
    size_t at = preprocessed.find("# 1 \"jeton_source.cu\"");
    at = at == std::string::npos ? 0 : preprocessed.rfind("# 1 \"jeton_source.cu\"");
    size_t begins = preprocessed.find("jeton_source_begins");
    return preprocessed.substr(begins == std::string::npos ? at : begins);
}

/* What sources and the header before them are compiled with. */
std::vector<std::string> compiler() {
    return {"g++", "-fPIC", "-O1", "-g1", "-w", "-std=c++17", "-march=native", "-fno-strict-aliasing", "-fno-gnu-unique",
            "-fno-extern-tls-init", "-fsanitize=alignment", "-fno-sanitize-recover=alignment"};
}

int compile(Program &program, const std::string &folder, const std::vector<std::string> &definitions, int architecture) {
    for (auto &[name, text] : program.headers) write_file(folder + "/" + name, text);
    write_file(folder + "/source.cu", "typedef int jeton_source_begins;\n#line 1 \"" + program.name + "\"\n" + program.source);
    std::vector<std::string> front = {"g++", "-E", "-x", "c++", "-std=c++17", "-include", here() + "/cuda_host.h", "-I", folder};
    front.insert(front.end(), definitions.begin(), definitions.end());
    front.insert(front.end(), {folder + "/source.cu", "-o", folder + "/source.ii"});
    if (run(front, folder + "/log", program.log)) return COMPILATION;
    std::string own = own_part(read_file(folder + "/source.ii"));
    std::ostringstream out, shared;
    out << "#include \"source.cu\"\nextern \"C\" { extern const int jeton_architecture; const int jeton_architecture = " << architecture << "; }\n";
    for (const std::string &k : kernels(own)) {
        std::string caller = "decltype(jeton::caller_of(&" + k + "))";
        out << "extern \"C\" { extern const jeton::Kernel jeton_kernel_" << k << "; const jeton::Kernel jeton_kernel_" << k
            << " = {\"" << k << "\", &" << caller << "::template thread<&" << k << ">, sizeof(" << caller
            << "::sizes) / sizeof(unsigned) - 1, " << caller << "::sizes, &jeton::run_kernel}; }\n";
    }
    if (standin::checking()) {
        for (const char *bytes : {"1", "2", "4", "8", "16"}) {
            for (const char *kind : {"load", "store"}) {
                out << "extern \"C\" void __asan_" << kind << bytes << "_noabort(unsigned long at) { jeton::access(at, "
                    << bytes << ", " << (kind[0] == 's') << "); }\n";
            }
        }
        out << "extern \"C\" void __asan_loadN_noabort(unsigned long at, unsigned long n) { jeton::access(at, n, false); }\n"
               "extern \"C\" void __asan_storeN_noabort(unsigned long at, unsigned long n) { jeton::access(at, n, true); }\n"
               "extern \"C\" void __asan_handle_no_return() {}\n"
               "extern \"C\" void __asan_before_dynamic_init(const void *) {}\n"
               "extern \"C\" void __asan_after_dynamic_init() {}\n"
               "extern \"C\" void __asan_register_globals(void *, unsigned long) {}\n"
               "extern \"C\" void __asan_unregister_globals(void *, unsigned long) {}\n";
    }
    write_file(folder + "/whole.cpp", out.str());
    /* Compiled and linked apart, since what checks alignment would otherwise be linked with a library for it. */
    std::vector<std::string> back = compiler();
    back.insert(back.end(), {"-c", "-include", here() + "/cuda_host.h", "-I", folder, "-o", folder + "/module.o"});
    back.insert(back.end(), definitions.begin(), definitions.end());
    if (standin::checking()) {
        back.insert(back.end(), {"-fsanitize=kernel-address", "--param", "asan-instrumentation-with-call-threshold=0",
                "--param", "asan-stack=0", "--param", "asan-globals=0", "-fno-sanitize-address-use-after-scope"});
    }
    back.push_back(folder + "/whole.cpp");
    if (run(back, folder + "/log", program.log)) return COMPILATION;
    std::vector<std::string> link = {"g++", "-shared", "-fPIC", "-O2", "-g1", "-w", "-std=c++17", "-fno-extern-tls-init",
            "-Wl,-Bsymbolic", "-o", folder + "/module.so", folder + "/module.o"};
    auto names = dynamic(own);
    if (!names.empty()) {
        shared << "extern \"C\" {\nalignas(1024) thread_local unsigned char jeton_dynamic[232448];\n"
                  "void *jeton_dynamic_address() { return jeton_dynamic; }\n";
        for (const std::string &name : names) {
            shared << "extern __attribute__((alias(\"jeton_dynamic\"))) thread_local unsigned char " << name << "[232448];\n";
        }
        shared << "}\n";
        write_file(folder + "/shared.cpp", shared.str());
        link.push_back(folder + "/shared.cpp");
    }
    if (run(link, folder + "/log", program.log)) return COMPILATION;
    program.cubin = read_file(folder + "/module.so");
    return OK;
}

/* What nvcc and NVRTC know and a host compiler needs nothing of. */
bool without_effect(const std::string &option) {
    for (const char *known : {"--std=", "-std=", "--use_fast_math", "-use_fast_math", "--fmad=", "-fmad=", "-default-device",
            "--device-as-default-execution-space", "-lineinfo", "--generate-line-info", "--extra-device-vectorization",
            "-extra-device-vectorization", "--maxrregcount=", "--dopt=", "-dopt=", "--ptxas-options=", "--restrict",
            "--ftz=", "--prec-div=", "--prec-sqrt=", "--relocatable-device-code=false", "-w", "--disable-warnings"}) {
        if (option.compare(0, strlen(known), known) == 0) return true;
    }
    return false;
}

}  // namespace

extern "C" {

const char *nvrtcGetErrorString(int code) {
    switch (code) {
        case 0: return "NVRTC_SUCCESS";
        case 1: return "NVRTC_ERROR_OUT_OF_MEMORY";
        case 3: return "NVRTC_ERROR_INVALID_INPUT";
        case 4: return "NVRTC_ERROR_INVALID_PROGRAM";
        case 5: return "NVRTC_ERROR_INVALID_OPTION";
        case 6: return "NVRTC_ERROR_COMPILATION";
        case 11: return "NVRTC_ERROR_INTERNAL_ERROR";
        default: return "NVRTC_ERROR unknown";
    }
}
/* Compiles the header that stands before sources into a file; 0 where that went well. */
int standin_headers(const char *to) {
    std::vector<std::string> command = compiler();
    command.insert(command.end(), {"-x", "c++-header", here() + "/cuda_host.h", "-o", to});
    std::string log;
    return run(command, std::string(to) + ".log", log);
}
int nvrtcVersion(int *major, int *minor) {
    if (int code = standin::ordered("nvrtcVersion")) return code;
    *major = 13;
    *minor = 0;
    return OK;
}
int nvrtcGetNumSupportedArchs(int *count) {
    if (int code = standin::ordered("nvrtcGetNumSupportedArchs")) return code;
    *count = 4;
    return OK;
}
int nvrtcGetSupportedArchs(int *archs) {
    if (int code = standin::ordered("nvrtcGetSupportedArchs")) return code;
    const int known[] = {80, 90, 100, 120};
    memcpy(archs, known, sizeof known);
    return OK;
}
int nvrtcCreateProgram(Program **out, const char *source, const char *name, int count, const char *const *headers,
        const char *const *names) {
    if (int code = standin::ordered("nvrtcCreateProgram")) return code;
    if (!source || count < 0) return INVALID_INPUT;
    auto *program = new Program{source, name ? name : "default_program", "", "", {}};
    for (int i = 0; i < count; i++) program->headers.emplace_back(names[i], headers[i]);
    *out = program;
    return OK;
}
int nvrtcDestroyProgram(Program **program) {
    if (int code = standin::ordered("nvrtcDestroyProgram")) return code;
    if (!program || !*program) return INVALID_PROGRAM;
    delete *program;
    *program = nullptr;
    return OK;
}
int nvrtcCompileProgram(Program *program, int count, const char *const *options) {
    if (int code = standin::ordered("nvrtcCompileProgram")) return code;
    program->log.clear();
    program->cubin.clear();
    std::vector<std::string> definitions;
    int architecture = 75;
    std::regex named("(--gpu-architecture=|-arch=)(sm|compute)_([0-9]+)[af]?");
    for (int i = 0; i < count; i++) {
        std::string option = options[i];
        std::smatch found;
        if (std::regex_match(option, found, named)) architecture = std::stoi(found[3]);
        else if (option.compare(0, 15, "--define-macro=") == 0) definitions.push_back("-D" + option.substr(15));
        else if (option.compare(0, 15, "--include-path=") == 0) definitions.push_back("-I" + option.substr(15));
        else if (option.compare(0, 2, "-D") == 0 || option.compare(0, 2, "-I") == 0 || option.compare(0, 2, "-U") == 0)
            definitions.push_back(option);
        else if (!without_effect(option)) {
            program->log = "unknown option: " + option + "\n";
            return INVALID_OPTION;
        }
    }
    std::string pattern = (getenv("TMPDIR") ? std::string(getenv("TMPDIR")) : "/tmp") + "/jeton-nvrtc-XXXXXX";
    if (!mkdtemp(&pattern[0])) return INTERNAL;
    int code = compile(*program, pattern, definitions, architecture);
    std::string log;
    run({"rm", "-rf", pattern}, "/dev/null", log);
    return code;
}
int nvrtcGetProgramLogSize(Program *program, size_t *bytes) {
    if (int code = standin::ordered("nvrtcGetProgramLogSize")) return code;
    *bytes = program->log.size() + 1;
    return OK;
}
int nvrtcGetProgramLog(Program *program, char *log) {
    if (int code = standin::ordered("nvrtcGetProgramLog")) return code;
    memcpy(log, program->log.c_str(), program->log.size() + 1);
    return OK;
}
int nvrtcGetCUBINSize(Program *program, size_t *bytes) {
    if (int code = standin::ordered("nvrtcGetCUBINSize")) return code;
    *bytes = program->cubin.size();
    return program->cubin.empty() ? INVALID_PROGRAM : OK;
}
int nvrtcGetCUBIN(Program *program, char *cubin) {
    if (int code = standin::ordered("nvrtcGetCUBIN")) return code;
    memcpy(cubin, program->cubin.data(), program->cubin.size());
    return OK;
}
int nvrtcGetPTXSize(Program *, size_t *bytes) {
    if (int code = standin::ordered("nvrtcGetPTXSize")) return code;
    *bytes = sizeof "// for the host";
    return OK;
}
int nvrtcGetPTX(Program *, char *ptx) {
    if (int code = standin::ordered("nvrtcGetPTX")) return code;
    memcpy(ptx, "// for the host", sizeof "// for the host");
    return OK;
}

}  // extern "C"
