// The part --context-growth: the gap between two tokens as the context grows, beside the KV bytes that it reads.
//
// All sequences grow together and really prefill what lies between two contexts, because memory that nobody wrote reads
// faster than memory does.
#include <algorithm>
#include <cstdio>

#include "libs/base/check.h"
#include "libs/engine/tools/bench/bench_model.h"
#include "libs/engine/tools/bench/options.h"

namespace engine::bench {
namespace {

constexpr std::int32_t kDecodeSteps = 24;  // measured at each context

// Sequences that lie in the pool one after the other, each in blocks of its own.
class Sequences {
 public:
  Sequences(model::DecoderModel& model, const model::DecoderOptions& options, std::int32_t count)
      : model_(model), options_(options), count_(count), blocks_each_(options.blocks_total / count) {}

  // Brings every sequence to `context` tokens, in steps of as many rows as the options allow.
  void Prefill(std::int32_t context) {
    for (std::int32_t s = 0; s < count_; ++s) {
      for (std::int32_t at = context_; at < context;) {
        const std::int32_t rows = std::min(options_.rows_max, context - at);
        batch_.Clear();
        Add(s, at, rows);
        model_.ForwardStep(batch_);
        at += rows;
      }
    }
    context_ = std::max(context_, context);
  }

  // One more token for each; seconds.
  double Decode() {
    batch_.Clear();
    for (std::int32_t s = 0; s < count_; ++s) Add(s, context_, 1);
    ++context_;
    const double began = Now();
    model_.ForwardStep(batch_);
    return Now() - began;
  }

 private:
  void Add(std::int32_t sequence, std::int32_t position, std::int32_t rows) {
    for (std::int32_t i = 0; i < rows; ++i) {
      batch_.token_ids.push_back((position + i + sequence * 7) % model_.config().vocabulary);
      batch_.positions.push_back(position + i);
    }
    batch_.logit_rows.push_back(batch_.rows() - 1);
    for (std::int32_t block = 0; block * options_.block_size < position + rows; ++block) {
      CHECK(block < blocks_each_);
      batch_.block_ids.push_back(static_cast<std::uint32_t>(sequence * blocks_each_ + block));
    }
    batch_.row_begin.push_back(batch_.rows());
    batch_.block_begin.push_back(static_cast<std::int32_t>(batch_.block_ids.size()));
  }

  model::DecoderModel& model_;
  const model::DecoderOptions options_;
  const std::int32_t count_, blocks_each_;
  std::int32_t context_ = 0;
  kvcache::StepBatch batch_;
};

absl::Status MeasureBatch(const Options& options, const std::shared_ptr<const tensor::GgufFile>& file,
                          std::int32_t batch, const std::vector<std::int32_t>& contexts) {
  const std::int32_t tokens = contexts.back() + kDecodeSteps * static_cast<std::int32_t>(contexts.size());
  const model::DecoderOptions model_options = ModelOptions(options, batch, tokens, batch);
  const auto model = model::DecoderModel::Load(file, model_options);
  if (!model.ok()) return model.status();
  const double bytes_per_token =
      KvPoolBytes((*model)->config(), 1, model_options.block_size, options) / model_options.block_size;
  Sequences sequences(**model, model_options, batch);
  double last_seconds = 0, last_bytes = 0;
  for (const std::int32_t context : contexts) {
    sequences.Prefill(context);
    std::vector<double> gaps;
    for (std::int32_t i = 0; i < kDecodeSteps; ++i) gaps.push_back(sequences.Decode());
    const double seconds = Median(gaps), bytes = bytes_per_token * context * batch;
    // What the bytes since the last context cost: no less a second than before, when time grows no faster than bytes.
    const double added_rate =
        last_bytes > 0 && seconds > last_seconds ? (bytes - last_bytes) / (seconds - last_seconds) : 0;
    std::printf(options.json
                    ? "{\"batch\": %d, \"context\": %d, \"itl_ms\": %.3f, \"kv_mb\": %.2f, \"added_gb_s\": %.2f}\n"
                    : "%6d %8d %10.3f %10.2f %14.2f\n",
                batch, context, 1e3 * seconds, bytes / 1e6, added_rate / 1e9);
    std::fflush(stdout);
    last_seconds = seconds, last_bytes = bytes;
  }
  return absl::OkStatus();
}

}  // namespace

int RunContextGrowth(const Options& options) {
  const auto file = OpenFile(options);
  if (!file.ok()) return Fail(file.status().ToString());
  const auto batches = options.batches.empty() ? std::vector<std::int32_t>{1, 8} : options.batches;
  auto contexts = options.contexts.empty() ? std::vector<std::int32_t>{128, 512, 2048, 8000} : options.contexts;
  std::sort(contexts.begin(), contexts.end());
  if (!options.json) {
    std::printf("%6s %8s %10s %10s %14s\n", "batch", "context", "ITL ms", "KV MB", "added KV GB/s");
  }
  for (const std::int32_t batch : batches) {
    if (absl::Status status = MeasureBatch(options, *file, batch, contexts); !status.ok()) {
      return Fail(status.ToString());
    }
  }
  return 0;
}

}  // namespace engine::bench
