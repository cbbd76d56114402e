#include "libs/engine/tools/bench/perplexity.h"

#include <algorithm>
#include <chrono>
#include <cmath>
#include <cstdio>
#include <fstream>
#include <sstream>
#include <vector>

#include "absl/strings/str_cat.h"
#include "libs/engine/tools/bench/bench_model.h"
#include "libs/engine/tools/bench/options.h"
#include "libs/kvcache/step_batch.h"
#include "libs/model/chat_codec.h"

namespace engine::bench {
namespace {

// -log p(token) under the softmax of the logits.
double NegativeLogProbability(std::span<const float> logits, std::int32_t token) {
  const double best = static_cast<double>(*std::max_element(logits.begin(), logits.end()));
  double total = 0.0;
  for (float logit : logits) total += std::exp(static_cast<double>(logit) - best);
  return best + std::log(total) - static_cast<double>(logits[static_cast<std::size_t>(token)]);
}

// Rows [begin, end) of one chunk, which lies in the blocks 0, 1, ...
kvcache::StepBatch Rows(std::span<const std::int32_t> chunk, std::int32_t begin, std::int32_t end,
                        std::int32_t block_size, std::int32_t scored_from) {
  kvcache::StepBatch batch;
  batch.Clear();
  for (std::int32_t position = begin; position < end; ++position) {
    batch.token_ids.push_back(chunk[static_cast<std::size_t>(position)]);
    batch.positions.push_back(position);
    if (position >= scored_from && position + 1 < static_cast<std::int32_t>(chunk.size())) {
      batch.logit_rows.push_back(position - begin);
    }
  }
  for (std::int32_t block = 0; block * block_size < end; ++block) {
    batch.block_ids.push_back(static_cast<std::uint32_t>(block));
  }
  batch.row_begin.push_back(batch.rows());
  batch.block_begin.push_back(static_cast<std::int32_t>(batch.block_ids.size()));
  return batch;
}

}  // namespace

absl::StatusOr<Perplexity> MeasurePerplexity(model::DecoderModel& model, const model::DecoderOptions& options,
                                             const tokenizer::Tokenizer& tokenizer, const std::string& text,
                                             std::int32_t context) {
  if (context < kPerplexityContextMin) {
    return absl::InvalidArgumentError(absl::StrCat("a chunk of ", context, " tokens has none to score; at least ",
                                                   kPerplexityContextMin, " (--context)"));
  }
  const bool starts_with_bos = tokenizer.add_bos() && tokenizer.bos().has_value();
  std::vector<std::int32_t> tokens;
  if (starts_with_bos) tokens.push_back(*tokenizer.bos());
  tokenizer.EncodeAppend(text, tokens);
  const auto chunk_tokens = static_cast<std::size_t>(context);
  Perplexity result;
  result.chunks = static_cast<std::int32_t>(tokens.size() / chunk_tokens);
  if (result.chunks == 0) {
    return absl::InvalidArgumentError(
        absl::StrCat("the text has ", tokens.size(), " tokens, fewer than one chunk (--context=", context, ")"));
  }
  const auto began = std::chrono::steady_clock::now();
  double sum = 0.0;
  for (std::int32_t c = 0; c < result.chunks; ++c) {
    std::span<std::int32_t> chunk = std::span(tokens).subspan(static_cast<std::size_t>(c) * chunk_tokens, chunk_tokens);
    if (starts_with_bos) chunk[0] = *tokenizer.bos();
    for (std::int32_t begin = 0; begin < context; begin += options.rows_max) {
      const std::int32_t end = std::min(context, begin + options.rows_max);
      const kvcache::StepBatch batch = Rows(chunk, begin, end, options.block_size, context / 2);
      model.ForwardStep(batch);
      for (std::int32_t i = 0; i < batch.samples(); ++i) {
        const std::int32_t position = begin + batch.logit_rows[static_cast<std::size_t>(i)];
        sum += NegativeLogProbability(model.logits(i), chunk[static_cast<std::size_t>(position) + 1]);
        ++result.tokens_scored;
      }
    }
    std::fprintf(stderr, "\rchunk %d of %d, perplexity so far %.3f", c + 1, result.chunks,
                 std::exp(sum / static_cast<double>(result.tokens_scored)));
  }
  std::fprintf(stderr, "\n");
  result.perplexity = std::exp(sum / static_cast<double>(result.tokens_scored));
  result.seconds = std::chrono::duration<double>(std::chrono::steady_clock::now() - began).count();
  return result;
}

int RunPerplexity(const Options& options) {
  std::ifstream in(options.text, std::ios::binary);
  if (!in) return Fail("can't read " + options.text);
  std::stringstream text;
  text << in.rdbuf();
  const auto file = OpenFile(options);
  if (!file.ok()) return Fail(file.status().ToString());
  const auto codec = model::ChatCodec::Load(**file);
  if (!codec.ok()) return Fail(codec.status().ToString());
  const std::int32_t context = options.contexts.empty() ? 512 : options.contexts.front();
  const model::DecoderOptions model_options = ModelOptions(options, 1, context, options.step_tokens);
  const auto model = model::DecoderModel::Load(*file, model_options);
  if (!model.ok()) return Fail(model.status().ToString());
  const auto result = MeasurePerplexity(**model, model_options, (*codec)->tokenizer(), text.str(), context);
  if (!result.ok()) return Fail(result.status().ToString());
  std::printf(
      options.json ? "{\"perplexity\": %.4f, \"tokens\": %lld, \"chunks\": %d, \"context\": %d, \"seconds\": %.1f}\n"
                   : "perplexity %.4f over %lld tokens in %d chunks of %d, %.1f s\n",
      result->perplexity, static_cast<long long>(result->tokens_scored), result->chunks, context, result->seconds);
  return 0;
}

}  // namespace engine::bench
