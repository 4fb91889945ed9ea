/* A stand-in for NVIDIA's libnvidia-ml.so.1: the few calls that the monitor makes, by NVML's public signatures
 * (docs.nvidia.com/deploy/nvml-api). What it answers stands in the file $NVML_STANDIN, read anew at every call, one
 * "KEY VALUE" a line; a value "!N" is NVML's error N, a key that is not there NOT_SUPPORTED. Calls to init and shutdown
 * are added to $NVML_STANDIN.calls. With -DOLD it is a driver that lacks the later versions of calls. */
#include <stdio.h>
#include <stdlib.h>
#include <string.h>

enum { SUCCESS = 0, INVALID_ARGUMENT = 2, NOT_SUPPORTED = 3, INSUFFICIENT_SIZE = 7, VERSION_MISMATCH = 25, UNKNOWN = 999 };
#define MEMORY_V2 0x02000028u
#define NOT_AVAILABLE 0xffffffffffffffffull

typedef struct { unsigned gpu, memory; } utilization;
typedef struct { unsigned long long total, free, used; } memory_v1;
typedef struct { unsigned version; unsigned long long total, reserved, free, used; } memory_v2;
typedef struct { unsigned pid; unsigned long long used; unsigned gpu_instance, compute_instance; } process_info;
typedef struct { unsigned pid; unsigned long long at; unsigned sm, memory, encoder, decoder; } sample;

static int look(const char *key, char *value, size_t room) {
    const char *path = getenv("NVML_STANDIN");
    FILE *file = path ? fopen(path, "r") : NULL;
    char line[512];
    size_t length = strlen(key);
    int result = NOT_SUPPORTED;
    if (!file) return UNKNOWN;
    while (fgets(line, sizeof line, file)) {
        line[strcspn(line, "\n")] = 0;
        if (strncmp(line, key, length) || line[length] != ' ') continue;
        if (line[length + 1] == '!') { result = atoi(line + length + 2); break; }
        snprintf(value, room, "%s", line + length + 1);
        result = SUCCESS;
        break;
    }
    fclose(file);
    return result;
}

static int of_device(void *device, const char *what, char *value, size_t room) {
    char key[64];
    snprintf(key, sizeof key, "%zu.%s", (size_t)device - 1, what);
    return look(key, value, room);
}

static int text_of(void *device, const char *what, char *out, unsigned room) {
    char value[512];
    int result = of_device(device, what, value, sizeof value);
    if (result) return result;
    if (strlen(value) >= room) return INSUFFICIENT_SIZE;
    strcpy(out, value);
    return SUCCESS;
}

static int called(const char *what) {
    char path[4096], value[512];
    snprintf(path, sizeof path, "%s.calls", getenv("NVML_STANDIN"));
    FILE *file = fopen(path, "a");
    if (file) { fprintf(file, "%s\n", what); fclose(file); }
    int result = look(what, value, sizeof value);
    return result == NOT_SUPPORTED ? SUCCESS : result;
}

int nvmlInitWithFlags(unsigned flags) { (void)flags; return called("init"); }
int nvmlShutdown(void) { return called("shutdown"); }
const char *nvmlErrorString(int error) { (void)error; return "an error that only the driver knows"; }

int nvmlDeviceGetCount_v2(unsigned *count) {
    char value[512];
    int result = look("count", value, sizeof value);
    if (!result) *count = (unsigned)atoi(value);
    return result;
}

int nvmlDeviceGetHandleByIndex_v2(unsigned index, void **device) {
    char value[512];
    *device = (void *)(size_t)(index + 1);
    int result = of_device(*device, "handle", value, sizeof value);
    return result == NOT_SUPPORTED ? SUCCESS : result;
}

int nvmlDeviceGetName(void *device, char *name, unsigned room) { return text_of(device, "name", name, room); }
int nvmlDeviceGetUUID(void *device, char *uuid, unsigned room) { return text_of(device, "uuid", uuid, room); }

int nvmlDeviceGetUtilizationRates(void *device, utilization *rates) {
    char value[512];
    int result = of_device(device, "rates", value, sizeof value);
    if (!result) { rates->gpu = (unsigned)atoi(value); rates->memory = 99; }
    return result;
}

int nvmlDeviceGetMemoryInfo(void *device, memory_v1 *memory) {
    char value[512];
    int result = of_device(device, "memory", value, sizeof value);
    unsigned long long reserved = 0;
    if (result) return result;
    sscanf(value, "%llu %llu %llu", &memory->total, &memory->used, &reserved);
    memory->used += reserved; /* the first version counts what the driver keeps for itself as used */
    memory->free = memory->total - memory->used;
    return SUCCESS;
}

static int processes(void *device, unsigned *count, process_info *out) {
    char value[512];
    int result = of_device(device, "processes", value, sizeof value);
    if (result) return result;
    unsigned found = 0, room = out ? *count : 0;
    for (char *rest = NULL, *word = strtok_r(value, " ", &rest); word; word = strtok_r(NULL, " ", &rest), found++) {
        char *used = strchr(word, ':');
        if (found >= room || !used) continue;
        out[found] = (process_info){(unsigned)atoi(word), NOT_AVAILABLE, 0xffffffffu, 0xffffffffu};
        if (strcmp(used, ":N/A")) out[found].used = strtoull(used + 1, NULL, 10);
    }
    *count = found;
    return found > room ? INSUFFICIENT_SIZE : SUCCESS;
}

#ifdef OLD
int nvmlDeviceGetComputeRunningProcesses_v2(void *device, unsigned *count, process_info *out) {
    return processes(device, count, out);
}
#else
int nvmlDeviceGetComputeRunningProcesses_v3(void *device, unsigned *count, process_info *out) {
    return processes(device, count, out);
}

int nvmlDeviceGetMemoryInfo_v2(void *device, memory_v2 *memory) {
    char value[512];
    if (memory->version != MEMORY_V2) return VERSION_MISMATCH;
    int result = of_device(device, "memory", value, sizeof value);
    if (result) return result;
    sscanf(value, "%llu %llu %llu", &memory->total, &memory->used, &memory->reserved);
    memory->free = memory->total - memory->used - memory->reserved;
    return SUCCESS;
}

int nvmlDeviceGetProcessUtilization(void *device, sample *out, unsigned *count, unsigned long long since) {
    char value[512];
    if (since) return INVALID_ARGUMENT;
    int result = of_device(device, "samples", value, sizeof value);
    if (result) return result;
    unsigned found = 0, room = out ? *count : 0;
    for (char *rest = NULL, *word = strtok_r(value, " ", &rest); word; word = strtok_r(NULL, " ", &rest), found++) {
        if (found >= room) continue;
        memset(&out[found], 0, sizeof *out);
        sscanf(word, "%u:%llu:%u", &out[found].pid, &out[found].at, &out[found].sm);
    }
    *count = found;
    return found > room ? INSUFFICIENT_SIZE : SUCCESS;
}
#endif
