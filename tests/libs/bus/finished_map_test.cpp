#include "libs/bus/internal/finished_map.h"

#include <gtest/gtest.h>

#include <cstdint>
#include <limits>
#include <random>
#include <string>
#include <vector>

#include "libs/crypto/base64.h"

namespace bus::internal {
namespace {

constexpr std::size_t kTextBytesMax = 3 * 1024;

std::string Bytes(std::initializer_list<int> bytes) {
  std::string out;
  for (const int byte : bytes) out.push_back(static_cast<char>(byte));
  return out;
}

TEST(FinishedMapTest, NothingFinishedIsEmptyText) {
  EXPECT_EQ(EncodeFinishedMap(7, {}, kTextBytesMax), "");
  EXPECT_EQ(DecodeFinishedMap(7, "", kTextBytesMax), std::vector<FinishedRun>{});
}

TEST(FinishedMapTest, LayoutIsAsDocumented) {
  // Offsets 11 and 13 beyond watermark 10: bits 1 and 3 of one byte beat two pairs of counts.
  EXPECT_EQ(EncodeFinishedMap(10, {{11, 11}, {13, 13}}, kTextBytesMax), crypto::Base64Encode(Bytes({1, 0, 10, 0x0a})));
  // A run of 300 after a gap of 1 takes three bytes as counts: 1, then 300 = 0xac 0x02.
  EXPECT_EQ(EncodeFinishedMap(10, {{11, 310}}, kTextBytesMax), crypto::Base64Encode(Bytes({1, 1, 10, 1, 0xac, 0x02})));
}

TEST(FinishedMapTest, HugeRunsAndOffsetsStaySmall) {
  constexpr std::int64_t kFar = std::int64_t{1} << 60;
  const std::vector<FinishedRun> runs = {{kFar + 1, 2 * kFar}, {3 * kFar, 3 * kFar}};
  const std::string text = EncodeFinishedMap(kFar, runs, kTextBytesMax);
  EXPECT_LT(text.size(), 64u);
  EXPECT_EQ(DecodeFinishedMap(kFar, text, kTextBytesMax), runs);
}

TEST(FinishedMapTest, WorstCaseCoversEighteenThousandOffsets) {
  // Every second offset finished is what neither form compresses; the largest watermark has the longest varint.
  constexpr std::int64_t kWatermark = std::numeric_limits<std::int64_t>::max() - 100'000;
  std::vector<FinishedRun> runs;
  for (std::int64_t i = 1; i < 60'000; i += 2) runs.push_back({kWatermark + i, kWatermark + i});
  const std::string text = EncodeFinishedMap(kWatermark, runs, kTextBytesMax);
  EXPECT_LE(text.size(), kTextBytesMax);
  const auto decoded = DecodeFinishedMap(kWatermark, text, kTextBytesMax);
  ASSERT_TRUE(decoded.has_value());
  ASSERT_FALSE(decoded->empty());
  EXPECT_GE(decoded->back().last - kWatermark, 18'000);
  for (std::size_t i = 0; i < decoded->size(); ++i) ASSERT_EQ((*decoded)[i], runs[i]);
}

TEST(FinishedMapTest, TextOfAnotherWatermarkIsRefused) {
  const std::string text = EncodeFinishedMap(10, {{11, 11}}, kTextBytesMax);
  EXPECT_TRUE(DecodeFinishedMap(10, text, kTextBytesMax).has_value());
  EXPECT_FALSE(DecodeFinishedMap(9, text, kTextBytesMax).has_value());
  EXPECT_FALSE(DecodeFinishedMap(11, text, kTextBytesMax).has_value());
}

TEST(FinishedMapTest, MalformedTextIsRefused) {
  const auto decode = [](const std::string& bytes) {
    return DecodeFinishedMap(10, crypto::Base64Encode(bytes), kTextBytesMax);
  };
  EXPECT_FALSE(DecodeFinishedMap(10, "not base64!", kTextBytesMax).has_value());
  EXPECT_FALSE(DecodeFinishedMap(10, std::string(kTextBytesMax + 4, 'A'), kTextBytesMax).has_value());
  EXPECT_FALSE(decode(Bytes({1, 0})).has_value()) << "no watermark";
  EXPECT_FALSE(decode(Bytes({2, 0, 10, 1})).has_value()) << "unknown version";
  EXPECT_FALSE(decode(Bytes({1, 2, 10, 1})).has_value()) << "unknown form";
  EXPECT_FALSE(decode(Bytes({1, 0, 0x8a})).has_value()) << "cut varint";
  EXPECT_FALSE(decode(Bytes({1, 1, 10, 1})).has_value()) << "gap without a run";
  EXPECT_FALSE(decode(Bytes({1, 1, 10, 1, 0})).has_value()) << "empty run";
  EXPECT_FALSE(decode(Bytes({1, 1, 10}) + std::string(20, '\xff')).has_value()) << "varint without end";
  EXPECT_FALSE(decode(Bytes({1, 1, 10, 1, 0xff, 0xff, 0xff, 0xff, 0xff, 0xff, 0xff, 0xff, 0x7f})).has_value())
      << "run beyond the last offset";
}

// Goal: no text, however broken, crashes or expands; what decodes is a list of disjoint rising runs.
// Method: random bytes and single mutations of good texts.
TEST(FinishedMapTest, RandomTextNeverBreaksTheDecoder) {
  const unsigned seed = std::random_device{}();
  SCOPED_TRACE("seed " + std::to_string(seed));
  std::mt19937 rng(seed);
  for (int round = 0; round < 50'000; ++round) {
    const std::int64_t watermark = round % 3 == 0 ? static_cast<std::int64_t>(rng()) : 10;
    std::string bytes;
    if (round % 2 == 0) {
      bytes = Bytes({1, static_cast<int>(rng() % 2), 10});
      for (auto left = rng() % 40; left > 0; --left) bytes.push_back(static_cast<char>(rng()));
    } else {
      const std::string good = EncodeFinishedMap(10, {{11, 12}, {40, 4000}, {4002, 4002}}, kTextBytesMax);
      bytes = *crypto::Base64Decode(good);
      bytes[rng() % bytes.size()] = static_cast<char>(rng());
      if (rng() % 4 == 0) bytes.resize(rng() % (bytes.size() + 1));
    }
    const auto runs = DecodeFinishedMap(watermark, crypto::Base64Encode(bytes), kTextBytesMax);
    if (!runs) continue;
    std::int64_t next = watermark;
    for (const FinishedRun& run : *runs) {
      ASSERT_LE(next, run.first);
      ASSERT_LE(run.first, run.last);
      ASSERT_LT(run.last, std::numeric_limits<std::int64_t>::max());
      next = run.last + 1;
    }
  }
}

}  // namespace
}  // namespace bus::internal
