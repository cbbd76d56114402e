#pragma once

#include <cstdint>
#include <memory>

#include "absl/status/statusor.h"
#include "libs/engine/tools/bench/options.h"
#include "libs/model/decoder_model.h"
#include "libs/tensor/gguf.h"

namespace engine::bench {

// The bare model for the parts that drive it without the engine's thread, with the options that HostBackend gives it.
// samples_max: logit rows of a step.
model::DecoderOptions ModelOptions(const Options& options, std::int32_t sequences, std::int32_t tokens,
                                   std::int32_t samples_max);

// Bytes of a pool in the format of --kv.
double KvPoolBytes(const model::DecoderConfig& config, std::int32_t blocks, std::int32_t block_size,
                   const Options& options);

absl::StatusOr<std::shared_ptr<const tensor::GgufFile>> OpenFile(const Options& options);

double Now();                                                 // seconds, monotonic
double Percentile(std::vector<double> values, double share);  // 0 when there are none
inline double Median(std::vector<double> values) { return Percentile(std::move(values), 0.5); }

}  // namespace engine::bench
