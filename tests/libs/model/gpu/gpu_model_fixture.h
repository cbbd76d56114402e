#pragma once

#include <gtest/gtest.h>

#include <cmath>
#include <cstdint>
#include <memory>
#include <random>
#include <span>
#include <vector>

#include "libs/model/gpu/llama_gpu_model.h"
#include "libs/scheduler/scheduler.h"
#include "tests/libs/model/gpu/gpu_sequence_driver.h"
#include "tests/libs/model/tiny_llama.h"

namespace model {

class GpuModelTest : public testing::Test {
 protected:
  // As small as the kernels take: heads of 64 values, two of which share a key head; a vocabulary that is no multiple
  // of 8.
  static TinyLlama Tiny() {
    return {.width = 128, .heads = 2, .kv_heads = 1, .ffn_width = 96, .vocabulary = 83, .dtype = tensor::DType::kBF16};
  }

  static GpuModelOptions SmallOptions() {
    return {.blocks_total = 24, .block_size = 16, .rows_max = 96, .samples_max = 8, .positions_max = 160};
  }

  static std::unique_ptr<LlamaGpuModel> Load(const TinyLlama& tiny, const GpuModelOptions& options) {
    const auto file = ParseTiny(tiny);
    auto model = LlamaGpuModel::Load(*file, options);
    EXPECT_TRUE(model.ok()) << model.status();
    return model.ok() ? *std::move(model) : nullptr;
  }

  static std::unique_ptr<scheduler::Scheduler> MakeScheduler(std::int32_t blocks, std::int32_t sequences,
                                                             std::int32_t step_tokens) {
    return *scheduler::Scheduler::Create({.blocks_total = blocks,
                                          .block_size = 16,
                                          .sequences_max = sequences,
                                          .queue_max = 100,
                                          .step_tokens_max = step_tokens});
  }

  static std::vector<std::int32_t> RandomTokens(std::mt19937& rng, std::size_t count) {
    std::vector<std::int32_t> tokens(count);
    for (std::int32_t& token : tokens) token = static_cast<std::int32_t>(rng() % 83);
    return tokens;
  }

  // Root mean square of the difference, relative to that of `expected`.
  template <typename Expected>
  static double Deviation(std::span<const float> actual, const Expected& expected) {
    double difference = 0.0, total = 0.0;
    for (std::size_t i = 0; i < actual.size(); ++i) {
      const double e = static_cast<double>(expected[i]), d = static_cast<double>(actual[i]) - e;
      difference += d * d;
      total += e * e;
    }
    return std::sqrt(difference / total);
  }
};

}  // namespace model
