#include "libs/config/nearest_name.h"

#include <gtest/gtest.h>

#include <random>
#include <string>

namespace config {
namespace {

TEST(EditDistanceTest, CountsTheFourKindsOfSlips) {
  EXPECT_EQ(EditDistance("", ""), 0u);
  EXPECT_EQ(EditDistance("abc", ""), 3u);
  EXPECT_EQ(EditDistance("broker", "brokers"), 1u);
  EXPECT_EQ(EditDistance("brokers", "broker"), 1u);
  EXPECT_EQ(EditDistance("broker", "brocer"), 1u);
  EXPECT_EQ(EditDistance("broker", "borker"), 1u);  // neighbours swapped
  EXPECT_EQ(EditDistance("kitten", "sitting"), 3u);
}

TEST(EditDistanceTest, IsSymmetricAndObeysItsBounds) {
  constexpr unsigned kSeed = 11;
  SCOPED_TRACE(kSeed);
  std::mt19937 rng(kSeed);
  for (int round = 0; round < 2000; ++round) {
    std::string a(rng() % 6, 'a');
    std::string b(rng() % 6, 'a');
    for (char& c : a) c = static_cast<char>('a' + rng() % 3);
    for (char& c : b) c = static_cast<char>('a' + rng() % 3);
    const std::size_t distance = EditDistance(a, b);
    ASSERT_EQ(distance, EditDistance(b, a));
    ASSERT_LE(distance, std::max(a.size(), b.size()));
    ASSERT_EQ(distance == 0, a == b);
  }
}

TEST(NearestNameTest, NamesWhatWasMostLikelyMeantOrNothing) {
  EXPECT_EQ(NearestName("kafka-broker", {"redis", "kafka-brokers", "kafka-prefix"}), "kafka-brokers");
  EXPECT_EQ(NearestName("prot", {"port", "path"}), "port");
  EXPECT_EQ(NearestName("x", {"kafka-brokers"}), "");
  EXPECT_EQ(NearestName(std::string(100'000, 'a'), {"aa"}), "");
}

}  // namespace
}  // namespace config
