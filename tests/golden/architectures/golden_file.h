#pragma once

#include <algorithm>
#include <cmath>
#include <cstdint>
#include <fstream>
#include <string>
#include <vector>

#include "libs/kvcache/step_batch.h"
#include "tests/golden/model_path.h"

namespace model {

struct Golden {
  std::vector<std::int32_t> tokens;
  std::size_t vocabulary = 0;
  std::vector<float> logits;  // [tokens][vocabulary]
};

inline std::string PathOf(const std::string& file) { return golden::SourcePath("tests/golden/architectures/" + file); }

// Reads what make_golden.py wrote (its docstring is the format). An unreadable file gives no tokens.
inline Golden ReadGolden(const std::string& name) {
  std::ifstream file(PathOf(name + ".logits"), std::ios::binary);
  Golden read;
  std::int32_t sizes[2] = {};
  file.read(reinterpret_cast<char*>(sizes), sizeof(sizes));
  if (!file || sizes[0] < 1 || sizes[0] > 4096 || sizes[1] < 1 || sizes[1] > 4096) return {};
  read.vocabulary = static_cast<std::size_t>(sizes[1]);
  read.tokens.resize(static_cast<std::size_t>(sizes[0]));
  read.logits.resize(read.tokens.size() * read.vocabulary);
  file.read(reinterpret_cast<char*>(read.tokens.data()), static_cast<std::streamsize>(read.tokens.size() * 4));
  file.read(reinterpret_cast<char*>(read.logits.data()), static_cast<std::streamsize>(read.logits.size() * 4));
  return file ? read : Golden{};
}

inline constexpr std::int32_t kBlockSize = 16;

// The sequence as steps of `chunk` rows, a logit row for each token: calls run_step(batch, rows) for one after another.
template <typename RunStep>
void ForEachChunk(const std::vector<std::int32_t>& tokens, std::int32_t chunk, const RunStep& run_step) {
  kvcache::StepBatch batch;
  const auto count = static_cast<std::int32_t>(tokens.size());
  for (std::int32_t begin = 0; begin < count; begin += chunk) {
    const std::int32_t end = std::min(begin + chunk, count);
    batch.Clear();
    for (std::int32_t position = begin; position < end; ++position) {
      batch.token_ids.push_back(tokens[static_cast<std::size_t>(position)]);
      batch.positions.push_back(position);
      batch.logit_rows.push_back(position - begin);
    }
    for (std::int32_t block = 0; block * kBlockSize < end; ++block) {
      batch.block_ids.push_back(static_cast<std::uint32_t>(block));
    }
    batch.row_begin.push_back(end - begin);
    batch.block_begin.push_back(static_cast<std::int32_t>(batch.block_ids.size()));
    run_step(batch, end - begin);
  }
}

struct Difference {
  double largest = 0;
  double relative = 0;  // of the whole, root mean square, to the reference's spread
};

inline Difference Compare(const std::vector<float>& actual, const std::vector<float>& expected) {
  Difference difference;
  double squares = 0, reference_squares = 0;
  for (std::size_t i = 0; i < expected.size(); ++i) {
    const double reference = static_cast<double>(expected[i]);
    const double off = std::fabs(static_cast<double>(actual[i]) - reference);
    difference.largest = std::max(difference.largest, std::isnan(off) ? HUGE_VAL : off);
    squares += off * off;
    reference_squares += reference * reference;
  }
  difference.relative = std::sqrt(squares / reference_squares);
  return difference;
}

}  // namespace model
