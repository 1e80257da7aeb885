#include "host/sim_device_runner_base.h"

#include <cstring>

#include "context/sim_context.h"

int SimDeviceRunnerBase::copy_to_device(void *device, const void *host, size_t size) {
    std::memcpy(device, host, size);
    return 0;
}

int SimDeviceRunnerBase::copy_from_device(void *host, const void *device, size_t size) {
    std::memcpy(host, device, size);
    return 0;
}

int SimDeviceRunnerBase::device_memset(void *device, int value, size_t size) {
    std::memset(device, value, size);
    return 0;
}

std::thread SimDeviceRunnerBase::create_thread(std::function<void()> work) {
    return std::thread([device_id = device_id_, work = std::move(work)] {
        pto_cpu_sim_bind_device(device_id);
        work();
        pto_cpu_sim_bind_device(-1);
    });
}

void SimDeviceRunnerBase::attach(int device_id) {
    pto_cpu_sim_bind_device(device_id);
    pto_cpu_sim_acquire_device(device_id);
    device_id_ = device_id;
}

void SimDeviceRunnerBase::detach() {
    memory_.finalize();
    pto_cpu_sim_release_device(device_id_);
    pto_cpu_sim_bind_device(-1);
    device_id_ = -1;
}
