// What the host sets before a run.
#pragma once

#include <cstdint>

extern "C" {

void set_platform_regs(uint64_t regs);  // the address of an array: the register block of each core
void set_orch_device_id(int device_id);
void set_scheduler_timeout_ms(int timeout_ms);

}  // extern "C"

namespace sim_shaped {

extern const uint64_t *register_blocks;
extern int device_id;
extern int scheduler_timeout_ms;

}  // namespace sim_shaped
