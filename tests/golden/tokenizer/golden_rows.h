#pragma once

#include <gtest/gtest.h>

#include <cstdint>
#include <fstream>
#include <string>
#include <string_view>
#include <vector>

#include "libs/tokenizer/tokenizer.h"
#include "tests/golden/escaped_text.h"
#include "tests/golden/model_path.h"

namespace tokenizer {

// golden.tsv: the 10,000 texts and what the reference makes of them; generate.py says more.
struct Row {
  std::size_t count = 0;
  std::uint64_t hash = 0;
  std::vector<TokenId> ids;         // empty where the file gives only the hash
  std::uint32_t other_hashes[3]{};  // gpt-2, llama-bpe, qwen2
  std::string text;
};

inline std::vector<Row> ReadRows() {
  const std::string path = golden::SourcePath("tests/golden/tokenizer/golden.tsv");
  std::ifstream file(path, std::ios::binary);
  EXPECT_TRUE(file.is_open()) << path;
  std::vector<Row> rows;
  for (std::string line; std::getline(file, line);) {
    const std::vector<std::string_view> fields = golden::Split(line, '\t');
    EXPECT_EQ(fields.size(), 5u) << line;
    if (fields.size() != 5) break;
    Row& row = rows.emplace_back();
    row.count = golden::Number<std::size_t>(fields[0], 10);
    row.hash = golden::Number<std::uint64_t>(fields[1], 16);
    if (fields[2] != "-") {
      for (const std::string_view id : golden::Split(fields[2], ' '))
        row.ids.push_back(golden::Number<TokenId>(id, 10));
    }
    const std::vector<std::string_view> others = golden::Split(fields[3], ' ');
    for (std::size_t i = 0; i < 3; ++i) row.other_hashes[i] = golden::Number<std::uint32_t>(others.at(i), 16);
    row.text = golden::Unescaped(fields[4]);
  }
  return rows;
}

inline std::uint64_t Fnv1a(const std::vector<TokenId>& ids) {
  std::uint64_t value = 0xCBF29CE484222325;
  for (const TokenId id : ids) {
    for (unsigned shift = 0; shift < 32; shift += 8) {
      value = (value ^ ((static_cast<std::uint32_t>(id) >> shift) & 0xFFU)) * 0x100000001B3;
    }
  }
  return value;
}

inline std::uint32_t Folded(std::uint64_t hash) {
  return static_cast<std::uint32_t>(hash >> 32) ^ static_cast<std::uint32_t>(hash);
}

}  // namespace tokenizer
