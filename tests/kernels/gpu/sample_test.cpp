#include <algorithm>
#include <cmath>
#include <limits>
#include <numeric>
#include <optional>

#include "kernels/sampling/sample_variants.h"
#include "tests/kernels/gpu/gpu_test.h"

namespace kernels::gpu {
namespace {

constexpr float kInf = std::numeric_limits<float>::infinity();
constexpr SampleParams kGreedy{0.0F, 0, 1.0F, 0.0F, 1.0F, 0, 0};

SampleParams Drawn(float temperature, std::int32_t top_k = 0, float top_p = 1.0F, float min_p = 0.0F) {
  return {temperature, top_k, top_p, min_p, 1.0F, 0, 17};
}

class SampleTest : public GpuTest {
 protected:
  struct Outcome {
    std::vector<std::int32_t> tokens;
    std::vector<float> logits, logprobs;
    std::vector<std::int32_t> logprob_tokens;
    std::vector<std::uint32_t> seen;
  };
  struct Options {
    std::int32_t stride = 0;  // 0: the vocabulary
    std::optional<SampleVariant> variant = std::nullopt;
    std::int32_t logprobs = -1;            // -1: none
    std::vector<std::uint32_t> seen = {};  // [rows][words]; empty: no row has any
  };

  // One launch over `rows`, each of the same length.
  Outcome Run(const std::vector<std::vector<float>>& rows, const std::vector<SampleParams>& params,
              const Options& options) {
    const auto vocabulary = static_cast<std::int32_t>(rows[0].size());
    const std::int32_t stride = options.stride == 0 ? vocabulary : options.stride;
    const std::size_t words = (rows[0].size() + 31) / 32;
    std::vector<float> matrix(rows.size() * static_cast<std::size_t>(stride), std::nanf(""));
    for (std::size_t row = 0; row < rows.size(); ++row) {
      std::copy(rows[row].begin(), rows[row].end(), matrix.begin() + static_cast<std::ptrdiff_t>(row) * stride);
    }
    const SampleVariant variant =
        options.variant.value_or(ChooseSampleVariant(static_cast<std::int32_t>(rows.size()), vocabulary));
    DeviceArray<float> logits(matrix);
    DeviceArray<SampleParams> device_params(params);
    DeviceArray<std::uint32_t> seen(options.seen);
    std::vector<std::uint32_t*> pointers;
    for (std::size_t row = 0; row < rows.size() && !options.seen.empty(); ++row)
      pointers.push_back(seen.get() + row * words);
    DeviceArray<std::uint32_t*> device_pointers(pointers);
    DeviceArray<std::int32_t> tokens(rows.size());
    DeviceArray<float> logprobs(rows.size() * (1 + kLogprobsMax));
    DeviceArray<std::int32_t> logprob_tokens(rows.size() * kLogprobsMax);
    const auto bytes = static_cast<std::size_t>(
        SampleVariantWorkspaceBytes(static_cast<std::int32_t>(rows.size()), vocabulary, variant));
    DeviceArray<std::uint8_t> workspace(bytes);
    EXPECT_TRUE(Fill(workspace.get(), 0, bytes, nullptr).ok());
    Sample sample{};
    sample.logits = logits.get();
    sample.rows = static_cast<std::int32_t>(rows.size());
    sample.stride = stride;
    sample.vocabulary = vocabulary;
    sample.params = device_params.get();
    sample.seen = options.seen.empty() ? nullptr : device_pointers.get();
    sample.tokens = tokens.get();
    sample.logprobs = options.logprobs >= 0 ? logprobs.get() : nullptr;
    sample.logprob_tokens = options.logprobs > 0 ? logprob_tokens.get() : nullptr;
    sample.logprobs_count = std::max(options.logprobs, 0);
    sample.workspace = workspace.get();
    const LaunchResult result = RunSampleVariant(sample, variant, nullptr);
    EXPECT_TRUE(result.ok()) << result.message();
    return {tokens.Read(), logits.Read(), logprobs.Read(), logprob_tokens.Read(), seen.Read()};
  }
  std::int32_t One(const std::vector<float>& logits, const SampleParams& params) {
    return Run({logits}, {params}, {}).tokens[0];
  }
};

TEST_F(SampleTest, GreedyTakesTheBestAndOfEqualsTheFirst) {
  for (std::int32_t vocabulary : {1, 5, 127, 1024, 1025, 5000}) {
    const auto count = static_cast<std::size_t>(vocabulary);
    std::vector<std::vector<float>> rows;
    std::vector<std::int32_t> expected;
    for (int row = 0; row < 3; ++row) {
      rows.push_back(Random(count, 4.0F));
      const auto best = static_cast<std::int32_t>(rng_() % count);
      for (std::int32_t i = best; i < vocabulary; i += 97) rows.back()[static_cast<std::size_t>(i)] = 30.0F;
      expected.push_back(best);
    }
    rows.push_back(std::vector<float>(count, -2.0F));
    expected.push_back(0);
    for (std::int32_t stride : {vocabulary, vocabulary + 3, (vocabulary + 7) / 4 * 4}) {
      EXPECT_EQ(Run(rows, {kGreedy, kGreedy, kGreedy, kGreedy}, {.stride = stride}).tokens, expected) << vocabulary;
    }
  }
}

TEST_F(SampleTest, NegativeZeroIsZero) { EXPECT_EQ(One({-1.0F, -0.0F, 0.0F}, kGreedy), 1); }

// The last block of a row goes on with what all of them found.
TEST_F(SampleTest, SamePicksUnderEverySchedule) {
  constexpr std::int32_t kVocabulary = 5000;
  const std::vector<std::vector<float>> rows = {Random(kVocabulary, 3.0F), Random(kVocabulary), Random(kVocabulary)};
  std::vector<SampleParams> params = {Drawn(1.0F, 40, 0.9F), Drawn(0.7F, 0, 1.0F, 0.02F), kGreedy};
  params[1].repetition_penalty = 1.3F;
  const std::vector<std::uint32_t> seen(3 * ((kVocabulary + 31) / 32), 0x00F0000FU);
  for (const SampleVariant& variant : {SampleVariant{256, 2, 1}, {256, 4, 2}, {512, 8, 1}}) {
    const Options options{.variant = variant, .logprobs = 5, .seen = seen};
    const Outcome expected = Run(rows, params, options);
    ForEachSchedule([&] {
      const Outcome outcome = Run(rows, params, options);
      EXPECT_EQ(outcome.tokens, expected.tokens);
      EXPECT_EQ(outcome.logits, expected.logits);
      EXPECT_EQ(outcome.seen, expected.seen);
      for (std::size_t row = 0; row < rows.size(); ++row) {
        for (std::size_t i = 0; i < 6; ++i) {
          const std::size_t at = row * (1 + kLogprobsMax) + i;
          EXPECT_EQ(outcome.logprobs[at], expected.logprobs[at]) << "row " << row << ", " << i;
        }
      }
    });
  }
}

TEST_F(SampleTest, NotFiniteLogitsHaveNoToken) {
  for (std::int32_t vocabulary : {9, 2500}) {
    const auto count = static_cast<std::size_t>(vocabulary);
    for (const SampleParams& params : {kGreedy, Drawn(1.0F), Drawn(0.5F, 3, 0.9F)}) {
      std::vector<std::vector<float>> rows;
      for (float bad : {std::nanf(""), -std::nanf(""), kInf}) {
        for (std::size_t at : {std::size_t{0}, count / 2, count - 1}) {
          rows.push_back(Random(count));
          rows.back()[at] = bad;
        }
      }
      rows.push_back(std::vector<float>(count, -kInf));
      rows.push_back(std::vector<float>(count, std::nanf("")));
      rows.push_back(std::vector<float>(count, -kInf));
      rows.back()[count - 2] = -5.0F;
      const std::vector<SampleParams> all(rows.size(), params);
      std::vector<std::int32_t> expected(rows.size(), -1);
      expected.back() = vocabulary - 2;
      const Outcome outcome = Run(rows, all, {.variant = SampleVariant{256, 2}, .logprobs = 2});
      EXPECT_EQ(outcome.tokens, expected) << vocabulary;
      EXPECT_EQ(outcome.logprobs[0], -kInf);
      EXPECT_EQ(outcome.logprob_tokens[0], -1);
    }
  }
}

TEST_F(SampleTest, ExtremesOfEachParameter) {
  std::vector<float> logits = Random(3000, 2.0F);
  logits[1234] = 9.0F;
  EXPECT_EQ(One(logits, Drawn(1e-4F)), 1234);
  EXPECT_EQ(One(logits, Drawn(std::numeric_limits<float>::denorm_min())), 1234);
  EXPECT_EQ(One(logits, Drawn(10.0F, 1)), 1234);
  EXPECT_EQ(One(logits, Drawn(10.0F, 0, 1e-6F)), 1234);
  EXPECT_EQ(One(logits, Drawn(10.0F, 0, 1.0F, 0.999F)), 1234);
  EXPECT_EQ(One(logits, Drawn(1.0F, 1 << 30)), One(logits, Drawn(1.0F)));
  EXPECT_EQ(One(logits, Drawn(1.0F, 3000)), One(logits, Drawn(1.0F)));
  EXPECT_EQ(One({-3e38F, 3e38F, -kInf}, Drawn(10.0F, 0, 0.9F)), 1);
}

// Goal: parameters that no engine lets through end in some token, and nothing is read elsewhere.
TEST_F(SampleTest, SenselessParametersEndInSomeToken) {
  const float nan = std::nanf("");
  const std::vector<float> logits = Random(2500);
  for (const SampleParams& params :
       {Drawn(nan), Drawn(-1.0F), Drawn(kInf), Drawn(1.0F, -5), Drawn(1.0F, 0, nan), Drawn(1.0F, 0, -1.0F),
        Drawn(1.0F, 0, 0.0F), Drawn(1.0F, 4, 5.0F), Drawn(1.0F, 0, 1.0F, nan), Drawn(1.0F, 0, 1.0F, 3.0F),
        Drawn(1.0F, 5, 0.5F, 1.0F)}) {
    const std::int32_t token = One(logits, params);
    EXPECT_GE(token, -1);
    EXPECT_LT(token, 2500);
  }
}

// Goal: every draw is uniform over the kept tokens' weights. Method: 600 rows of one distribution, a seed each.
TEST_F(SampleTest, SharesFollowTheProbabilities) {
  const std::vector<float> logits = {std::log(0.1F), std::log(0.4F), std::log(0.2F), std::log(0.3F)};
  std::vector<SampleParams> params;
  for (std::uint64_t seed = 0; seed < 600; ++seed) params.push_back({1.0F, 3, 1.0F, 0.0F, 1.0F, 3, seed});
  std::vector<double> shares(4, 0.0);
  for (std::int32_t token : Run(std::vector<std::vector<float>>(params.size(), logits), params, {}).tokens) {
    shares[static_cast<std::size_t>(token)] += 1.0 / static_cast<double>(params.size());
  }
  EXPECT_EQ(shares[0], 0.0);
  EXPECT_NEAR(shares[1], 0.4 / 0.9, 0.07);
  EXPECT_NEAR(shares[2], 0.2 / 0.9, 0.07);
  EXPECT_NEAR(shares[3], 0.3 / 0.9, 0.07);
}

// Goal: penalised logits stand in place of the old ones, once for each marked token; the pick is marked.
TEST_F(SampleTest, PenaltyChangesTheMarkedLogitsAndMarksThePick) {
  constexpr std::size_t kVocabulary = 2100, kWords = 66;
  const std::vector<float> logits = Random(kVocabulary, 3.0F);
  std::vector<std::uint32_t> seen(2 * kWords);
  for (std::uint32_t& word : seen) word = static_cast<std::uint32_t>(rng_() & rng_());
  SampleParams params = kGreedy;
  params.repetition_penalty = 1.5F;
  SampleParams none = kGreedy;
  const Outcome outcome =
      Run({logits, logits}, {params, none}, {.stride = 2101, .variant = SampleVariant{256, 2}, .seen = seen});
  std::vector<float> expected = logits;
  for (std::size_t i = 0; i < kVocabulary; ++i) {
    if ((seen[i / 32] >> (i % 32) & 1U) != 0) expected[i] = expected[i] > 0 ? expected[i] / 1.5F : expected[i] * 1.5F;
  }
  EXPECT_EQ(std::vector<float>(outcome.logits.begin(), outcome.logits.begin() + kVocabulary), expected);
  EXPECT_EQ(std::vector<float>(outcome.logits.begin() + 2101, outcome.logits.begin() + 2101 + kVocabulary), logits);
  const auto best_of = [](const std::vector<float>& v) { return std::max_element(v.begin(), v.end()) - v.begin(); };
  EXPECT_EQ(outcome.tokens[0], best_of(expected));
  EXPECT_EQ(outcome.tokens[1], best_of(logits));
  for (std::size_t row = 0; row < 2; ++row) {
    const auto token = static_cast<std::size_t>(outcome.tokens[row]);
    seen[row * kWords + token / 32] |= 1U << (token % 32);
  }
  EXPECT_EQ(outcome.seen, seen);
}

// Goal: the log-probabilities are those of the penalised logits at temperature 1, the best first, of equals the lower
// id, whatever the row's own parameters; the places beyond the count stay as they were.
TEST_F(SampleTest, LogprobsOfThePickAndTheBest) {
  for (std::size_t count : {std::size_t{6}, std::size_t{700}, std::size_t{5000}}) {
    std::vector<std::vector<float>> rows = {Random(count, 2.0F), Random(count, 0.3F), Random(count, 6.0F),
                                            Random(count), std::vector<float>(count, 1.0F)};
    for (float& logit : rows[3]) logit = std::nearbyint(logit);
    for (int wanted : {0, 3, kLogprobsMax}) {
      const Outcome outcome = Run(rows, {kGreedy, Drawn(0.7F), Drawn(2.0F, 4, 0.9F), Drawn(1.0F, 0, 0.5F), Drawn(1.0F)},
                                  {.variant = SampleVariant{256, 2}, .logprobs = wanted});
      for (std::size_t row = 0; row < rows.size(); ++row) {
        const std::vector<float>& logits = rows[row];
        const double best = *std::max_element(logits.begin(), logits.end());
        const double log_total =
            std::log(std::accumulate(logits.begin(), logits.end(), 0.0,
                                     [&](double sum, float logit) { return sum + std::exp(double{logit} - best); }));
        std::vector<std::int32_t> order(count);
        std::iota(order.begin(), order.end(), 0);
        std::stable_sort(order.begin(), order.end(), [&](std::int32_t a, std::int32_t b) {
          return logits[static_cast<std::size_t>(a)] > logits[static_cast<std::size_t>(b)];
        });
        const auto logprob_of = [&](std::int32_t token) {
          return double{logits[static_cast<std::size_t>(token)]} - best - log_total;
        };
        const float* logprobs = &outcome.logprobs[row * (1 + kLogprobsMax)];
        const std::int32_t* tokens = &outcome.logprob_tokens[row * kLogprobsMax];
        EXPECT_NEAR(logprobs[0], logprob_of(outcome.tokens[row]), 1e-5);
        for (int i = 0; i < wanted; ++i) {
          if (static_cast<std::size_t>(i) >= count) {
            EXPECT_EQ(tokens[i], -1);
            EXPECT_EQ(logprobs[1 + i], -kInf);
            continue;
          }
          EXPECT_EQ(tokens[i], order[static_cast<std::size_t>(i)]) << "row " << row << " place " << i;
          EXPECT_NEAR(logprobs[1 + i], logprob_of(order[static_cast<std::size_t>(i)]), 1e-5);
        }
        for (int i = wanted; i < kLogprobsMax; ++i) {
          EXPECT_TRUE(std::isnan(logprobs[1 + i]));
          EXPECT_EQ(tokens[i], -1);  // 0xFF, as before
        }
      }
    }
  }
}

// Goal: the cut into blocks changes nothing, nor does what the workspace held after launches of other sizes.
TEST_F(SampleTest, AnyVariantAndAUsedWorkspaceGiveTheSameTokens) {
  constexpr std::int32_t kRows = 6, kVocabulary = 9001;
  std::vector<float> matrix = Random(std::size_t{kRows} * kVocabulary, 2.0F);
  std::vector<SampleParams> params = {
      kGreedy, Drawn(1.0F), Drawn(0.8F, 50, 0.95F), Drawn(1.0F, 0, 0.9F), Drawn(1.0F, 0, 1.0F, 0.1F), Drawn(3.0F, 700)};
  DeviceArray<float> logits(matrix);
  DeviceArray<SampleParams> device_params(params);
  DeviceArray<std::int32_t> tokens(kRows);
  DeviceArray<std::uint8_t> workspace(
      static_cast<std::size_t>(SampleVariantWorkspaceBytes(kRows, kVocabulary, {256, 2})));
  ASSERT_LAUNCHED(Fill(workspace.get(), 0, workspace.count(), nullptr));
  std::vector<std::int32_t> expected;
  for (const SampleVariant& variant :
       {SampleVariant{256, 2}, SampleVariant{256, 4}, SampleVariant{256, 8}, SampleVariant{512, 8},
        SampleVariant{256, 2, 2}, SampleVariant{256, 2, 4}, SampleVariant{256, 4, 100}}) {
    for (std::int32_t rows : {kRows, 1, kRows}) {
      const Sample sample{logits.get(), rows,    kVocabulary, kVocabulary, device_params.get(), nullptr,
                          tokens.get(), nullptr, nullptr,     0,           workspace.get()};
      ASSERT_LAUNCHED(RunSampleVariant(sample, variant, nullptr));
    }
    if (expected.empty()) expected = tokens.Read();
    EXPECT_EQ(tokens.Read(), expected) << variant.threads << " threads, " << variant.vectors << " vectors, run "
                                       << variant.run;
  }
}

TEST_F(SampleTest, WhatNoKernelCoversIsRefused) {
  DeviceArray<float> logits(100);
  DeviceArray<SampleParams> params(1);
  DeviceArray<std::int32_t> tokens(1);
  DeviceArray<std::uint8_t> workspace(static_cast<std::size_t>(SampleWorkspaceBytes(1, 100)));
  const Sample good{logits.get(), 1,       100,     100, params.get(),   nullptr,
                    tokens.get(), nullptr, nullptr, 0,   workspace.get()};
  const auto changed = [&](auto change) {
    Sample sample = good;
    change(sample);
    return RunSample(sample, nullptr);
  };
  EXPECT_REFUSED(changed([](Sample& s) { s.rows = -1; }));
  EXPECT_REFUSED(changed([](Sample& s) { s.rows = 100'000; }));
  EXPECT_REFUSED(changed([](Sample& s) { s.vocabulary = 0; }));
  EXPECT_REFUSED(changed([](Sample& s) { s.vocabulary = -4; }));
  EXPECT_REFUSED(changed([](Sample& s) { s.stride = 99; }));
  EXPECT_REFUSED(changed([](Sample& s) { s.vocabulary = s.stride = 2'000'000'000; }));
  EXPECT_REFUSED(changed([](Sample& s) { s.logits = nullptr; }));
  EXPECT_REFUSED(changed([](Sample& s) { s.params = nullptr; }));
  EXPECT_REFUSED(changed([](Sample& s) { s.tokens = nullptr; }));
  EXPECT_REFUSED(changed([](Sample& s) { s.workspace = nullptr; }));
  EXPECT_REFUSED(changed([&](Sample& s) { s.workspace = workspace.get() + 8; }));
  EXPECT_REFUSED(changed([](Sample& s) { s.logits = Misaligned(s.logits); }));
  EXPECT_REFUSED(changed([](Sample& s) { s.params = Misaligned(s.params); }));
  EXPECT_REFUSED(changed([](Sample& s) { s.tokens = Misaligned(s.tokens); }));
  DeviceArray<std::uint32_t*> seen(2);
  EXPECT_REFUSED(changed([&](Sample& s) { s.seen = Misaligned(seen.get()); }));
  DeviceArray<float> logprobs(1 + kLogprobsMax);
  EXPECT_REFUSED(changed([&](Sample& s) { s.logprobs = Misaligned(logprobs.get()); }));
  EXPECT_REFUSED(changed([&](Sample& s) { s.logprobs = logprobs.get(), s.logprobs_count = 21; }));
  EXPECT_REFUSED(changed([&](Sample& s) { s.logprobs = logprobs.get(), s.logprobs_count = 1; }));
  EXPECT_REFUSED(RunSampleVariant(good, {256, 3}, nullptr));
  EXPECT_REFUSED(RunSampleVariant(good, {256, 2, 0}, nullptr));
  EXPECT_TRUE(changed([](Sample& s) { s.rows = 0, s.logits = nullptr; }).ok());
}

}  // namespace
}  // namespace kernels::gpu
