#include "libs/engine/tools/bench/perplexity.h"

#include <gtest/gtest.h>

#include <cmath>
#include <string>

#include "libs/engine/tools/bench/bench_model.h"
#include "libs/model/chat_codec.h"
#include "tests/libs/engine/temporary_file.h"
#include "tests/libs/engine/tiny_chat_model.h"

namespace engine::bench {
namespace {

// A tiny model of random weights, one token a byte.
TEST(BenchPerplexityTest, ScoresTheTokensOfEachChunksSecondHalfThatHaveOneBeforeThem) {
  const TemporaryFile file(TinyChatModel().Bytes());
  Options options;
  options.model = file.path();
  const auto opened = OpenFile(options);
  ASSERT_TRUE(opened.ok()) << opened.status();
  const auto codec = model::ChatCodec::Load(**opened);
  ASSERT_TRUE(codec.ok()) << codec.status();
  const model::DecoderOptions model_options = ModelOptions(options, /*sequences=*/1, /*tokens=*/64, /*samples_max=*/64);
  const auto model = model::DecoderModel::Load(*opened, model_options);
  ASSERT_TRUE(model.ok()) << model.status();
  const std::string text = "A text of some forty tokens, one a byte.";
  const auto measure = [&](std::int32_t context) {
    return MeasurePerplexity(**model, model_options, (*codec)->tokenizer(), text, context);
  };
  for (const std::int32_t context : {3, 4, 7, 16, 40}) {
    const auto result = measure(context);
    ASSERT_TRUE(result.ok()) << result.status();
    EXPECT_EQ(result->chunks, 40 / context);
    EXPECT_EQ(result->tokens_scored, result->chunks * (context - context / 2 - 1));
    EXPECT_TRUE(std::isfinite(result->perplexity) && result->perplexity > 1) << result->perplexity;
  }
  for (const std::int32_t context : {1, 2, 41}) {
    EXPECT_EQ(measure(context).status().code(), absl::StatusCode::kInvalidArgument) << context;
  }
}

}  // namespace
}  // namespace engine::bench
