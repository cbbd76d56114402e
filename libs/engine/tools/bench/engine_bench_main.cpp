// The CPU engine's throughput and perplexity beside the machine's limits; `engine_bench --help` says how. A developer's
// tool; it takes part in no service.
#include <charconv>
#include <cstdio>
#include <fstream>
#include <memory>
#include <sstream>
#include <string>
#include <string_view>
#include <vector>

#include "libs/engine/tools/bench/perplexity.h"
#include "libs/engine/tools/bench/throughput.h"
#include "libs/engine/tools/bench/trace_file.h"
#include "libs/model/chat_codec.h"
#include "libs/model/machine_limits.h"
#include "libs/tensor/gguf.h"

namespace {

constexpr const char* kHelp =
    R"(engine_bench: the CPU engine's throughput, or a text's perplexity, beside this machine's limits

  --model=FILE         GGUF file
  --threads=2          of the forward pass
  --batch=1,8,16,32    sequences at once, a row each
  --prompt=128         tokens of each prompt
  --generate=64        tokens generated for each
  --step-tokens=256    rows of a step at most
  --activations=int8   int8 or f32: how the inputs of products with quantised weights are rounded
  --kv=f16             f16 or q8: the KV cache
  --trace=FILE         also writes when each thread worked on which kernel in the last batch size, for ui.perfetto.dev
  --json               one JSON object a row
  --perplexity=FILE    perplexity of this text instead, as llama.cpp's tool defines it
  --context=512        tokens of a chunk of it
  --help               this text

Columns: tokens a second of prefill, decode and both; time to the first token and gap between tokens, in ms; what of a
step is scheduler and sampler; operations beside the int8 limit (prefill) and bytes of weights beside the memory limit
(decode), both measured here with the same threads.

Examples
  build/bin/engine_bench --model=.run/models/SmolLM2-135M-Instruct.Q4_1.gguf
  build/bin/engine_bench --model=M.gguf --batch=1 --prompt=512 --generate=1
  build/bin/engine_bench --model=M.gguf --perplexity=/usr/share/common-licenses/GPL-3
)";

struct Options {
  std::string model, perplexity, trace;
  std::int32_t threads = 2, prompt = 128, generate = 64, step_tokens = 256, context = 512;
  std::vector<std::int32_t> batches{1, 8, 16, 32};
  model::Activations activations = model::Activations::kInt8;
  kvcache::KvDtype kv = kvcache::KvDtype::kF16;
  bool json = false, help = false;
};

int Fail(const std::string& message) {
  std::fprintf(stderr, "engine_bench: %s\n", message.c_str());
  return 1;
}

bool Number(std::string_view text, std::int32_t max, std::int32_t* out) {
  const auto parsed = std::from_chars(text.data(), text.data() + text.size(), *out);
  return parsed.ec == std::errc() && parsed.ptr == text.data() + text.size() && *out >= 1 && *out <= max;
}

bool Numbers(std::string_view text, std::vector<std::int32_t>* out) {
  out->clear();
  while (true) {
    const std::size_t comma = text.find(',');
    if (!Number(text.substr(0, comma), 1024, &out->emplace_back())) return false;
    if (comma == std::string_view::npos) return true;
    text.remove_prefix(comma + 1);
  }
}

// False: `argument` is not understood.
bool Take(std::string_view argument, Options& options) {
  const std::size_t equals = argument.find('=');
  const std::string_view name = argument.substr(0, equals);
  const std::string_view value = equals == std::string_view::npos ? "" : argument.substr(equals + 1);
  if (name == "--help") return options.help = true;
  if (name == "--json") return options.json = true;
  if (name == "--model") return !(options.model = value).empty();
  if (name == "--trace") return !(options.trace = value).empty();
  if (name == "--perplexity") return !(options.perplexity = value).empty();
  if (name == "--threads") return Number(value, 256, &options.threads);
  if (name == "--prompt") return Number(value, 1 << 16, &options.prompt);
  if (name == "--generate") return Number(value, 1 << 16, &options.generate);
  if (name == "--step-tokens") return Number(value, 1 << 14, &options.step_tokens);
  if (name == "--context") return Number(value, 1 << 16, &options.context);
  if (name == "--batch") return Numbers(value, &options.batches);
  if (name == "--kv" && (value == "f16" || value == "q8")) {
    options.kv = value == "q8" ? kvcache::KvDtype::kQ8 : kvcache::KvDtype::kF16;
    return true;
  }
  if (name != "--activations" || (value != "int8" && value != "f32")) return false;
  options.activations = value == "int8" ? model::Activations::kInt8 : model::Activations::kF32;
  return true;
}

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

model::DecoderOptions ModelOptions(const Options& options, std::int32_t sequences, std::int32_t tokens) {
  constexpr std::int32_t kBlock = 16;
  const std::int32_t rows = std::max(options.step_tokens, sequences);
  return {.threads = options.threads,
          .blocks_total = sequences * ((tokens + kBlock - 1) / kBlock + 1),
          .block_size = kBlock,
          .rows_max = rows,
          .samples_max = options.perplexity.empty() ? sequences : rows,
          .positions_max = tokens + 1,
          .kv_dtype = options.kv,
          .activations = options.activations};
}

int RunPerplexity(const Options& options, const std::shared_ptr<const tensor::GgufFile>& file) {
  std::ifstream in(options.perplexity, std::ios::binary);
  if (!in) return Fail("can't read " + options.perplexity);
  std::stringstream text;
  text << in.rdbuf();
  const auto codec = model::ChatCodec::Load(*file);
  if (!codec.ok()) return Fail(codec.status().ToString());
  const model::DecoderOptions model_options = ModelOptions(options, 1, options.context);
  const auto model = model::DecoderModel::Load(file, model_options);
  if (!model.ok()) return Fail(model.status().ToString());
  const auto result =
      engine::bench::MeasurePerplexity(**model, model_options, (*codec)->tokenizer(), text.str(), options.context);
  if (!result.ok()) return Fail(result.status().ToString());
  std::printf(options.json
                  ? "{\"perplexity\": %.4f, \"tokens\": %lld, \"chunks\": %d, \"context\": %d, \"seconds\": %.1f}\n"
                  : "perplexity %.4f over %lld tokens in %d chunks of %d, %.1f s\n",
              result->perplexity, static_cast<long long>(result->tokens_scored), result->chunks, options.context,
              result->seconds);
  return 0;
}

// Runs the workload once more and writes down what each thread did.
int RunTraced(const Options& options, model::DecoderModel& model, const model::DecoderOptions& model_options,
              const engine::bench::Workload& workload) {
  constexpr std::int64_t kEventsMax = 1 << 17;  // of a thread: about 600 steps of 30 layers
  model::LaunchTrace trace(options.threads, kEventsMax);
  model.set_trace(&trace);
  engine::bench::MeasureThroughput(model, model_options, workload);
  model.set_trace(nullptr);
  const absl::Status written = engine::bench::WriteTraceFile(trace, options.trace);
  return written.ok() ? 0 : Fail(written.ToString());
}

int RunThroughput(const Options& options, const std::shared_ptr<const tensor::GgufFile>& file) {
  const Cost cost = CostOf(*file);
  const model::MachineLimits limits = model::MeasureMachineLimits(options.threads);
  if (!options.json) {
    std::printf("%s, %d threads: int8 %.0f GOPS, memory %.1f GB/s\n", limits.target.c_str(), options.threads,
                limits.int8_ops / 1e9, limits.memory_bytes / 1e9);
    std::printf("%6s %10s %10s %10s %16s %16s %9s %10s %10s\n", "batch", "prefill/s", "decode/s", "total/s",
                "TTFT p50 p99 ms", "ITL p50 p99 ms", "overhead", "of int8", "of memory");
  }
  for (const std::int32_t& batch : options.batches) {
    const model::DecoderOptions model_options = ModelOptions(options, batch, options.prompt + options.generate);
    const auto model = model::DecoderModel::Load(file, model_options);
    if (!model.ok()) return Fail(model.status().ToString());
    const engine::bench::Workload workload{batch, options.prompt, options.generate};
    engine::bench::MeasureThroughput(**model, model_options, {1, options.prompt, 1});  // touches every page
    const engine::bench::Throughput t = engine::bench::MeasureThroughput(**model, model_options, workload);
    const double of_int8 = t.prefill_tps * cost.layer_operations / limits.int8_ops;
    const double of_memory = t.decode_tps / batch * cost.weight_bytes / limits.memory_bytes;
    std::printf(
        options.json
            ? "{\"batch\": %d, \"prefill_tps\": %.1f, \"decode_tps\": %.1f, \"total_tps\": %.1f, \"ttft_p50_ms\": "
              "%.2f, \"ttft_p99_ms\": %.2f, \"itl_p50_ms\": %.2f, \"itl_p99_ms\": %.2f, \"overhead\": %.4f, "
              "\"int8_share\": %.3f, \"memory_share\": %.3f}\n"
            : "%6d %10.0f %10.0f %10.0f %8.1f %7.1f %8.2f %7.2f %8.1f%% %9.0f%% %9.0f%%\n",
        batch, t.prefill_tps, t.decode_tps, t.total_tps, t.ttft_p50_ms, t.ttft_p99_ms, t.itl_p50_ms, t.itl_p99_ms,
        options.json ? t.overhead : 100 * t.overhead, options.json ? of_int8 : 100 * of_int8,
        options.json ? of_memory : 100 * of_memory);
    std::fflush(stdout);
    const bool last = &batch == &options.batches.back();
    if (last && !options.trace.empty()) return RunTraced(options, **model, model_options, workload);
  }
  return 0;
}

}  // namespace

int main(int argc, char** argv) {
  Options options;
  for (int i = 1; i < argc; ++i) {
    if (!Take(argv[i], options))
      return Fail(std::string("'") + argv[i] + "' is not understood; --help lists the options");
  }
  if (options.help) return std::fputs(kHelp, stdout) < 0;
  if (options.model.empty()) return Fail("--model=FILE is missing; --help lists the options");
  auto opened = tensor::GgufFile::Open(options.model);
  if (!opened.ok()) return Fail(opened.status().ToString());
  const std::shared_ptr<const tensor::GgufFile> file = *std::move(opened);
  return options.perplexity.empty() ? RunThroughput(options, file) : RunPerplexity(options, file);
}
