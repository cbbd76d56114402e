#pragma once

#include <cstdint>
#include <string>

#include "absl/status/statusor.h"
#include "libs/model/decoder_model.h"
#include "libs/tokenizer/tokenizer.h"

namespace engine::bench {

struct Perplexity {
  double perplexity = 0;
  std::int64_t tokens_scored = 0;
  std::int32_t chunks = 0;
  double seconds = 0;
};

inline constexpr std::int32_t kPerplexityContextMin = 3;  // whose last token is the first of the second half's to score

// Perplexity of a text as llama.cpp's tool defines it: the tokens are cut into chunks of `context`, each is run from an
// empty cache, and the tokens of its second half are scored, each with all before it in the chunk:
// exp(mean of -log p(token)). A remainder shorter than a chunk is left out. Where the model's prompts start with BOS,
// so does the text, and BOS takes the place of each later chunk's first token.
// InvalidArgument: fewer tokens than one chunk, or chunks of fewer than kPerplexityContextMin. Prints progress to
// stderr. REQUIRES: the model's blocks hold `context` tokens and its samples_max is at least its rows_max.
absl::StatusOr<Perplexity> MeasurePerplexity(model::DecoderModel& model, const model::DecoderOptions& options,
                                             const tokenizer::Tokenizer& tokenizer, const std::string& text,
                                             std::int32_t context);

}  // namespace engine::bench
