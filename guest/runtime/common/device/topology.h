// How cores are numbered. A cluster is one AIC and two AIVs. Physical core ids count all AICs first, then the AIVs of
// cluster 0, of cluster 1, and so on.
#pragma once

#include <cstdint>

namespace rt {

constexpr uint32_t MAX_CLUSTERS = 64;
constexpr uint32_t LANES = 3;  // cores of a cluster: AIC, AIV0, AIV1
constexpr uint32_t MAX_CORES = MAX_CLUSTERS * LANES;
constexpr uint32_t MAX_SCHEDULERS = 8;

enum class CoreType : int32_t { AIC = 0, AIV = 1 };
enum Lane : uint32_t { LANE_AIC = 0, LANE_AIV0 = 1, LANE_AIV1 = 2 };

constexpr uint32_t physical_core(uint32_t cluster, uint32_t lane, uint32_t clusters) {
    return lane == LANE_AIC ? cluster : clusters + 2 * cluster + (lane - LANE_AIV0);
}
constexpr CoreType core_type(uint32_t lane) { return lane == LANE_AIC ? CoreType::AIC : CoreType::AIV; }

}  // namespace rt
