// gpu_step_bench [--quick] [--device-ordinal=0] [--json=FILE] [--tiny]
// Times whole steps of a model of Llama 3.1 8B's shape with random weights, beside what the card's memory allows.
#include <chrono>
#include <cstdio>
#include <cstdlib>
#include <exception>
#include <fstream>
#include <optional>
#include <stdexcept>
#include <string>
#include <string_view>
#include <vector>

#include "kernels/primitives/gpu/bench.h"
#include "libs/model/gpu/llama_gpu_model.h"

namespace {

using model::LlamaGpuModel;

constexpr const char* kHelp = R"(gpu_step_bench: whole steps of an 8B Llama with random weights on the card

  --quick              fewer steps
  --device-ordinal=N   which card
  --json=FILE          also write the rows as JSON lines, as gpu_bench does
  --tiny               a tiny model, to see that the tool runs; on the emulator too
  --help               this text

decode   one row for each of B sequences near a context of 2,048 tokens, steps one behind the other as the engine runs
         them. ms = wall time of a step; % of limit = reading all weights and all K/V once at the speed of a device
         copy, beside that; gap = time between two steps in which the device did nothing; tokens/s from the wall clock
x=fp8    FP8 weights with FP8 inputs in steps of few rows too, which otherwise keep BF16
part     of a decode step: the launches of one kind alone, in all layers. Their sum is more than the step where kernels
         overlap, or find in the L2 cache what the one before has written
prefill  one sequence of 2,048 tokens in one step
)";

struct Options {
  bool quick = false, tiny = false, help = false, valid = true;
  std::int32_t ordinal = 0;
  std::string json;
};

Options Parse(int argc, char** argv) {
  Options options;
  for (int i = 1; i < argc; ++i) {
    const std::string_view argument = argv[i];
    if (argument == "--quick") {
      options.quick = true;
    } else if (argument == "--tiny") {
      options.tiny = true;
    } else if (argument == "--help") {
      options.help = true;
    } else if (argument.starts_with("--json=")) {
      options.json = argument.substr(7);
    } else if (argument.starts_with("--device-ordinal=")) {
      options.ordinal = std::atoi(argv[i] + std::string_view("--device-ordinal=").size());
    } else {
      std::fprintf(stderr, "gpu_step_bench: unknown option '%s'; --help lists them\n", argv[i]);
      options.valid = false;
    }
  }
  return options;
}

// What is measured: the model's shape and how much of it.
struct Plan {
  model::DecoderConfig config;
  std::int32_t context, prefill_rows, steps;
  std::vector<std::int32_t> batches;
};

Plan PlanOf(const Options& options) {
  if (options.tiny) {
    return {{.layers = 1,
             .width = 128,
             .heads = 2,
             .kv_heads = 1,
             .head_dim = 64,
             .ffn_width = 128,
             .vocabulary = 256,
             .context_tokens = 64,
             .rms_epsilon = 1e-5F},
            /*context=*/64,
            /*prefill_rows=*/32,
            /*steps=*/4,
            {1, 3}};
  }
  return {{.layers = 32,
           .width = 4096,
           .heads = 32,
           .kv_heads = 8,
           .head_dim = 128,
           .ffn_width = 14336,
           .vocabulary = 128256,
           .context_tokens = 2048,
           .rms_epsilon = 1e-5F,
           .rope_freq_base = 500000.0F},
          /*context=*/2048,
          /*prefill_rows=*/2048,
          /*steps=*/options.quick ? 20 : 60,
          {1, 32, 64}};
}

double MatrixValues(const model::DecoderConfig& c) {
  const double layer = static_cast<double>(c.width) * (2.0 * c.q_width() + 2.0 * c.kv_width() + 3.0 * c.ffn_width);
  return layer * c.layers;
}

double Now() { return std::chrono::duration<double>(std::chrono::steady_clock::now().time_since_epoch()).count(); }

// Turns a status that is not OK into what main prints.
void Require(const absl::Status& status) {
  if (!status.ok()) throw std::runtime_error(status.ToString());
}

class StepBench {
 public:
  StepBench(const Plan& plan, LlamaGpuModel& model, kernels::gpu::Bench& bench, std::string formats)
      : plan_(plan), model_(model), bench_(bench), formats_(std::move(formats)) {}

  void Decode(std::int32_t sequences) {
    const Measured step = Measure(sequences);
    const double context = plan_.context - plan_.steps / 2.0;
    const double bytes = static_cast<double>(model_.weight_bytes()) +
                         sequences * context * static_cast<double>(model_.kv_bytes_per_token());
    const std::string shape = ShapeOf(sequences);
    const double gap = std::max(0.0, step.wall - step.device), limit = bytes / bench_.copy_bytes_per_second();
    bench_.Row("decode_step " + formats_, shape, step.wall, bytes, 0);
    bench_.Row("decode_gap " + formats_, shape, gap, 0, 0, "step", step.wall);
    std::printf("    %s %s: %.3f ms, %.0f %% of the limit of %.3f ms; gap between steps %.2f %%; %.0f tokens/s\n",
                formats_.c_str(), shape.c_str(), step.wall * 1e3, 100 * limit / step.wall, limit * 1e3,
                100 * gap / step.wall, sequences / step.wall);
  }

  // Bytes: weights and K/V, which are all that counts.
  void DecodeParts(std::int32_t sequences) {
    const model::DecoderConfig& c = plan_.config;
    const double weight = formats_.starts_with("fp8") ? 1.0 : 2.0, width = c.width;
    const double layer = weight * width * c.layers;
    const double kv =
        sequences * (plan_.context - plan_.steps / 2.0) * static_cast<double>(model_.kv_bytes_per_token());
    const struct {
      const char* name;
      model::StepPart part;
      int launches;
      double bytes;
    } parts[] = {{"embed", model::StepPart::kEmbed, 1, 0},
                 {"norm", model::StepPart::kNorm, 2 * c.layers + 1, 0},
                 {"qkv", model::StepPart::kQkv, c.layers, layer * (c.q_width() + 2 * c.kv_width())},
                 {"rope", model::StepPart::kRope, c.layers, 0},
                 {"attention", model::StepPart::kAttention, c.layers, kv},
                 {"output", model::StepPart::kOutput, c.layers, layer * c.q_width()},
                 {"gate_up", model::StepPart::kGateUp, c.layers, layer * 2 * c.ffn_width},
                 {"silu_gate", model::StepPart::kSiluGate, c.layers, 0},
                 {"down", model::StepPart::kDown, c.layers, layer * c.ffn_width},
                 {"logits", model::StepPart::kLogits, 1, 2 * width * c.vocabulary},
                 {"sample", model::StepPart::kSample, 1, 0}};
    double sum = 0.0;
    for (const auto& part : parts) {
      model_.RunOnlyForBenchmark(part.part);
      const double seconds = Measure(sequences).device;
      sum += seconds;
      bench_.Row("decode_part " + formats_ + " " + part.name,
                 ShapeOf(sequences) + " launches=" + std::to_string(part.launches), seconds, part.bytes, 0);
    }
    model_.RunOnlyForBenchmark(std::nullopt);
    std::printf("    %s %s: parts one by one %.3f ms, together %.3f ms\n", formats_.c_str(), ShapeOf(sequences).c_str(),
                sum * 1e3, Measure(sequences).device * 1e3);
  }

  void Prefill() {
    double best = 1e9;
    for (int i = 0; i < 4; ++i) {
      kvcache::StepBatch batch;
      batch.Clear();
      AddSequence(batch, 0, 0, plan_.prefill_rows, false);
      Start(batch);
      best = std::min(best, End());
    }
    const double flops = 2 * MatrixValues(plan_.config) * plan_.prefill_rows;
    const std::string shape = "rows=" + std::to_string(plan_.prefill_rows);
    bench_.Row("prefill_step " + formats_, shape, best, 0, flops);
    std::printf("    %s %s: %.1f ms, %.0f tokens/s\n", formats_.c_str(), shape.c_str(), best * 1e3,
                plan_.prefill_rows / best);
  }

 private:
  struct Measured {
    double device, wall;  // seconds of a step
  };

  std::string ShapeOf(std::int32_t sequences) const {
    return "B=" + std::to_string(sequences) + " context=" + std::to_string(plan_.context);
  }

  Measured Measure(std::int32_t sequences) {
    constexpr int kWarmUp = 6;  // a shape is captured when it comes the second time, once for each slot
    const std::int32_t first = plan_.context - plan_.steps - kWarmUp;
    for (int step = 0; step < kWarmUp; ++step) {
      Start(DecodeBatch(sequences, first + step, step > 0));
      Require(model_.Collect().status());
    }
    double device = 0.0;
    const double begin = Now();
    for (std::int32_t step = 0; step < plan_.steps; ++step) {
      Start(DecodeBatch(sequences, first + kWarmUp + step, true));
      if (step > 0) device += End();
    }
    device += End();
    return {device / plan_.steps, (Now() - begin) / plan_.steps};
  }

  void AddSequence(kvcache::StepBatch& batch, std::int32_t index, std::int32_t position, std::int32_t rows,
                   bool token_unknown) const {
    const std::int32_t blocks_each = (plan_.context + model_.block_size() - 1) / model_.block_size();
    for (std::int32_t row = 0; row < rows; ++row) {
      batch.token_ids.push_back(token_unknown ? -1 - index : (7 * row + index) % plan_.config.vocabulary);
      batch.positions.push_back(position + row);
    }
    const std::int32_t blocks = (position + rows + model_.block_size() - 1) / model_.block_size();
    for (std::int32_t b = 0; b < blocks; ++b) {
      batch.block_ids.push_back(static_cast<std::uint32_t>(index * blocks_each + b));
    }
    batch.row_begin.push_back(batch.rows());
    batch.block_begin.push_back(static_cast<std::int32_t>(batch.block_ids.size()));
    batch.logit_rows.push_back(batch.rows() - 1);
  }

  kvcache::StepBatch DecodeBatch(std::int32_t sequences, std::int32_t position, bool token_unknown) const {
    kvcache::StepBatch batch;
    batch.Clear();
    for (std::int32_t s = 0; s < sequences; ++s) AddSequence(batch, s, position, 1, token_unknown);
    return batch;
  }

  void Start(const kvcache::StepBatch& batch) {
    const std::vector<model::StepSample> greedy(batch.logit_rows.size());
    Require(model_.Enqueue(batch, greedy));
  }

  double End() {
    Require(model_.Collect().status());
    const absl::StatusOr<double> seconds = model_.StepSeconds();
    Require(seconds.status());
    return *seconds;
  }

  const Plan& plan_;
  LlamaGpuModel& model_;
  kernels::gpu::Bench& bench_;
  const std::string formats_;
};

struct Formats {
  const char* name;
  bool fp8;
  std::int32_t bf16_inputs_rows_max;
};

void RunFormat(const Options& options, const Plan& plan, const Formats& formats, kernels::gpu::Bench& bench) {
  const bool fp8 = formats.fp8;
  model::GpuModelOptions gpu;
  gpu.ordinal = options.ordinal;
  gpu.weights = fp8 ? model::GpuWeightsFormat::kFp8 : model::GpuWeightsFormat::kBf16;
  gpu.kv = fp8 ? model::GpuKvFormat::kFp8 : model::GpuKvFormat::kBf16;
  gpu.samples_max = plan.batches.back();
  gpu.rows_max = std::max(plan.prefill_rows, gpu.samples_max);
  gpu.blocks_total = gpu.samples_max * ((plan.context + gpu.block_size - 1) / gpu.block_size);
  gpu.bf16_inputs_rows_max = formats.bf16_inputs_rows_max;
  gpu.timing = true;
  const double begin = Now();
  auto model = LlamaGpuModel::Random(plan.config, gpu, /*seed=*/1);
  Require(model.status());
  Require((*model)->FillKvForBenchmark());
  std::printf("    %s: ready in %.1f s\n", formats.name, Now() - begin);
  StepBench steps(plan, **model, bench, formats.name);
  for (std::int32_t sequences : plan.batches) steps.Decode(sequences);
  for (std::int32_t sequences : {plan.batches.front(), plan.batches.back()}) steps.DecodeParts(sequences);
  steps.Prefill();
}

int RunAll(const Options& options) {
  const auto device = LlamaGpuModel::FindDevice(options.ordinal);
  Require(device.status());
  if (device->emulated && !options.tiny) {
    std::puts("gpu_step_bench: needs a card, and this build has the emulator: make build CUDA=1, or --tiny");
    return EXIT_SUCCESS;
  }
  Require(model::ToStatus(kernels::gpu::SetDevice(options.ordinal), "choosing the device"));
  const auto stream = model::MakeStream();
  Require(stream.status());
  kernels::gpu::Bench bench(*device, stream->get(), options.quick);
  bench.FreeAll();
  const Plan plan = PlanOf(options);
  const std::int32_t rows_max = model::GpuModelOptions{}.bf16_inputs_rows_max;
  for (const Formats& formats :
       {Formats{"bf16", false, rows_max}, Formats{"fp8", true, rows_max}, Formats{"fp8 x=fp8", true, 0}}) {
    RunFormat(options, plan, formats, bench);
    // After each: what was measured stays when a later one takes the process down.
    if (!options.json.empty() && !(std::ofstream(options.json) << bench.Json())) {
      throw std::runtime_error("can't write " + options.json);
    }
  }
  return EXIT_SUCCESS;
}

}  // namespace

int main(int argc, char** argv) {
  const Options options = Parse(argc, argv);
  if (options.help) return std::fputs(kHelp, stdout), EXIT_SUCCESS;
  if (!options.valid) return EXIT_FAILURE;
  try {
    return RunAll(options);
  } catch (const std::exception& failure) {
    std::fprintf(stderr, "gpu_step_bench: %s\n", failure.what());
    return EXIT_FAILURE;
  }
}
