#include "aicpu/orchestrations.h"

#include <cstdio>
#include <cstdlib>
#include <dlfcn.h>
#include <sys/stat.h>
#include <unistd.h>

#include "aicpu/settings.h"

namespace sim_shaped {
namespace {

// Where objects may be put on a device; a host usually has only the last ones, or lets nobody else write to the others.
constexpr const char *DIRECTORIES[] = {"/usr/lib64/aicpu_kernels/0/aicpu_kernels_device", "/usr/lib64", "/lib64",
                                       "/var/tmp", "/tmp"};
constexpr int SUFFIX_LENGTH = 3;  // .so

struct Entry {
    void *object = nullptr;
    Orchestration functions{};
};
Entry table[MAX_REGISTERED_CALLABLE_IDS];

// An empty file for the object of a callable, open for writing; -1 if no directory takes one.
int create_file(int32_t callable_id, char (&path)[256]) {
    for (const char *directory : DIRECTORIES) {
        std::snprintf(path, sizeof(path), "%s/libdevice_orch_cid%d_dev%d_XXXXXX.so", directory, callable_id, device_id);
        const int file = mkstemps(path, SUFFIX_LENGTH);
        if (file >= 0) return file;
    }
    return -1;
}

void *load_object(const Registration &registration) {
    char path[256];
    const int file = create_file(registration.callable_id, path);
    if (file < 0) return nullptr;
    fchmod(file, 0755);
    const ssize_t written = write(file, registration.orchestration, registration.orchestration_size);
    close(file);
    const bool complete = written == static_cast<ssize_t>(registration.orchestration_size);
    void *object = complete ? dlopen(path, RTLD_LAZY | RTLD_LOCAL) : nullptr;
    unlink(path);
    return object;
}

template <typename Function>
void resolve(void *object, const char *name, Function *function) {
    *function = reinterpret_cast<Function>(dlsym(object, name));
}

}  // namespace

int load_orchestration(const Registration &registration) {
    Entry &entry = table[registration.callable_id];
    if (entry.object != nullptr) dlclose(entry.object);
    entry = Entry{};
    entry.object = load_object(registration);
    if (entry.object == nullptr) return -1;
    resolve(entry.object, "framework_bind_runtime", &entry.functions.bind);
    resolve(entry.object, "aicpu_orchestration_entry", &entry.functions.entry);
    return find_orchestration(registration.callable_id) != nullptr ? 0 : -1;
}

const Orchestration *find_orchestration(int32_t callable_id) {
    const Entry &entry = table[callable_id];
    return entry.functions.bind != nullptr && entry.functions.entry != nullptr ? &entry.functions : nullptr;
}

}  // namespace sim_shaped
