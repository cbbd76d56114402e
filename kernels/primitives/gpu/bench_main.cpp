#include <algorithm>
#include <cstdio>
#include <cstdlib>
#include <exception>
#include <fstream>
#include <string>
#include <string_view>

#include "kernels/primitives/gpu/bench.h"

namespace {

struct Benchmark {
  std::string_view name;
  void (*run)(kernels::gpu::Bench&);
};
constexpr Benchmark kBenchmarks[] = {
    {"rms_norm", kernels::gpu::BenchRmsNorm},
    {"rope_store", kernels::gpu::BenchRopeStore},
    {"silu_gate", kernels::gpu::BenchSiluGate},
    {"quantize_rows", kernels::gpu::BenchQuantizeRows},
    {"block_copy", kernels::gpu::BenchBlockCopy},
    {"sample", kernels::gpu::BenchSample},
    {"decode_attention", kernels::gpu::BenchDecodeAttention},
    {"prefill_attention", kernels::gpu::BenchPrefillAttention},
    {"gemm", kernels::gpu::BenchGemm},
    {"quant_gemm", kernels::gpu::BenchQuantGemm},
};

constexpr const char* kHelp = R"(gpu_bench: times the device kernels on the card and states each beside the card's limit

  --only=NAME[,NAME]  these benchmarks alone
  --quick             fewer sizes and repetitions: seconds in all
  --json=FILE         also write the rows as JSON lines
  --card              print which card is found, and nothing else
  --help              this text

Columns: us = median of one call, in a replayed graph; GB/s = bytes that had to be moved; % copy = those beside what a
device-to-device copy of 2 GiB moves; TFLOP/s = work that had to be done; peer = a library at the same work on the same
card, ratio = our speed beside its (above 1: ours is faster).

Examples
  build/cuda/bin/gpu_bench
  build/cuda/bin/gpu_bench --quick --only=rms_norm,gemm
  build/cuda/bin/gpu_bench --json=rows.jsonl
)";

struct Options {
  std::string only, json;
  bool quick = false, card = false, help = false, valid = true;
};

bool KnownNames(std::string_view names) {
  while (!names.empty()) {
    const std::string_view name = names.substr(0, names.find(','));
    names.remove_prefix(std::min(names.size(), name.size() + 1));
    bool known = false;
    for (const Benchmark& benchmark : kBenchmarks) known = known || benchmark.name == name;
    if (!known) {
      std::fprintf(stderr, "gpu_bench: no benchmark '%.*s'; there are:", static_cast<int>(name.size()), name.data());
      for (const Benchmark& benchmark : kBenchmarks) std::fprintf(stderr, " %s", benchmark.name.data());
      std::fputc('\n', stderr);
      return false;
    }
  }
  return true;
}

Options Parse(int argc, char** argv) {
  Options options;
  for (int i = 1; i < argc; ++i) {
    const std::string_view argument = argv[i];
    if (argument == "--quick") {
      options.quick = true;
    } else if (argument == "--card") {
      options.card = true;
    } else if (argument == "--help") {
      options.help = true;
    } else if (argument.starts_with("--only=")) {
      options.only = argument.substr(7);
      options.valid = options.valid && KnownNames(options.only);
    } else if (argument.starts_with("--json=")) {
      options.json = argument.substr(7);
    } else {
      std::fprintf(stderr, "gpu_bench: unknown option '%s'; --help lists them\n", argv[i]);
      options.valid = false;
    }
  }
  return options;
}

bool Wanted(std::string_view only, std::string_view name) {
  return only.empty() || ("," + std::string(only) + ",").find("," + std::string(name) + ",") != std::string::npos;
}

int RunAll(const Options& options, const kernels::gpu::DeviceInfo& device, kernels::gpu::Stream stream) {
  kernels::gpu::Bench bench(device, stream, options.quick);
  bool all = true;
  for (const Benchmark& benchmark : kBenchmarks) {
    if (Wanted(options.only, benchmark.name)) all = bench.Run(benchmark.name, benchmark.run) && all;
    // After each: what was measured stays when a later one takes the process down.
    if (!options.json.empty() && !(std::ofstream(options.json) << bench.Json())) {
      std::fprintf(stderr, "gpu_bench: can't write %s\n", options.json.c_str());
      return EXIT_FAILURE;
    }
  }
  return all ? EXIT_SUCCESS : EXIT_FAILURE;
}

}  // namespace

int main(int argc, char** argv) {
  const Options options = Parse(argc, argv);
  if (options.help) return std::fputs(kHelp, stdout), EXIT_SUCCESS;
  if (!options.valid) return EXIT_FAILURE;
  kernels::gpu::DeviceInfo device;
  kernels::gpu::Stream stream = nullptr;
  kernels::gpu::LaunchResult result = kernels::gpu::FindDevice(0, &device);
  if (result.ok()) result = kernels::gpu::CreateStream(&stream);
  if (!result.ok()) {
    std::fprintf(stderr, "gpu_bench: %s\n", result.message());
    return EXIT_FAILURE;
  }
  if (device.emulated) {
    std::puts("gpu_bench: benchmarks need a card, and this build has the emulator: make build CUDA=1");
    return EXIT_SUCCESS;
  }
  if (options.card) {
    std::printf("card      %s, compute capability %d.%d\n", device.name, device.capability / 10,
                device.capability % 10);
    return EXIT_SUCCESS;
  }
  try {
    return RunAll(options, device, stream);
  } catch (const std::exception& failure) {
    std::fprintf(stderr, "gpu_bench: %s\n", failure.what());
    return EXIT_FAILURE;
  }
}
