#include "libs/channel/whatsapp/split_blocks.h"

#include <gtest/gtest.h>

#include <algorithm>
#include <iterator>
#include <random>
#include <sstream>
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

// All that is shown of `parts` but white space, which may be lost at a cut; that before a line of a block may not.
std::string WordsAndIndentation(const std::vector<std::string>& parts) {
  std::string shown;
  for (const std::string& part : parts) {
    std::istringstream lines(part);
    bool is_in_block = false;
    for (std::string line; std::getline(lines, line);) {
      if (line.starts_with("```")) {
        is_in_block = !is_in_block;
        continue;
      }
      if (is_in_block) shown += line.substr(0, line.find_first_not_of(" \t"));
      std::ranges::copy_if(line, std::back_inserter(shown), [](char c) { return c != ' ' && c != '\t'; });
    }
  }
  return shown;
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

TEST(SplitBlocksTest, TheFirstLineOfAMessageKeepsItsIndentation) {
  const std::string line = "    return [x for x in range(10)]\n";
  for (std::size_t more = 0; more < line.size(); ++more) {  // the cut leaves more and less room in its part
    const std::vector<std::string> parts =
        Split("```\ndef f" + std::string(more, 'f') + "():\n" + Lines(line.substr(0, line.size() - 1), 30) + "```");
    ASSERT_GE(parts.size(), 3u);
    for (std::size_t part = 1; part < parts.size(); ++part) {
      EXPECT_TRUE(parts[part].starts_with("```\n" + line)) << parts[part];
      EXPECT_LE(LengthOf(parts[part], kLimit.unit), kLimit.length_max);
    }
  }
}

TEST(SplitBlocksTest, OnlyALinesIndentationIsPutBack) {
  const std::string line(200, 'c');
  EXPECT_EQ(Split("```\n" + line + "\n\n\t  " + line + "\n```"),
            (std::vector<std::string>{"```\n" + line + "\n```", "```\n\t  " + line + "\n```"}));
  EXPECT_EQ(Split("```\n  " + line + "    " + line + "\n```")[1], "```\n" + line + "\n```") << "in a line";
  EXPECT_EQ(Split("    " + line + "\n    " + line + "\n```\n" + line + "\n" + line + "\n```")[1], line) << "no block";
  EXPECT_EQ(Split("```\n" + line + "\n" + std::string(200, ' ') + line + "\n```")[1], "```\n" + line + "\n```")
      << "what does not fit is left out";
}

// Goal: whatever stands in and around blocks, every part fits and shows whole blocks, and neither a word nor the
// indentation of a line of a block is lost.
// Method: random texts of words and blocks, from a seed.
TEST(SplitBlocksTest, RandomTextsShowWholeBlocksInEveryPart) {
  static constexpr std::string_view kPieces[] = {
      "word ", "word ", "\n", "\n\n", "End. ", "x = 1;\n", "    indented\n", "\t\t    deep\n", "\u6587\u5b57\u3002"};
  const unsigned seed = std::random_device{}();
  SCOPED_TRACE("seed " + std::to_string(seed));
  std::mt19937 rng(seed);
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
      ASSERT_EQ(WordsAndIndentation(parts), WordsAndIndentation({text}));
    }
  }
}

}  // namespace
}  // namespace channel::whatsapp
