#include "aicpu/settings.h"

const uint64_t *sim_shaped::register_blocks = nullptr;
int sim_shaped::device_id = 0;
int sim_shaped::scheduler_timeout_ms = 5000;

void set_platform_regs(uint64_t regs) { sim_shaped::register_blocks = reinterpret_cast<const uint64_t *>(regs); }

void set_orch_device_id(int device_id) { sim_shaped::device_id = device_id; }

void set_scheduler_timeout_ms(int timeout_ms) { sim_shaped::scheduler_timeout_ms = timeout_ms; }
