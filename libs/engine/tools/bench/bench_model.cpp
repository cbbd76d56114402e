#include "libs/engine/tools/bench/bench_model.h"

#include <algorithm>
#include <chrono>

namespace engine::bench {

kvcache::KvDtype KvDtypeOf(const Options& options) {
  if (options.kv == "auto") return model::DefaultKvDtype();
  return options.kv == "q8" ? kvcache::KvDtype::kQ8 : kvcache::KvDtype::kF16;
}

model::DecoderOptions ModelOptions(const Options& options, std::int32_t sequences, std::int32_t tokens,
                                   std::int32_t samples_max) {
  constexpr std::int32_t kBlock = 16;
  return {.threads = options.threads,
          .blocks_total = sequences * ((tokens + kBlock - 1) / kBlock + 1),
          .block_size = kBlock,
          .rows_max = std::max(options.step_tokens, sequences),
          .samples_max = samples_max,
          .positions_max = tokens + 1,
          .kv_dtype = KvDtypeOf(options),
          .activations = options.activations == "int8" ? model::Activations::kInt8 : model::Activations::kF32};
}

absl::StatusOr<std::shared_ptr<const tensor::GgufFile>> OpenFile(const Options& options) {
  auto opened = tensor::GgufFile::Open(options.model);
  if (!opened.ok()) return opened.status();
  return std::shared_ptr<const tensor::GgufFile>(*std::move(opened));
}

double Now() { return std::chrono::duration<double>(std::chrono::steady_clock::now().time_since_epoch()).count(); }

double Percentile(std::vector<double> values, double share) {
  if (values.empty()) return 0;
  std::sort(values.begin(), values.end());
  return values[std::min(values.size() - 1, static_cast<std::size_t>(share * static_cast<double>(values.size())))];
}

}  // namespace engine::bench
