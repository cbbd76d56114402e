// The device's sampler against the host's (libs/sampler), which is the reference.
#include <algorithm>
#include <cmath>
#include <limits>
#include <numeric>

#include "kernels/sampling/sample_variants.h"
#include "libs/sampler/philox.h"
#include "libs/sampler/sampler.h"
#include "tests/kernels/gpu/gpu_test.h"

namespace kernels::gpu {
namespace {

constexpr float kInf = std::numeric_limits<float>::infinity();

struct Kept {
  std::int32_t token;
  float logit;
  double weight;
};

// The sampler's definition in plain words, for the penalised logits and one point of the draw.
std::int32_t PlainPick(const std::vector<float>& logits, const SampleParams& params, double top_p, double min_p,
                       double u) {
  const float best = *std::max_element(logits.begin(), logits.end());
  std::vector<Kept> kept;
  for (std::size_t i = 0; i < logits.size(); ++i) {
    const double weight = std::exp((double{logits[i]} - double{best}) / double{params.temperature});
    if (weight >= 1e-22) kept.push_back({static_cast<std::int32_t>(i), logits[i], weight});
  }
  const auto total = [&] {
    return std::accumulate(kept.begin(), kept.end(), 0.0, [](double sum, const Kept& k) { return sum + k.weight; });
  };
  std::stable_sort(kept.begin(), kept.end(), [](const Kept& a, const Kept& b) { return a.logit > b.logit; });
  if (params.top_k > 0 && kept.size() > static_cast<std::size_t>(params.top_k))
    kept.resize(static_cast<std::size_t>(params.top_k));
  if (params.top_p < 1.0F) {
    const double wanted = top_p * total();
    std::size_t count = 0;
    for (double reached = 0.0; count < kept.size() && (count == 0 || reached < wanted);)
      reached += kept[count++].weight;
    kept.resize(count);
  }
  std::erase_if(kept, [&](const Kept& k) { return k.weight < min_p; });
  std::sort(kept.begin(), kept.end(), [](const Kept& a, const Kept& b) { return a.token < b.token; });
  double left = u * total();
  for (const Kept& k : kept) {
    left -= k.weight;
    if (left < 0.0) return k.token;
  }
  return kept.back().token;
}

// Whether some rounding of at most 1e-6 of the sums leads to the token.
bool IsARounding(const std::vector<float>& logits, const SampleParams& params, double u, std::int32_t token) {
  for (double p : {-1e-6, 0.0, 1e-6}) {
    for (double m : {-1e-6, 0.0, 1e-6}) {
      for (double d : {-1e-6, 0.0, 1e-6}) {
        const double point = std::clamp(u + d, 0.0, 1.0);
        if (PlainPick(logits, params, double{params.top_p} * (1 + p), double{params.min_p} * (1 + m), point) == token) {
          return true;
        }
      }
    }
  }
  return false;
}

class SampleAgainstHostTest : public GpuTest {
 protected:
  template <typename T>
  T OneOf(std::initializer_list<T> values) {
    return values.begin()[rng_() % values.size()];
  }

  SampleParams RandomParams() {
    SampleParams params{};
    params.temperature = OneOf({1e-4F, 0.3F, 0.8F, 1.0F, 1.0F, 2.0F, 10.0F});
    params.top_k = OneOf({0, 0, 0, 1, 2, 10, 50, 300, 5000});
    params.top_p = OneOf({1.0F, 1.0F, 0.95F, 0.9F, 0.5F, 0.1F, 1e-6F, 0.9999F});
    params.min_p = OneOf({0.0F, 0.0F, 0.0F, 0.02F, 0.5F, 0.999F});
    params.repetition_penalty = OneOf({1.0F, 1.0F, 1.3F, 0.7F, 1e-30F, 10.0F});
    params.seed = rng_() * std::uint64_t{0x123456789} + rng_();
    if (rng_() % 16 == 0) params.temperature = 0.0F;
    if (flat_) {
      params.temperature = OneOf({0.8F, 2.0F, 10.0F});
      params.top_k = OneOf({0, 0, 2500});
      params.top_p = OneOf({0.5F, 0.95F, 0.99F, 0.9999F});
      params.min_p = 0.0F;
    }
    return params;
  }

  // Logits of many shapes: flat, peaked, with equals, masked, all alike, dense.
  std::vector<float> RandomLogits(std::int32_t vocabulary) {
    const auto count = static_cast<std::size_t>(vocabulary);
    if (flat_) return Random(count, OneOf({0.1F, 1.0F, 3.0F}));
    std::vector<float> logits = Random(count, OneOf({0.1F, 1.0F, 2.0F, 5.0F}));
    switch (rng_() % 7) {
      case 0:
        for (float& logit : logits) logit = std::nearbyint(logit * 2) / 2;
        break;
      case 1:
        for (float& logit : logits) logit = rng_() % 3 == 0 ? logit : -kInf;
        logits[rng_() % count] = 1.0F;
        break;
      case 2:
        std::fill(logits.begin(), logits.end(), -3.5F);
        break;
      case 3:
        for (float& logit : logits) logit = 7.0F + logit * 1e-6F;
        break;
      case 4:
        for (int i = 0; i < 5; ++i) logits[rng_() % count] += 12.0F;
        break;
      default:
        break;
    }
    return logits;
  }

  // Each row takes `steps` tokens, with its penalty on prompt and answer. Adds to the counts below.
  void Compare(std::int32_t rows, std::int32_t vocabulary, std::int32_t stride, int steps,
               const SampleVariant& variant) {
    const std::size_t words = (static_cast<std::size_t>(vocabulary) + 31) / 32;
    std::vector<SampleParams> params;
    std::vector<sampler::Sampler> hosts;
    std::vector<std::uint32_t> seen(static_cast<std::size_t>(rows) * words, 0);
    std::vector<std::vector<float>> logits;
    for (std::int32_t row = 0; row < rows; ++row) {
      const SampleParams p = params.emplace_back(RandomParams());
      logits.push_back(RandomLogits(vocabulary));
      std::vector<std::int32_t> prompt;
      for (int i = 0; i < 20; ++i)
        prompt.push_back(static_cast<std::int32_t>(rng_() % static_cast<unsigned>(vocabulary)));
      for (std::int32_t token : prompt) {
        seen[static_cast<std::size_t>(row) * words + static_cast<std::size_t>(token) / 32] |= 1U << (token % 32);
      }
      hosts.emplace_back(
          sampler::SamplerOptions{p.temperature, p.top_k, p.top_p, p.min_p, p.repetition_penalty, p.seed}, prompt,
          vocabulary);
    }
    DeviceArray<std::uint32_t> device_seen(seen);
    std::vector<std::uint32_t*> pointers;
    for (std::int32_t row = 0; row < rows; ++row) {
      pointers.push_back(params[static_cast<std::size_t>(row)].repetition_penalty == 1.0F
                             ? nullptr
                             : device_seen.get() + static_cast<std::size_t>(row) * words);
    }
    DeviceArray<std::uint32_t*> device_pointers(pointers);
    DeviceArray<std::int32_t> tokens(static_cast<std::size_t>(rows));
    DeviceArray<std::uint8_t> workspace(
        static_cast<std::size_t>(SampleVariantWorkspaceBytes(rows, vocabulary, variant)));
    ASSERT_LAUNCHED(Fill(workspace.get(), 0, workspace.count(), nullptr));
    sampler::SamplerScratch scratch;
    for (int step = 0; step < steps; ++step) {
      std::vector<float> matrix(static_cast<std::size_t>(rows) * static_cast<std::size_t>(stride), kInf);
      for (std::int32_t row = 0; row < rows; ++row) {
        std::copy(logits[static_cast<std::size_t>(row)].begin(), logits[static_cast<std::size_t>(row)].end(),
                  matrix.begin() + static_cast<std::ptrdiff_t>(row) * stride);
        params[static_cast<std::size_t>(row)].draw = static_cast<std::uint32_t>(step);
      }
      DeviceArray<float> device_logits(matrix);
      DeviceArray<SampleParams> device_params(params);
      const Sample sample{device_logits.get(), rows,    stride,  vocabulary, device_params.get(), device_pointers.get(),
                          tokens.get(),        nullptr, nullptr, 0,          workspace.get()};
      ASSERT_LAUNCHED(RunSampleVariant(sample, variant, nullptr));
      const std::vector<std::int32_t> picks = tokens.Read();
      const std::vector<float> penalised = device_logits.Read();
      for (std::int32_t row = 0; row < rows; ++row) {
        const auto r = static_cast<std::size_t>(row);
        const std::int32_t host = hosts[r].Sample(logits[r], scratch).value_or(-1);
        ++picks_;
        if (picks[r] == host) continue;
        ++differing_;
        const SampleParams& p = params[r];
        SCOPED_TRACE(testing::Message() << "row " << row << " vocabulary " << vocabulary << " temperature "
                                        << p.temperature << " top_k " << p.top_k << " top_p " << p.top_p << " min_p "
                                        << p.min_p << " penalty " << p.repetition_penalty << " step " << step
                                        << " host " << host << " device " << picks[r]);
        ASSERT_GT(p.temperature, 0.0F);
        const auto at = penalised.begin() + static_cast<std::ptrdiff_t>(row) * stride;
        ASSERT_TRUE(IsARounding({at, at + vocabulary}, p, sampler::Uniform(p.seed, p.draw), picks[r]));
        if (p.repetition_penalty != 1.0F) steps = 0;  // what the two have seen differs from here on
      }
    }
  }

  bool flat_ = false;
  int picks_ = 0, differing_ = 0;
};

// Goal: the token is the host's, whatever logits, parameters and draw.
// Method: thousands of random rows; where the two differ, a rounding of 1e-6 of the sums must lead to the device's
// token.
TEST_F(SampleAgainstHostTest, SameTokensAsTheHostButForRounding) {
  for (int round = 0; round < 5; ++round) {
    ASSERT_NO_FATAL_FAILURE(Compare(64, 5, 7, 2, {256, 2}));
    ASSERT_NO_FATAL_FAILURE(Compare(64, 1000, 1000, 1, {256, 8}));
    ASSERT_NO_FATAL_FAILURE(Compare(64, 3001, 3004, 2, {256, 2}));
    ASSERT_NO_FATAL_FAILURE(Compare(16, 9000, 9001, 1, {256, 2, 3}));
    ASSERT_NO_FATAL_FAILURE(Compare(16, 9000, 9000, 2, {256, 4, 2}));
    ASSERT_NO_FATAL_FAILURE(Compare(8, 33000, 33000, 1, {512, 8}));
  }
  EXPECT_GT(picks_, 1500);
  EXPECT_LE(differing_, picks_ / 500);
  RecordProperty("picks", picks_);
  RecordProperty("differing", differing_);
  std::printf("%d of %d picks differ by rounding\n", differing_, picks_);
}

// Goal: the same where the kept tokens are so many that no list holds them.
TEST_F(SampleAgainstHostTest, CutsFarDownFlatDistributions) {
  flat_ = true;
  for (int round = 0; round < 4; ++round) {
    ASSERT_NO_FATAL_FAILURE(Compare(16, 6000, 6000, 1, {256, 2}));
    ASSERT_NO_FATAL_FAILURE(Compare(8, 20003, 20003, 1, {256, 4}));
    ASSERT_NO_FATAL_FAILURE(Compare(8, 40000, 40000, 1, {512, 8}));
  }
  EXPECT_LE(differing_, 2);
  std::printf("%d of %d picks differ by rounding\n", differing_, picks_);
}

// Goal: a cut close to the edge of a bin of weights, where the bins' middles mislead, is still found.
// Method: groups of equals at random depths, and top-p a little above or below the sum of the first of them.
TEST_F(SampleAgainstHostTest, CutsBesideTheEdgesOfGroups) {
  constexpr std::int32_t kVocabulary = 6000, kRows = 48;
  std::vector<float> matrix;
  std::vector<SampleParams> params;
  for (int row = 0; row < kRows; ++row) {
    const float depths[4] = {0.0F, 0.3F + 1e-3F * static_cast<float>(rng_() % 1000),
                             2.0F + 1e-3F * static_cast<float>(rng_() % 2000), 5.0F};
    double mass[4] = {};
    for (std::int32_t i = 0; i < kVocabulary; ++i) {
      const std::size_t group = rng_() % 4;
      matrix.push_back(3.0F - depths[group]);
      mass[group] += std::exp(double{matrix.back()} - 3.0);
    }
    const double edge = (mass[0] + (row % 2 == 0 ? mass[1] : 0.0)) / (mass[0] + mass[1] + mass[2] + mass[3]);
    SampleParams& p = params.emplace_back();
    p = {1.0F, 0, static_cast<float>(edge * (row % 3 == 0 ? 1 - 2e-4 : 1 + 2e-4)), 0.0F, 1.0F, 0, rng_()};
  }
  DeviceArray<float> logits(matrix);
  DeviceArray<SampleParams> device_params(params);
  DeviceArray<std::int32_t> tokens(kRows);
  DeviceArray<std::uint8_t> workspace(static_cast<std::size_t>(SampleWorkspaceBytes(kRows, kVocabulary)));
  ASSERT_LAUNCHED(Fill(workspace.get(), 0, workspace.count(), nullptr));
  ASSERT_LAUNCHED(RunSample({logits.get(), kRows, kVocabulary, kVocabulary, device_params.get(), nullptr, tokens.get(),
                             nullptr, nullptr, 0, workspace.get()},
                            nullptr));
  const std::vector<std::int32_t> picks = tokens.Read();
  for (std::size_t row = 0; row < kRows; ++row) {
    const SampleParams& p = params[row];
    const auto at = matrix.begin() + static_cast<std::ptrdiff_t>(row) * kVocabulary;
    const std::vector<float> of_row(at, at + kVocabulary);
    const double u = sampler::Uniform(p.seed, 0);
    EXPECT_EQ(picks[row], PlainPick(of_row, p, double{p.top_p}, 0.0, u)) << "row " << row;
  }
}

TEST_F(SampleAgainstHostTest, WholeVocabularies) {
  ASSERT_NO_FATAL_FAILURE(Compare(3, 49152, 49152, 1, ChooseSampleVariant(3, 49152)));
  ASSERT_NO_FATAL_FAILURE(Compare(3, 128256, 128256, 1, {256, 8}));
  for (int i = 0; i < 4; ++i) {
    ASSERT_NO_FATAL_FAILURE(Compare(1, 128256, 128256, 1, ChooseSampleVariant(1, 128256)));
  }
  EXPECT_LE(differing_, 1);
}

}  // namespace
}  // namespace kernels::gpu
