#include "libs/bus/record.h"

#include <gtest/gtest.h>

#include <cstdint>
#include <limits>
#include <string>
#include <utility>
#include <vector>

namespace bus {
namespace {

TEST(FindHeaderTest, GivesTheFirstValueOfTheNameOrNothing) {
  const Headers headers = {{"a", "1"}, {"b", ""}, {"a", "2"}};
  EXPECT_EQ(FindHeader(headers, "a"), "1");
  EXPECT_EQ(FindHeader(headers, "b"), "");
  EXPECT_EQ(FindHeader(headers, "A"), "");
  EXPECT_EQ(FindHeader({}, "a"), "");
}

// Goal: producers in any language put a conversation on the same partition.
// Method: murmur2 values published with the Java client's and librdkafka's own tests; with as many partitions as there
// are positive 32-bit numbers the partition is the hash without its sign bit.
TEST(PartitionForTest, IsMurmur2OfTheJavaClient) {
  const std::vector<std::pair<std::string, std::uint32_t>> kVectors = {
      {"kafka", 0xd067cf64},
      {"giberish123456789", 0x8f552b0c},
      {"1234", 0x9fc97b14},
      {"234", 0xe7c009ca},
      {"34", 0x873930da},
      {"4", 0x5a4b5ca1},
      {"PreAmbleWillBeRemoved,ThePrePartThatIs", 0x78424f1c},
      {"reAmbleWillBeRemoved,ThePrePartThatIs", 0x4a62b377},
      {"eAmbleWillBeRemoved,ThePrePartThatIs", 0xe0e4e09e},
      {"AmbleWillBeRemoved,ThePrePartThatIs", 0x62b8b43f},
      {"", 0x106e08d9},
      {"21", static_cast<std::uint32_t>(-973932308)},
      {"foobar", static_cast<std::uint32_t>(-790332482)},
      {"a-little-bit-long-string", static_cast<std::uint32_t>(-985981536)},
      {"lkjh234lh9fiuh90y23oiuhsafujhadof229phr9h19h89h8", static_cast<std::uint32_t>(-58897971)},
      {"abc", 479470107},
  };
  constexpr std::int32_t kPartitions = std::numeric_limits<std::int32_t>::max();
  for (const auto& [key, hash] : kVectors) {
    const auto positive = static_cast<std::int32_t>(hash & 0x7fffffffu);
    EXPECT_EQ(PartitionFor(key, kPartitions), positive % kPartitions) << key;
    EXPECT_EQ(PartitionFor(key, 12), positive % 12) << key;
  }
}

TEST(PartitionForTest, TakesBytesAboveSevenBitsAsUnsigned) {
  // Utils.murmur2 of the bytes ff fe fd fc fb, computed with kafka-clients 4.4.0.
  EXPECT_EQ(PartitionFor("\xff\xfe\xfd\xfc\xfb", std::numeric_limits<std::int32_t>::max()), 524068735);
}

TEST(PartitionForTest, OnePartitionTakesAll) {
  EXPECT_EQ(PartitionFor("kafka", 1), 0);
  EXPECT_EQ(PartitionFor("", 1), 0);
}

}  // namespace
}  // namespace bus
