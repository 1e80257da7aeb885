// The simulated chip: its cores, how they are numbered, and where their registers lie in memory.
//
// A register block stands for the registers of one core. On a2a3 an offset in it is that of the hardware; on a5 the
// pages in use are put one after the other, so that COND moves.
#pragma once

#include <cstdint>

#include "npusim/registers.h"

namespace sim_shaped {

enum class CoreType : int32_t { AIC = 0, AIV = 1 };

constexpr int CLUSTERS = 8;
constexpr int CORES = 3 * CLUSTERS;

// Physical numbers: the AIC of every cluster, then the two AIV of every cluster.
constexpr int aic_of(int cluster) { return cluster; }
constexpr int aiv_of(int cluster, int sub_block) { return CLUSTERS + 2 * cluster + sub_block; }
constexpr CoreType type_of(int core) { return core < CLUSTERS ? CoreType::AIC : CoreType::AIV; }
constexpr int cluster_of(int core) { return core < CLUSTERS ? core : (core - CLUSTERS) / 2; }
constexpr int sub_block_of(int core) { return core < CLUSTERS ? 0 : (core - CLUSTERS) % 2; }

#if defined(NPUSIM_ARCH_A5)
constexpr uint32_t REGISTER_BLOCK_SIZE = 0x4000;
constexpr uint32_t DATA_MAIN_BASE = REG_DATA_MAIN_BASE;
constexpr uint32_t COND = 0x3108;
constexpr int AICPU_THREADS_LAUNCHED = 14;
constexpr int AICPU_THREADS_ACTIVE = 5;
#else
constexpr uint32_t REGISTER_BLOCK_SIZE = 0x1400;
constexpr uint32_t DATA_MAIN_BASE = REG_DATA_MAIN_BASE;
constexpr uint32_t COND = REG_COND;
constexpr int AICPU_THREADS_LAUNCHED = 6;
constexpr int AICPU_THREADS_ACTIVE = 4;
#endif

}  // namespace sim_shaped
