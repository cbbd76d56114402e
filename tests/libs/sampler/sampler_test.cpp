#include "libs/sampler/sampler.h"

#include <gtest/gtest.h>

#include <algorithm>
#include <cmath>
#include <limits>
#include <map>
#include <numeric>
#include <random>

#include "libs/sampler/philox.h"

namespace sampler {
namespace {

using Logits = std::vector<float>;

constexpr float kInf = std::numeric_limits<float>::infinity();

std::int32_t First(const SamplerOptions& options, const Logits& logits, std::vector<std::int32_t> prompt = {}) {
  SamplerScratch scratch;
  Sampler sampler(options, prompt, static_cast<std::int32_t>(logits.size()));
  const auto token = sampler.Sample(logits, scratch);
  EXPECT_TRUE(token.ok()) << token.status();
  return token.value_or(-1);
}

// How often each token comes in 4,000 draws of one sequence, as a share.
std::map<std::int32_t, double> Shares(const SamplerOptions& options, const Logits& logits) {
  constexpr int kDraws = 4000;
  SamplerScratch scratch;
  Sampler sampler(options, {}, static_cast<std::int32_t>(logits.size()));
  std::map<std::int32_t, double> shares;
  for (int i = 0; i < kDraws; ++i) shares[*sampler.Sample(logits, scratch)] += 1.0 / kDraws;
  return shares;
}

Logits LogOf(std::initializer_list<double> probabilities) {
  Logits logits;
  for (double p : probabilities) logits.push_back(static_cast<float>(std::log(p)));
  return logits;
}

// Known answers of the authors' test file (Random123, kat_vectors, philox4x32 with 10 rounds).
TEST(PhiloxTest, KnownAnswers) {
  EXPECT_EQ(Philox4x32(0, 0), (std::array<std::uint32_t, 4>{0x6627e8d5, 0xe169c58d, 0xbc57ac4c, 0x9b00dbd8}));
}

TEST(PhiloxTest, UniformStaysInItsIntervalAndIsEven) {
  double sum = 0.0;
  for (std::uint64_t draw = 0; draw < 10'000; ++draw) {
    const double u = Uniform(/*seed=*/99, draw);
    ASSERT_GE(u, 0.0);
    ASSERT_LT(u, 1.0);
    sum += u;
  }
  EXPECT_NEAR(sum / 10'000, 0.5, 0.01);
}

TEST(SamplerTest, GreedyTakesTheBestAndOfEqualsTheFirst) {
  EXPECT_EQ(First({}, {0.0F, 3.0F, 3.0F, -1.0F}), 1);
  Logits many(1000, -2.0F);
  many[999] = -1.0F;
  EXPECT_EQ(First({}, many), 999);
}

// Few different values over several runs of the scan, so that the best stands in many places.
TEST(SamplerTest, GreedyIsTheFirstMaximumOfAnyVocabulary) {
  std::mt19937 rng(/*seed=*/5);
  for (int round = 0; round < 300; ++round) {
    Logits logits(1 + rng() % 5000);
    const std::uint32_t values = 1 + static_cast<std::uint32_t>(rng() % 3000);
    for (float& logit : logits) logit = static_cast<float>(rng() % values);
    EXPECT_EQ(First({}, logits), std::max_element(logits.begin(), logits.end()) - logits.begin()) << "round " << round;
  }
}

// Goal: top_p keeps the shortest beginning of the sorted tokens that reaches it, though not all of them are sorted.
// Method: random distributions, flat and peaked, over few different logits; what is drawn lies in the plain
// definition's set.
TEST(SamplerTest, TopPDrawsFromTheShortestBeginningThatReachesIt) {
  std::mt19937 rng(/*seed=*/11);
  for (int round = 0; round < 200; ++round) {
    SCOPED_TRACE(testing::Message() << "round " << round);
    Logits logits(2 + rng() % 600);
    const float spread = static_cast<float>(rng() % 12);
    for (float& logit : logits) logit = spread * static_cast<float>(rng() % 64) / 64;
    const float top_p = 0.02F + 0.97F * static_cast<float>(rng() % 100) / 100;
    std::vector<std::size_t> order(logits.size());
    std::iota(order.begin(), order.end(), std::size_t{0});
    std::stable_sort(order.begin(), order.end(), [&](std::size_t a, std::size_t b) { return logits[a] > logits[b]; });
    double total = 0, reached = 0;
    for (float logit : logits) total += std::exp(static_cast<double>(logit));
    std::vector<bool> kept(logits.size());
    // A hair more than top_p, because the two sums are rounded differently.
    for (std::size_t i = 0; i < order.size() && reached < (static_cast<double>(top_p) + 1e-9) * total; ++i) {
      kept[order[i]] = true;
      reached += std::exp(static_cast<double>(logits[order[i]]));
    }
    SamplerScratch scratch;
    Sampler sampler({.temperature = 1.0F, .top_p = top_p, .seed = rng()}, {}, static_cast<std::int32_t>(logits.size()));
    std::vector<int> drawn(logits.size());
    for (int i = 0; i < 50; ++i) ++drawn[static_cast<std::size_t>(*sampler.Sample(logits, scratch))];
    for (std::size_t i = 0; i < drawn.size(); ++i) EXPECT_TRUE(drawn[i] == 0 || kept[i]) << i;
  }
}

TEST(SamplerTest, NotFiniteLogitsAreAnErrorOfThisSequence) {
  SamplerScratch scratch;
  for (float bad : {std::nanf(""), kInf}) {
    for (std::size_t at : {std::size_t{0}, std::size_t{15}, std::size_t{17}}) {
      Logits logits(18, 0.0F);
      logits[at] = bad;
      for (float temperature : {0.0F, 1.0F}) {
        Sampler sampler({.temperature = temperature}, {}, 18);
        EXPECT_EQ(sampler.Sample(logits, scratch).status().code(), absl::StatusCode::kDataLoss) << at;
      }
    }
  }
  Sampler sampler({}, {}, 2);
  EXPECT_EQ(sampler.Sample(Logits{-kInf, -kInf}, scratch).status().code(), absl::StatusCode::kDataLoss);
  EXPECT_EQ(*sampler.Sample(Logits{-kInf, -1.0F}, scratch), 1) << "a masked token is no error";
}

TEST(SamplerTest, SharesFollowTheProbabilities) {
  const auto shares = Shares({.temperature = 1.0F, .seed = 1}, LogOf({0.5, 0.3, 0.2}));
  EXPECT_NEAR(shares.at(0), 0.5, 0.03);
  EXPECT_NEAR(shares.at(1), 0.3, 0.03);
  EXPECT_NEAR(shares.at(2), 0.2, 0.03);
}

TEST(SamplerTest, TemperatureSharpensAndFlattens) {
  EXPECT_NEAR(Shares({.temperature = 0.5F, .seed = 1}, LogOf({0.6, 0.4})).at(0), 0.36 / (0.36 + 0.16), 0.03);
  EXPECT_NEAR(Shares({.temperature = 10.0F, .seed = 1}, LogOf({0.6, 0.4})).at(0), 0.51, 0.03);
  EXPECT_EQ(First({.temperature = std::numeric_limits<float>::denorm_min(), .seed = 1}, {1.0F, 2.0F, 1.5F}), 1);
}

TEST(SamplerTest, TopKKeepsTheBest) {
  const auto shares = Shares({.temperature = 1.0F, .top_k = 2, .seed = 3}, LogOf({0.1, 0.4, 0.2, 0.3}));
  EXPECT_EQ(shares.size(), 2u);
  EXPECT_NEAR(shares.at(1), 0.4 / 0.7, 0.03);
  EXPECT_NEAR(shares.at(3), 0.3 / 0.7, 0.03);
  EXPECT_EQ(Shares({.temperature = 1.0F, .top_k = 1, .seed = 3}, {1.0F, 1.0F}).size(), 1u);
}

TEST(SamplerTest, TopPKeepsTheFewestThatReachIt) {
  EXPECT_EQ(Shares({.temperature = 1.0F, .top_p = 0.65F, .seed = 3}, LogOf({0.1, 0.4, 0.2, 0.3})).size(), 2u);
  EXPECT_EQ(Shares({.temperature = 1.0F, .top_p = 0.75F, .seed = 3}, LogOf({0.1, 0.4, 0.2, 0.3})).size(), 3u);
  EXPECT_EQ(Shares({.temperature = 1.0F, .top_p = 1e-6F, .seed = 3}, LogOf({0.1, 0.4, 0.2, 0.3})).size(), 1u);
}

TEST(SamplerTest, TopPCountsWhatTopKLeft) {
  // 0.4 is 57 % of what top-k left.
  EXPECT_EQ(Shares({.temperature = 1.0F, .top_k = 2, .top_p = 0.5F, .seed = 3}, LogOf({0.1, 0.4, 0.2, 0.3})).size(),
            1u);
}

TEST(SamplerTest, MinPIsRelativeToTheBest) {
  const auto shares = Shares({.temperature = 1.0F, .min_p = 0.5F, .seed = 3}, LogOf({0.15, 0.4, 0.21, 0.24}));
  EXPECT_EQ(shares.size(), 3u);
  EXPECT_EQ(shares.count(0), 0u);
}

TEST(SamplerTest, RepetitionPenaltyCountsPromptAndAnswer) {
  const SamplerOptions options{.repetition_penalty = 2.0F};
  EXPECT_EQ(First(options, {4.0F, 3.0F}, {0}), 1) << "positive logits are divided";
  EXPECT_EQ(First(options, {-2.0F, -3.0F}, {0}), 1) << "negative logits are multiplied";
  EXPECT_EQ(First(options, {4.0F, 1.9F}, {0, 0, 0}), 0) << "once, however often it stands there";
  EXPECT_EQ(First(options, {4.0F, 3.0F}, {-5, 7}), 0) << "ids outside the vocabulary are ignored";
  constexpr float kTiny = std::numeric_limits<float>::denorm_min();
  EXPECT_EQ(First({.repetition_penalty = kTiny}, {-4.0F, 3.0F}, {0, 1}), 1) << "infinite, but no error";
  SamplerScratch scratch;
  Sampler sampler(options, {}, 2);
  EXPECT_EQ(*sampler.Sample(Logits{4.0F, 3.0F}, scratch), 0);
  EXPECT_EQ(*sampler.Sample(Logits{4.0F, 3.0F}, scratch), 1);
}

// Goal: the token is a function of the kept set alone, not of the order in which a cut's algorithm leaves it.
// Method: random logits; the kept tokens are found by plain sorting, and the draw walks them by ascending token id.
TEST(SamplerTest, DrawWalksTheKeptTokensByAscendingId) {
  std::mt19937 rng(/*seed=*/7);
  std::normal_distribution<float> normal(0.0F, 2.0F);
  SamplerScratch scratch;
  for (std::uint64_t seed = 1; seed <= 300; ++seed) {
    Logits logits(200);
    for (float& logit : logits) logit = normal(rng);
    const auto top_k = static_cast<std::int32_t>(rng() % 60);
    const float top_p = seed % 3 == 0 ? 1.0F : 0.3F + 0.002F * static_cast<float>(seed);

    std::vector<std::int32_t> ids(logits.size());
    std::iota(ids.begin(), ids.end(), 0);
    const auto weight = [&](std::int32_t id) { return std::exp(double{logits[static_cast<std::size_t>(id)]}); };
    std::sort(ids.begin(), ids.end(), [&](std::int32_t a, std::int32_t b) { return weight(a) > weight(b); });
    if (top_k > 0) ids.resize(static_cast<std::size_t>(top_k));
    const auto total = [&] {
      return std::accumulate(ids.begin(), ids.end(), 0.0,
                             [&](double sum, std::int32_t id) { return sum + weight(id); });
    };
    if (top_p < 1.0F) {
      const double wanted = double{top_p} * total();
      std::size_t kept = 0;
      for (double reached = 0.0; kept < ids.size() && reached < wanted;) reached += weight(ids[kept++]);
      ids.resize(kept);
    }
    std::sort(ids.begin(), ids.end());
    double left = Uniform(seed, 0) * total();
    std::int32_t expected = ids.back();
    for (std::int32_t id : ids) {
      left -= weight(id);
      if (left < 0.0) {
        expected = id;
        break;
      }
    }
    Sampler sampler({.temperature = 1.0F, .top_k = top_k, .top_p = top_p, .seed = seed}, {}, 200);
    ASSERT_EQ(*sampler.Sample(logits, scratch), expected) << "seed " << seed;
  }
}

TEST(SamplerTest, SameSeedSameTokensWhateverElseIsSampled) {
  const Logits logits = LogOf({0.25, 0.25, 0.25, 0.25});
  SamplerScratch scratch;
  Sampler alone({.temperature = 1.0F, .seed = 5}, {}, 4), in_company({.temperature = 1.0F, .seed = 5}, {}, 4);
  Sampler neighbour({.temperature = 1.0F, .seed = 6}, {}, 4);
  bool neighbour_differs = false;
  for (int i = 0; i < 100; ++i) {
    const std::int32_t token = *alone.Sample(logits, scratch);
    neighbour_differs |= *neighbour.Sample(logits, scratch) != token;
    ASSERT_EQ(*in_company.Sample(logits, scratch), token);
  }
  EXPECT_TRUE(neighbour_differs);
}

}  // namespace
}  // namespace sampler
