#include "libs/channel/whatsapp/split_blocks.h"

#include <gtest/gtest.h>

#include <random>
#include <string>
#include <vector>

#include "libs/channel/codec.h"

namespace channel::whatsapp {
namespace {

constexpr TextLimit kLimit{LengthUnit::kCodePoints, 300};

std::string Lines(std::string_view line, std::size_t count) {
  std::string text;
  for (std::size_t i = 0; i < count; ++i) text.append(line).append(1, '\n');
  return text;
}

std::vector<std::string> Split(const std::string& text, std::size_t parts_max = kTextPartsMax) {
  return SplitKeepingBlocks(text, kLimit, parts_max);
}

// Marks that WhatsApp shows as the begin or end of a block.
std::size_t Fences(std::string_view text) {
  std::size_t count = 0;
  for (std::size_t at = text.find("```"); at != std::string_view::npos; at = text.find("```", at + 3)) ++count;
  return count;
}

TEST(SplitBlocksTest, ABlockThatIsCutIsClosedAndOpenedAgain) {
  const std::vector<std::string> parts = Split("Look:\n```\n" + Lines("x = 1;", 60) + "```\nDone.");
  ASSERT_EQ(parts.size(), 2u);
  EXPECT_TRUE(parts[0].starts_with("Look:\n```\nx = 1;")) << parts[0];
  EXPECT_TRUE(parts[0].ends_with("x = 1;\n```")) << parts[0];
  EXPECT_TRUE(parts[1].starts_with("```\nx = 1;")) << parts[1];
  EXPECT_TRUE(parts[1].ends_with("x = 1;\n```\nDone.")) << parts[1];
}

TEST(SplitBlocksTest, ACutBesideABlockAddsNoEmptyOne) {
  const std::string words = std::string(280, 'w');
  EXPECT_EQ(Split(words + "\n```\n" + std::string(250, 'c') + "\n```"),
            (std::vector<std::string>{words, "```\n" + std::string(250, 'c') + "\n```"}));
  EXPECT_EQ(Split("```\n" + std::string(284, 'c') + "\n```\n" + std::string(200, 'w')),
            (std::vector<std::string>{"```\n" + std::string(284, 'c') + "\n```", std::string(200, 'w')}));
}

TEST(SplitBlocksTest, TheLastPartIsClosedToo) {
  const std::vector<std::string> parts = Split("```\n" + Lines("x = 1;", 200) + "```", 2);
  ASSERT_EQ(parts.size(), 2u);
  EXPECT_TRUE(parts[1].ends_with("\u2026\n```")) << parts[1];
}

TEST(SplitBlocksTest, WhatFitsStaysAsItIs) {
  const std::string whole_blocks = "```\n" + std::string(280, 'c') + "\n```";
  EXPECT_EQ(Split(whole_blocks), std::vector<std::string>{whole_blocks});
  EXPECT_EQ(Split(whole_blocks + "\n\n" + whole_blocks), (std::vector<std::string>{whole_blocks, whole_blocks}));
  EXPECT_EQ(Split("```\none\n```\ntwo\n```").size(), 1u) << "no cut has halved it";
  EXPECT_EQ(Split("```\none\n```\ntwo\n```")[0], "```\none\n```\ntwo\n```");
}

TEST(SplitBlocksTest, TheWhatsAppCodecKeepsThem) {
  const auto parts = FindCodec(mesh::bus::v1::CHANNEL_WHATSAPP)->Split("```cpp\n" + Lines("int x = 1;", 1000) + "```");
  ASSERT_GE(parts.size(), 3u);
  for (const std::string& part : parts) {
    EXPECT_TRUE(part.starts_with("```\nint x") && part.ends_with("1;\n```")) << part;
    EXPECT_LE(LengthOf(part, LengthUnit::kCodePoints), 4096u);
  }
}

// Goal: whatever stands in and around blocks, every part fits and shows whole blocks, and no word is lost.
// Method: random texts of words and blocks, from a seed.
TEST(SplitBlocksTest, RandomTextsShowWholeBlocksInEveryPart) {
  static constexpr std::string_view kPieces[] = {
      "word ", "word ", "\n", "\n\n", "End. ", "x = 1;\n", "    indented\n", "\u6587\u5b57\u3002"};
  const unsigned seed = std::random_device{}();
  SCOPED_TRACE("seed " + std::to_string(seed));
  std::mt19937 rng(seed);
  const auto words_of = [](const std::vector<std::string>& parts) {
    std::string words;
    for (const std::string& part : parts) {
      for (const char c : part) {
        if (std::string_view(" \n`").find(c) == std::string_view::npos) words += c;
      }
    }
    return words;
  };
  for (int round = 0; round < 2000; ++round) {
    std::string text;
    for (std::size_t block = rng() % 8; block > 0; --block) {
      for (std::size_t n = rng() % 60; n > 0; --n) text += kPieces[rng() % std::size(kPieces)];
      text += text.empty() || text.ends_with('\n') ? "```\n" : "\n```\n";
      if (rng() % 4 == 0) text += std::string(rng() % 700, 'c');
      for (std::size_t n = rng() % 60; n > 0; --n) text += kPieces[rng() % std::size(kPieces)];
      text += text.ends_with('\n') ? "```\n" : "\n```\n";
    }
    const std::size_t parts_max = rng() % 2 == 0 ? kTextPartsMax : 1 + rng() % 3;
    const std::vector<std::string> parts = Split(text, parts_max);
    ASSERT_LE(parts.size(), parts_max);
    for (const std::string& part : parts) {
      ASSERT_FALSE(part.empty()) << text;
      ASSERT_LE(LengthOf(part, kLimit.unit), kLimit.length_max) << text;
      ASSERT_EQ(Fences(part) % 2, 0u) << part;
    }
    const bool is_whole = parts.empty() || parts.back().find("\u2026") == std::string::npos;
    if (is_whole) {
      ASSERT_EQ(words_of(parts), words_of({text}));
    }
  }
}

}  // namespace
}  // namespace channel::whatsapp
