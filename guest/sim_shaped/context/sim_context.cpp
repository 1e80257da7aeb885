#include "context/sim_context.h"

#include <cstdlib>
#include <map>
#include <memory>
#include <mutex>
#include <pthread.h>
#include <utility>

namespace {

// A number for each thread, kept in a key of its own. Threads have none at first.
class ThreadNumber {
public:
    ThreadNumber() { pthread_key_create(&key_, nullptr); }
    void set(int value) { pthread_setspecific(key_, reinterpret_cast<void *>(static_cast<intptr_t>(value) + 1)); }
    int get() const { return static_cast<int>(reinterpret_cast<intptr_t>(pthread_getspecific(key_)) - 1); }

private:
    pthread_key_t key_;
};

ThreadNumber device;
ThreadNumber cluster;
ThreadNumber sub_block;

struct FreeMemory {
    void operator()(void *memory) const { std::free(memory); }
};
using SharedState = std::unique_ptr<void, FreeMemory>;

std::mutex mutex;
// For each device what its cores share, by cluster and key.
std::map<int, std::map<std::pair<int, uint64_t>, SharedState>> devices;

}  // namespace

void pto_cpu_sim_bind_device(int device_id) { device.set(device_id); }

int pto_cpu_sim_get_bound_device() { return device.get(); }

void pto_cpu_sim_acquire_device(int device_id) {
    const std::lock_guard<std::mutex> lock(mutex);
    devices[device_id];
}

void pto_cpu_sim_release_device(int device_id) {
    const std::lock_guard<std::mutex> lock(mutex);
    devices.erase(device_id);
}

uint32_t pto_sim_get_subblock_id() { return static_cast<uint32_t>(sub_block.get()); }

void *pto_sim_get_pipe_shared_state(uint64_t key, size_t size) {
    const std::lock_guard<std::mutex> lock(mutex);
    const auto found = devices.find(device.get());
    if (found == devices.end()) return nullptr;
    SharedState &state = found->second[{cluster.get(), key}];
    if (!state) state.reset(std::calloc(1, size));
    return state.get();
}

void sim_context_set_subblock_id(uint32_t number) { sub_block.set(static_cast<int>(number)); }

void sim_context_set_cluster_id(uint32_t number) { cluster.set(static_cast<int>(number)); }

void clear_cpu_sim_shared_storage() {
    const std::lock_guard<std::mutex> lock(mutex);
    const auto found = devices.find(device.get());
    if (found != devices.end()) found->second.clear();
}
