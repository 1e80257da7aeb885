#include "onboard/host/aicpu_object.h"

#include <cinttypes>
#include <cstdio>
#include <cstring>
#include <string>
#include <sys/mman.h>
#include <unistd.h>

#include "cann/acl.h"
#include "onboard/common/launch_args.h"
#include "onboard/host/device_block.h"

namespace onboard {
namespace {

// In the order of AicpuFunction: the name that the runtime's host part knows, and the object's symbol.
constexpr struct {
    const char *name;
    const char *symbol;
} FUNCTIONS[] = {
    {"aicpu_execute", "onboard_execute"},
    {"simpler_aicpu_register_callable", "onboard_register_callable"},
    {"simpler_aicpu_release_callables", "onboard_release_callables"},
};
constexpr uint32_t FUNCTION_COUNT = static_cast<uint32_t>(AicpuFunction::COUNT);
static_assert(sizeof(FUNCTIONS) / sizeof(FUNCTIONS[0]) == FUNCTION_COUNT);

constexpr int32_t BOOTSTRAP_TIMEOUT_MS = 50'000;

// FNV-1a of 64 bits, which names the object on the device.
uint64_t fingerprint(const void *bytes, size_t size) {
    uint64_t hash = 0xcbf29ce484222325u;
    for (size_t index = 0; index < size; ++index) {
        hash = (hash ^ static_cast<const uint8_t *>(bytes)[index]) * 0x00000100000001b3u;
    }
    return hash;
}

std::string list_of(const char *file_name) {
    std::string text = "{";
    for (const auto &[name, symbol] : FUNCTIONS) {
        if (text.size() > 1) text += ", ";
        text += std::string("\"") + name + "\": {\"opInfo\": {\"functionName\": \"" + symbol + "\", \"kernelSo\": \"" +
                file_name + "\", \"opKernelLib\": \"AICPUKernel\"}}";
    }
    return text + "}";
}

// A file without a name: nothing of it is left behind, whatever happens.
class MemoryFile {
public:
    explicit MemoryFile(const std::string &text) : descriptor_(memfd_create("aicpu_functions.json", MFD_CLOEXEC)) {
        if (descriptor_ >= 0 && write(descriptor_, text.data(), text.size()) == static_cast<ssize_t>(text.size())) {
            std::snprintf(path_, sizeof(path_), "/proc/self/fd/%d", descriptor_);
        }
    }
    ~MemoryFile() {
        if (descriptor_ >= 0) close(descriptor_);
    }
    MemoryFile(const MemoryFile &) = delete;
    MemoryFile &operator=(const MemoryFile &) = delete;

    // Null if the file could not be written.
    const char *path() const { return path_[0] != '\0' ? path_ : nullptr; }

private:
    int descriptor_;
    char path_[32] = {};
};

}  // namespace

int AicpuObject::bootstrap(const void *bytes, size_t size, int32_t device, rtStream_t stream) {
    DeviceBlock inner;
    DeviceBlock order_block;
    int code = inner.upload(bytes, size);
    if (code != 0) return code;
    BootstrapOrder order{};
    order.device_id = static_cast<uint64_t>(device);
    order.inner = reinterpret_cast<uint64_t>(inner.address());
    order.inner_size = size;
    code = order_block.upload(&order, sizeof(order));
    if (code != 0) return code;
    BootstrapArgs args{};
    args.order = order_block.address();
    std::strncpy(args.so_name, "libaicpu_extend_kernels.so", sizeof(args.so_name) - 1);
    std::strncpy(args.kernel_name, "DynTileFwkKernelServerInit", sizeof(args.kernel_name) - 1);
    rtAicpuArgsEx_t launch{};
    launch.args = &args;
    launch.argsSize = sizeof(args);
    launch.soNameAddrOffset = offsetof(BootstrapArgs, so_name);
    launch.kernelNameAddrOffset = offsetof(BootstrapArgs, kernel_name);
    code = rtAicpuKernelLaunchExWithArgs(KERNEL_TYPE_AICPU_KFC, "AST_DYN_AICPU", 1, &launch, nullptr, stream, 0);
    return code != 0 ? code : aclrtSynchronizeStreamWithTimeout(stream, BOOTSTRAP_TIMEOUT_MS);
}

int AicpuObject::list(const char *file_name) {
    const MemoryFile file(list_of(file_name));
    if (file.path() == nullptr) return ACL_ERROR_RT_FILE_OPEN;
    rtLoadBinaryOption_t option{};
    option.optionId = RT_LOAD_BINARY_OPT_CPU_KERNEL_MODE;
    option.value.cpuKernelMode = 0;
    const rtLoadBinaryConfig_t config{&option, 1};
    return rtsBinaryLoadFromFile(file.path(), &config, &binary_);
}

int AicpuObject::load(const void *bytes, size_t size, int32_t device, rtStream_t stream) {
    int code = bootstrap(bytes, size, device, stream);
    if (code != 0) return code;
    char file_name[64];
    std::snprintf(file_name, sizeof(file_name), "simpler_inner_%016" PRIx64 "_%d.so", fingerprint(bytes, size), device);
    code = list(file_name);
    for (uint32_t index = 0; code == 0 && index < FUNCTION_COUNT; ++index) {
        code = rtsFuncGetByName(binary_, FUNCTIONS[index].name, &functions_[index]);
    }
    if (code != 0) unload();
    return code;
}

void AicpuObject::unload() {
    if (binary_ != nullptr) rtsBinaryUnload(binary_);
    *this = AicpuObject{};
}

rtFuncHandle AicpuObject::function(const char *name) const {
    for (uint32_t index = 0; index < FUNCTION_COUNT; ++index) {
        if (std::strcmp(FUNCTIONS[index].name, name) == 0) return functions_[index];
    }
    return nullptr;
}

int launch_aicpu(rtFuncHandle function, void *runtime, uint32_t threads, rtStream_t stream) {
    AicpuArgs args{runtime};
    rtCpuKernelArgs_t launch{};
    launch.baseArgs.args = &args;
    launch.baseArgs.argsSize = sizeof(args);
    rtKernelLaunchCfg_t config{};
    return rtsLaunchCpuKernel(function, threads, stream, &config, &launch);
}

}  // namespace onboard
