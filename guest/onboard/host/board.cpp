#include "onboard/host/board.h"

#include <initializer_list>

#include "cann/acl.h"
#include "cann/runtime.h"
#include "onboard/common/launch_args.h"

namespace onboard {
namespace {

constexpr int32_t DEVICE = 0;
// How long a run may take: a task, and then the host, which has to hear of a task that was ended.
constexpr uint64_t OP_TIMEOUT_US = 45'000'000;
constexpr int32_t SYNC_TIMEOUT_MS = 50'000;

// Of two streams that failed, the one that failed by itself.
int worse(int first, int second) {
    const bool fallout = first == ACL_ERROR_RT_DEVICE_TASK_ABORT || first == ACL_ERROR_RT_DRV_INTERNAL_ERROR;
    return first == 0 || (fallout && second != 0 && second != ACL_ERROR_RT_DRV_INTERNAL_ERROR) ? second : first;
}

}  // namespace

Board &Board::get() {
    static Board board;
    return board;
}

int Board::note(int code) {
    if (code != 0) last_error_ = -code;
    return code;
}

int Board::open() {
    if (is_open_) return 0;
    int code = aclInit(nullptr);
    if (code != 0) return code;
    is_open_ = true;
    code = rtSetDevice(DEVICE);
    if (code == 0) code = aclrtSetOpExecuteTimeOutV2(OP_TIMEOUT_US, nullptr);
    if (code == 0) code = rtStreamCreate(&aicpu_stream_, 0);
    if (code == 0) code = rtStreamCreate(&aicore_stream_, 0);
    if (code == 0) code = aclrtSetStreamFailureMode(aicore_stream_, ACL_STOP_ON_FAILURE);
    return code;
}

// In reverse. What does not want to go goes with the device.
void Board::close_if_unused() {
    if (!is_open_ || aicore_ != nullptr || aicpu_.is_loaded()) return;
    bool gone = true;
    for (rtStream_t *stream : {&aicore_stream_, &aicpu_stream_}) {
        if (*stream != nullptr) gone &= rtStreamDestroy(*stream) == 0;
        *stream = nullptr;
    }
    if (gone) {
        aclrtResetDevice(DEVICE);
    } else {
        aclrtResetDeviceForce(DEVICE);
    }
    aclFinalize();
    is_open_ = false;
}

int Board::load_aicpu(const void *bytes, size_t size) {
    if (aicpu_.is_loaded()) return note(ACL_ERROR_RT_PARAM_INVALID);
    int code = open();
    if (code == 0) code = aicpu_.load(bytes, size, DEVICE, aicpu_stream_);
    if (code != 0) close_if_unused();
    return note(code);
}

int Board::load_aicore(const void *bytes, size_t size) {
    if (aicore_ != nullptr) return note(ACL_ERROR_RT_PARAM_INVALID);
    const rtDevBinary_t binary{RT_DEV_BINARY_MAGIC_ELF, 0, bytes, size};
    int code = open();
    if (code == 0) code = rtRegisterAllKernel(&binary, &aicore_);
    if (code != 0) close_if_unused();
    return note(code);
}

void Board::unload_aicpu() {
    aicpu_.unload();
    close_if_unused();
}

void Board::unload_aicore() {
    if (aicore_ != nullptr) rtDevBinaryUnRegister(aicore_);
    aicore_ = nullptr;
    close_if_unused();
}

int Board::launch_cores(void *runtime, uint32_t block_dim, uint32_t profiling_flags, uint64_t rotation_table) {
    AicoreArgs args{runtime, rotation_table, profiling_flags};
    rtArgsEx_t launch{};
    launch.args = &args;
    launch.argsSize = sizeof(args);
    rtTaskCfgInfo_t config{};
    config.schemMode = RT_SCHEM_MODE_BATCH;
    return note(rtKernelLaunchWithHandleV2(aicore_, 0, block_dim, &launch, nullptr, aicore_stream_, &config));
}

int Board::launch_aicpu_threads(rtFuncHandle function, void *runtime, uint32_t threads) {
    return note(launch_aicpu(function, runtime, threads, aicpu_stream_));
}

int Board::wait() {
    const int aicpu = aclrtSynchronizeStreamWithTimeout(aicpu_stream_, SYNC_TIMEOUT_MS);
    const int aicore = aclrtSynchronizeStreamWithTimeout(aicore_stream_, SYNC_TIMEOUT_MS);
    return note(worse(aicpu, aicore));
}

int Board::poll() {
    const int aicpu = rtStreamQuery(aicpu_stream_);
    if (aicpu == ACL_ERROR_RT_STREAM_NOT_COMPLETE) return aicpu;
    const int aicore = rtStreamQuery(aicore_stream_);
    if (aicpu == 0 && aicore == ACL_ERROR_RT_STREAM_NOT_COMPLETE) return aicore;
    return note(worse(aicpu, aicore));
}

}  // namespace onboard
