/* Stands in for NVML where there is no NVIDIA driver: the same names, layouts and return codes. Tests turn its knobs. */
#include <stdint.h>
#include <string.h>

#ifndef DEVICES
#define DEVICES 2
#endif
#ifndef INIT
#define INIT 0
#endif

static int result = 0;          /* what every question about a device returns */
static uint64_t energy = 1000;  /* millijoules, of each device times its index + 1 */
static unsigned processes = 3;
static int shutdowns = 0;
static int handles[DEVICES + 1];

void standin_result(int code) { result = code; }
void standin_energy(long long millijoules) { energy = (uint64_t) millijoules; }
void standin_processes(int count) { processes = (unsigned) count; }
int standin_shutdowns(void) { return shutdowns; }

typedef struct { unsigned gpu, memory; } utilization_t;
typedef struct { unsigned version; uint64_t total, reserved, free, used; } memory_t;
typedef struct { char legacy[16]; unsigned domain, bus, device, id, subsystem; char bus_id[32]; } pci_t;
typedef struct { unsigned pid; uint64_t used; unsigned gpu_instance, compute_instance; } process_t;

static unsigned index_of(void *device) { return (unsigned) ((int *) device - handles); }

const char *nvmlErrorString(int code) {
    switch (code) {
        case 9: return "Driver Not Loaded";
        case 15: return "GPU is lost";
        default: return "Unknown Error";
    }
}

int nvmlInit_v2(void) { return INIT; }
int nvmlShutdown(void) { shutdowns++; return 0; }

int nvmlSystemGetDriverVersion(char *text, unsigned length) {
    strncpy(text, "570.86.15", length);
    return 0;
}

int nvmlDeviceGetCount_v2(unsigned *count) { *count = DEVICES; return 0; }

int nvmlDeviceGetHandleByIndex_v2(unsigned index, void **device) {
    if (index >= DEVICES) return 2;
    *device = &handles[index];
    return 0;
}

int nvmlDeviceGetUUID(void *device, char *text, unsigned length) {
    if (length < 96) return 7;
    strcpy(text, index_of(device) ? "GPU-11111111-standin" : "GPU-00000000-standin");
    return 0;
}

int nvmlDeviceGetName(void *device, char *text, unsigned length) {
    (void) device;
    if (length < 96) return 7;
    strcpy(text, "Stand-in H200");
    return 0;
}

int nvmlDeviceGetPciInfo_v3(void *device, pci_t *pci) {
    memset(pci, 0xee, sizeof *pci);
    strcpy(pci->bus_id, index_of(device) ? "00000000:66:00.0" : "00000000:65:00.0");
    return result;
}

int nvmlDeviceGetUtilizationRates(void *device, utilization_t *out) {
    out->gpu = 40 + index_of(device);
    out->memory = 20;
    return result;
}

int nvmlDeviceGetMemoryInfo_v2(void *device, memory_t *out) {
    (void) device;
    if (out->version != (sizeof(memory_t) | 2u << 24)) return 25; /* NVML_ERROR_ARGUMENT_VERSION_MISMATCH */
    out->total = 150754820096ull;
    out->reserved = 606076928ull;
    out->free = 100000000000ull;
    out->used = out->total - out->reserved - out->free;
    return result;
}

int nvmlDeviceGetPowerUsage(void *device, unsigned *milliwatts) { (void) device; *milliwatts = 512345; return result; }
int nvmlDeviceGetEnforcedPowerLimit(void *device, unsigned *milliwatts) { (void) device; *milliwatts = 700000; return result; }

int nvmlDeviceGetTotalEnergyConsumption(void *device, uint64_t *millijoules) {
    *millijoules = energy * (index_of(device) + 1);
    return result;
}

int nvmlDeviceGetTemperature(void *device, int sensor, unsigned *celsius) {
    (void) device;
    *celsius = 61;
    return sensor == 0 ? result : 2;
}

int nvmlDeviceGetClockInfo(void *device, int type, unsigned *megahertz) {
    (void) device;
    static const unsigned clocks[] = {1980, 1975, 3201, 1545};
    if (type < 0 || type > 3) return 2;
    *megahertz = clocks[type];
    return result;
}

#ifndef OLD
int nvmlDeviceGetMigMode(void *device, unsigned *current, unsigned *pending) {
    *current = index_of(device);
    *pending = 0;
    return result;
}
#endif

int nvmlDeviceGetComputeRunningProcesses_v3(void *device, unsigned *count, process_t *infos) {
    (void) device;
    unsigned room = *count;
    *count = processes;
    if (room < processes) return 7;
    for (unsigned i = 0; i < processes; i++) {
        infos[i].pid = 3000000000u + i;
        infos[i].used = i == 0 ? (uint64_t) -1 : 1000ull * i;
        infos[i].gpu_instance = infos[i].compute_instance = 0xffffffffu;
    }
    return result;
}
