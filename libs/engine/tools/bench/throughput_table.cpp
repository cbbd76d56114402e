// The part of engine_bench without a flag: throughput, one row a batch size.
#include <cstdio>

#include "libs/engine/tools/bench/bench_model.h"
#include "libs/engine/tools/bench/options.h"
#include "libs/engine/tools/bench/throughput.h"
#include "libs/engine/tools/bench/trace_file.h"
#include "libs/model/machine_limits.h"

namespace engine::bench {
namespace {

// What a token costs: operations of the matrices in all layers, and bytes of all weights as they are kept.
struct Cost {
  double layer_operations = 0, weight_bytes = 0;
};

Cost CostOf(const tensor::GgufFile& file) {
  Cost cost;
  for (const tensor::Tensor& tensor : file.tensors()) {
    if (tensor.shape.size() < 2) continue;
    cost.weight_bytes += static_cast<double>(tensor.data.size());
    if (tensor.name.starts_with("blk."))
      cost.layer_operations += 2.0 * static_cast<double>(tensor.rows() * tensor.cols());
  }
  return cost;
}

void PrintHead(const Options& options, const model::MachineLimits& limits) {
  std::printf("%s, %d threads: int8 %.0f GOPS, memory %.1f GB/s\n", limits.target.c_str(), options.threads,
              limits.int8_ops / 1e9, limits.memory_bytes / 1e9);
  std::printf("%6s %10s %10s %10s %16s %16s %9s %10s %10s\n", "batch", "prefill/s", "decode/s", "total/s",
              "TTFT p50 p99 ms", "ITL p50 p99 ms", "overhead", "of int8", "of memory");
}

void PrintRow(bool json, std::int32_t batch, const Throughput& t, double of_int8, double of_memory) {
  const double scale = json ? 1 : 100;
  std::printf(
      json ? "{\"batch\": %d, \"prefill_tps\": %.1f, \"decode_tps\": %.1f, \"total_tps\": %.1f, \"ttft_p50_ms\": "
             "%.2f, \"ttft_p99_ms\": %.2f, \"itl_p50_ms\": %.2f, \"itl_p99_ms\": %.2f, \"overhead\": %.4f, "
             "\"int8_share\": %.3f, \"memory_share\": %.3f}\n"
           : "%6d %10.0f %10.0f %10.0f %8.1f %7.1f %8.2f %7.2f %8.1f%% %9.0f%% %9.0f%%\n",
      batch, t.prefill_tps, t.decode_tps, t.total_tps, t.ttft_p50_ms, t.ttft_p99_ms, t.itl_p50_ms, t.itl_p99_ms,
      scale * t.overhead, scale * of_int8, scale * of_memory);
  std::fflush(stdout);
}

// Runs the workload once more and writes down what each thread did.
absl::Status Trace(const Options& options, model::DecoderModel& model, const model::DecoderOptions& model_options,
                   const Workload& workload) {
  constexpr std::int64_t kEventsMax = 1 << 17;  // of a thread: about 600 steps of 30 layers
  model::LaunchTrace trace(options.threads, kEventsMax);
  model.set_trace(&trace);
  MeasureThroughput(model, model_options, workload);
  model.set_trace(nullptr);
  return WriteTraceFile(trace, options.trace);
}

}  // namespace

int RunThroughput(const Options& options) {
  const auto file = OpenFile(options);
  if (!file.ok()) return Fail(file.status().ToString());
  const Cost cost = CostOf(**file);
  const model::MachineLimits limits = model::MeasureMachineLimits(options.threads);
  if (!options.json) PrintHead(options, limits);
  const std::int32_t prompt = options.prompt > 0 ? options.prompt : 128;
  const std::int32_t generate = options.generate > 0 ? options.generate : 64;
  const auto batches = options.batches.empty() ? std::vector<std::int32_t>{1, 8, 16, 32} : options.batches;
  for (const std::int32_t& batch : batches) {
    const model::DecoderOptions model_options = ModelOptions(options, batch, prompt + generate, batch);
    const auto model = model::DecoderModel::Load(*file, model_options);
    if (!model.ok()) return Fail(model.status().ToString());
    MeasureThroughput(**model, model_options, {1, prompt, 1});  // touches every page
    const Workload workload{batch, prompt, generate};
    const Throughput t = MeasureThroughput(**model, model_options, workload);
    PrintRow(options.json, batch, t, t.prefill_tps * cost.layer_operations / limits.int8_ops,
             t.decode_tps / batch * cost.weight_bytes / limits.memory_bytes);
    if (&batch == &batches.back() && !options.trace.empty()) {
      if (absl::Status status = Trace(options, **model, model_options, workload); !status.ok()) {
        return Fail(status.ToString());
      }
    }
  }
  return 0;
}

}  // namespace engine::bench
