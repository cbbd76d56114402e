#include "libs/engine/tools/bench/bench_model.h"

#include <algorithm>
#include <chrono>

#include "libs/base/check.h"
#include "libs/kvcache/kv_pool.h"

namespace engine::bench {

model::DecoderOptions ModelOptions(const Options& options, std::int32_t sequences, std::int32_t tokens,
                                   std::int32_t samples_max) {
  constexpr std::int32_t kBlock = 16;
  return {.threads = options.threads,
          .blocks_total = sequences * ((tokens + kBlock - 1) / kBlock + 1),
          .block_size = kBlock,
          .rows_max = std::max(options.step_tokens, sequences),
          .samples_max = samples_max,
          .positions_max = tokens + 1,
          .kv_dtype = *model::KvDtypeNamed(options.kv),
          .activations = options.activations == "int8" ? model::Activations::kInt8 : model::Activations::kF32};
}

double KvPoolBytes(const model::DecoderConfig& config, std::int32_t blocks, std::int32_t block_size,
                   const Options& options) {
  const auto pool = kvcache::KvPool::Create({.layers = config.layers,
                                             .blocks_total = blocks,
                                             .kv_heads = config.kv_heads,
                                             .block_size = block_size,
                                             .head_dim = config.head_dim,
                                             .dtype = *model::KvDtypeNamed(options.kv)});
  CHECK(pool.ok());
  return static_cast<double>(pool->bytes());
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
