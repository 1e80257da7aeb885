// A host process: runs a case on the runtimes in one or more directories and checks what comes out of it.
//
//     host_process DIRECTORY CASE [--beside DIRECTORY]... [--at-once] [--in-turn N] [--rounds N] [--threads K] [--poll]
//                                 [--fork] [--footprint N]
//
// All runtimes are open at once, and a thread has a device of each and runs each round on one after the other, or with
// --at-once of one. With --in-turn each runtime is opened, run and closed before the next one, N times over. Prints what the process holds after every Nth
// round or turn, if asked for, and at last PASSED and exits with 0, or says on standard error what is wrong and exits
// with 1.
#include <algorithm>
#include <cmath>
#include <cstdio>
#include <cstdlib>
#include <fstream>
#include <iterator>
#include <memory>
#include <sys/wait.h>
#include <thread>
#include <unistd.h>

#include "process/cases.h"
#include "process/chip_worker.h"
#include "process/footprint.h"

namespace {

using namespace sim_shaped;

struct Options {
    std::vector<std::string> directories;
    const Case *test = nullptr;
    int rounds = 1;
    int threads = 1;  // host threads, with a device each
    bool at_once = false;
    int turns = 0;
    Waiting waiting = Waiting::IN_ONE_CALL;
    bool in_child = false;
    int footprint_every = 0;
};

Options parse(int count, char **words) {
    if (count < 3) {
        throw Failure(
            "usage: host_process DIRECTORY CASE [--beside DIRECTORY]... [--at-once] [--in-turn N] [--rounds N] "
            "[--threads K] [--poll] [--fork] [--footprint N]");
    }
    Options options;
    options.directories.emplace_back(words[1]);
    options.test = find_case(words[2]);
    if (options.test == nullptr) throw Failure(std::string("no such case: ") + words[2]);
    for (int index = 3; index < count; ++index) {
        const std::string word = words[index];
        const bool has_value = index + 1 < count;
        if (word == "--beside" && has_value) options.directories.emplace_back(words[++index]);
        else if (word == "--in-turn" && has_value) options.turns = std::atoi(words[++index]);
        else if (word == "--rounds" && has_value) options.rounds = std::atoi(words[++index]);
        else if (word == "--threads" && has_value) options.threads = std::atoi(words[++index]);
        else if (word == "--footprint" && has_value) options.footprint_every = std::atoi(words[++index]);
        else if (word == "--at-once") options.at_once = true;
        else if (word == "--poll") options.waiting = Waiting::BY_POLLING;
        else if (word == "--fork") options.in_child = true;
        else throw Failure("no such option: " + word);
    }
    return options;
}

Bytes read(const std::string &path) {
    std::ifstream file(path, std::ios::binary);
    if (!file) throw Failure("cannot read " + path);
    return Bytes(std::istreambuf_iterator<char>(file), {});
}

Bytes callable_of(const Case &test, const std::string &directory) {
    std::vector<Bytes> kernels;
    for (const std::string &name : test.kernels) kernels.push_back(read(directory + "/kernels/" + name + ".so"));
    std::vector<ArgDirection> signature;
    for (const Argument &argument : test.arguments) signature.push_back(argument.direction);
    return pack_callable(read(directory + "/orchestrations/" + test.name + ".so"), kernels, signature);
}

// The tensors of one run, on the host.
class Tensors {
public:
    Tensors(const Case &test, int round) : test_(test), round_(round) {
        for (const Argument &argument : test.arguments) {
            std::vector<float> &values = values_.emplace_back(ELEMENTS, NAN);
            if (argument.direction == ArgDirection::OUT) continue;
            for (int place = 0; place < ELEMENTS; ++place) values[place] = value(argument, place);
        }
    }

    ChipStorageTaskArgs args() {
        const uint32_t extents[] = {ELEMENTS};
        ChipStorageTaskArgs args{};
        for (std::vector<float> &values : values_) {
            args.tensors_[args.tensor_count_++] = make_tensor(values.data(), extents, 1, DataType::FLOAT32);
        }
        return args;
    }

    void check() const {
        for (size_t number = 0; number < values_.size(); ++number) {
            const Argument &argument = test_.arguments[number];
            if (argument.direction != ArgDirection::OUT) continue;
            for (int place = 0; place < ELEMENTS; ++place) {
                const float expected = value(argument, place);
                if (values_[number][place] == expected) continue;
                throw Failure("argument " + std::to_string(number) + "[" + std::to_string(place) + "] is " +
                              std::to_string(values_[number][place]) + " instead of " + std::to_string(expected));
            }
        }
    }

private:
    static constexpr int ELEMENTS = 1024;

    float value(const Argument &argument, int place) const {
        return argument.value(static_cast<float>(place % 16 + 1), static_cast<float>((place + round_) % 7 + 1));
    }

    const Case &test_;
    const int round_;
    std::vector<std::vector<float>> values_;
};

// A device of a runtime, and the case on it.
class Device {
public:
    Device(const HostRuntime &host, const std::string &directory, const Options &options, int device_id)
        : options_(options), worker_(host, device_id, read(directory + "/libaicpu_kernel.so"),
                                     read(directory + "/libaicore_kernel.so")) {
        worker_.register_callable(callable_of(*options.test, directory));
    }

    void run(int round) {
        Tensors tensors(*options_.test, round);
        worker_.run(tensors.args(), options_.waiting);
        tensors.check();
    }

private:
    const Options &options_;
    ChipWorker worker_;
};

void print_footprint(const Options &options, const char *what, int index) {
    if (options.footprint_every == 0 || (index + 1) % options.footprint_every != 0) return;
    std::printf("%s %d: %s\n", what, index + 1, footprint().c_str());
}

// Gives the exit code.
int report(const Failure &failure) {
    std::fprintf(stderr, "%s\n", failure.what());
    return 1;
}

void run_devices(const std::vector<std::unique_ptr<Device>> &devices, const Options &options) {
    for (int round = 0; round < options.rounds; ++round) {
        for (const std::unique_ptr<Device> &device : devices) device->run(round);
        print_footprint(options, "round", round);
    }
}

using HostRuntimes = std::vector<std::unique_ptr<HostRuntime>>;

int run_open(const HostRuntimes &hosts, const Options &options) {
    const size_t groups = options.at_once ? hosts.size() : 1;
    std::vector<int> codes(groups * static_cast<size_t>(options.threads), 0);
    std::vector<std::thread> threads;
    for (size_t index = 0; index < codes.size(); ++index) {
        threads.emplace_back([&hosts, &options, &code = codes[index], groups, index] {
            try {
                const int device_id = static_cast<int>(index / groups);
                std::vector<std::unique_ptr<Device>> devices;
                for (size_t host = index % groups; host < hosts.size(); host += options.at_once ? groups : 1) {
                    const std::string &directory = options.directories[host];
                    devices.push_back(std::make_unique<Device>(*hosts[host], directory, options, device_id));
                }
                run_devices(devices, options);
            } catch (const Failure &failure) {
                code = report(failure);
            }
        });
    }
    for (std::thread &thread : threads) thread.join();
    return *std::max_element(codes.begin(), codes.end());
}

int run_alone(const std::string &directory, Options options) {
    options.directories = {directory};
    options.footprint_every = 0;
    HostRuntimes hosts;
    hosts.push_back(std::make_unique<HostRuntime>(directory));
    return run_open(hosts, options);
}

int run_all(const Options &options) {
    HostRuntimes hosts;
    for (const std::string &directory : options.directories) hosts.push_back(std::make_unique<HostRuntime>(directory));
    return run_open(hosts, options);
}

int run(const Options &options) {
    int code = options.turns == 0 ? run_all(options) : 0;
    for (int turn = 0; turn < options.turns; ++turn) {
        for (const std::string &directory : options.directories) code = std::max(code, run_alone(directory, options));
        print_footprint(options, "turn", turn);
    }
    if (code == 0) std::puts("PASSED");
    return code;
}

int run_in_child(const Options &options) {
    const pid_t child = fork();
    if (child < 0) throw Failure("cannot fork");
    if (child == 0) return run(options);
    int status = 0;
    waitpid(child, &status, 0);
    return WIFEXITED(status) ? WEXITSTATUS(status) : 1;
}

}  // namespace

int main(int count, char **words) {
    try {
        const Options options = parse(count, words);
        return options.in_child ? run_in_child(options) : run(options);
    } catch (const Failure &failure) {
        return report(failure);
    }
}
