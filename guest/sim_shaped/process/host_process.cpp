// A host process: runs a case on the runtime in a directory and checks what comes out of it.
//
//     host_process DIRECTORY CASE [--rounds N] [--threads K] [--poll] [--fork] [--footprint N]
//
// Prints what the process holds after every Nth round, if asked for, and at last PASSED and exits with 0, or says on standard error what is wrong and exits with 1.
#include <cmath>
#include <cstdio>
#include <cstdlib>
#include <fstream>
#include <iterator>
#include <sys/wait.h>
#include <thread>
#include <unistd.h>

#include "process/cases.h"
#include "process/chip_worker.h"
#include "process/footprint.h"

namespace {

using namespace sim_shaped;

struct Options {
    std::string directory;
    const Case *test = nullptr;
    int rounds = 1;
    int threads = 1;  // host threads, with a device each
    Waiting waiting = Waiting::IN_ONE_CALL;
    bool in_child = false;
    int footprint_every = 0;
};

Options parse(int count, char **words) {
    if (count < 3) {
        throw Failure("usage: host_process DIRECTORY CASE [--rounds N] [--threads K] [--poll] [--fork] [--footprint N]");
    }
    Options options;
    options.directory = words[1];
    options.test = find_case(words[2]);
    if (options.test == nullptr) throw Failure(std::string("no such case: ") + words[2]);
    for (int index = 3; index < count; ++index) {
        const std::string word = words[index];
        const bool has_value = index + 1 < count;
        if (word == "--rounds" && has_value) options.rounds = std::atoi(words[++index]);
        else if (word == "--threads" && has_value) options.threads = std::atoi(words[++index]);
        else if (word == "--footprint" && has_value) options.footprint_every = std::atoi(words[++index]);
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

void run_device(const HostRuntime &host, const Options &options, int device_id) {
    ChipWorker worker(host, device_id, read(options.directory + "/libaicpu_kernel.so"),
                      read(options.directory + "/libaicore_kernel.so"));
    worker.register_callable(callable_of(*options.test, options.directory));
    for (int round = 0; round < options.rounds; ++round) {
        Tensors tensors(*options.test, round);
        worker.run(tensors.args(), options.waiting);
        tensors.check();
        if (options.footprint_every != 0 && (round + 1) % options.footprint_every == 0) {
            std::printf("round %d: %s\n", round + 1, footprint().c_str());
        }
    }
}

// Gives the exit code.
int report(const Failure &failure) {
    std::fprintf(stderr, "%s\n", failure.what());
    return 1;
}

int run(const Options &options) {
    const HostRuntime host(options.directory);
    std::vector<int> codes(static_cast<size_t>(options.threads), 0);
    std::vector<std::thread> threads;
    for (int device_id = 0; device_id < options.threads; ++device_id) {
        threads.emplace_back([&host, &options, &code = codes[static_cast<size_t>(device_id)], device_id] {
            try {
                run_device(host, options, device_id);
            } catch (const Failure &failure) {
                code = report(failure);
            }
        });
    }
    for (std::thread &thread : threads) thread.join();
    for (const int code : codes) {
        if (code != 0) return code;
    }
    std::puts("PASSED");
    return 0;
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
