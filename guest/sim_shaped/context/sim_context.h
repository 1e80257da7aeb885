// What the threads of this process know of the device and core that they play. Loaded once, with RTLD_GLOBAL, before
// the host runtime; the host runtime has these names undefined, kernels look them up.
#pragma once

#include <cstddef>
#include <cstdint>

extern "C" {

void pto_cpu_sim_bind_device(int device_id);  // the calling thread belongs to this device from now on; -1: to none
int pto_cpu_sim_get_bound_device();
void pto_cpu_sim_acquire_device(int device_id);
void pto_cpu_sim_release_device(int device_id);

// The calling core's number among the AIV of its cluster.
uint32_t pto_sim_get_subblock_id();
// Memory that the cores of the calling core's cluster share under a key, zero at first; null without a device.
void *pto_sim_get_pipe_shared_state(uint64_t key, size_t size);

}  // extern "C"

void sim_context_set_subblock_id(uint32_t sub_block);
void sim_context_set_cluster_id(uint32_t cluster);
void clear_cpu_sim_shared_storage();  // of the calling thread's device
