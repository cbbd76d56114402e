#include "libs/base/byte_key.h"

#include <gmock/gmock.h>
#include <gtest/gtest.h>

#include <random>
#include <string>

namespace base {
namespace {

using testing::ElementsAre;
using testing::IsEmpty;
using testing::Optional;

TEST(ByteKeyTest, PutsTheLengthBeforeEachPart) {
  EXPECT_EQ(JoinLengthPrefixed({"a", "", "bc"}), std::string("\0\0\0\1a\0\0\0\0\0\0\0\2bc", 15));
  EXPECT_EQ(JoinLengthPrefixed({}), "");
}

TEST(ByteKeyTest, SplitInvertsJoin) {
  EXPECT_THAT(SplitLengthPrefixed(JoinLengthPrefixed({"a", "", "bc"}), 3), Optional(ElementsAre("a", "", "bc")));
  EXPECT_THAT(SplitLengthPrefixed("", 3), Optional(IsEmpty()));
  const std::string long_part(300, 'x');
  EXPECT_THAT(SplitLengthPrefixed(JoinLengthPrefixed({long_part}), 1), Optional(ElementsAre(long_part)));
}

TEST(ByteKeyTest, RefusesMorePartsThanAllowed) {
  EXPECT_EQ(SplitLengthPrefixed(JoinLengthPrefixed({"a", "b"}), 1), std::nullopt);
}

TEST(ByteKeyTest, RefusesTruncatedBytesAndLengthsBeyondTheEnd) {
  const std::string joined = JoinLengthPrefixed({"abc"});
  for (std::size_t size = 1; size < joined.size(); ++size) {
    EXPECT_EQ(SplitLengthPrefixed(joined.substr(0, size), 9), std::nullopt);
  }
  EXPECT_EQ(SplitLengthPrefixed("\xff\xff\xff\xff", 9), std::nullopt);
}

TEST(ByteKeyTest, WhatSplitTakesFromRandomBytesJoinsBackToThem) {
  constexpr unsigned kSeed = 99;
  SCOPED_TRACE(kSeed);
  std::mt19937 rng(kSeed);
  int taken = 0;
  for (int round = 0; round < 20'000; ++round) {
    std::string bytes(rng() % 14, '\0');
    for (char& byte : bytes) byte = static_cast<char>(rng() % 3);
    const auto parts = SplitLengthPrefixed(bytes, 3);
    if (!parts) continue;
    ++taken;
    std::string joined;
    for (const std::string& part : *parts) joined += JoinLengthPrefixed({part});
    ASSERT_EQ(joined, bytes);
  }
  EXPECT_GT(taken, 100);
}

}  // namespace
}  // namespace base
