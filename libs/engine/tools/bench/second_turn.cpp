// The part --second-turn: a conversation's first turn with a long message, then a short second one, whose prompt begins
// with everything that the first left in the cache.
#include <cstdio>

#include "libs/base/clock.h"
#include "libs/engine/tools/bench/bench_engine.h"
#include "libs/engine/tools/bench/bench_model.h"
#include "libs/engine/tools/bench/options.h"

namespace engine::bench {
namespace {

constexpr std::int32_t kAnswerTokens = 64, kQuestionTokens = 16;

struct Turns {
  GenerationResult first, second;
};

absl::StatusOr<Turns> Converse(Engine& engine, std::int32_t history_tokens, std::uint32_t seed) {
  GenerationRequest request = Request(TextOf(engine, history_tokens, seed), kAnswerTokens);
  const auto first = RunAlone(engine, request);
  if (!first.ok()) return first.status();
  request.messages.push_back({Role::kAssistant, first->result.text});
  request.messages.push_back({Role::kUser, TextOf(engine, kQuestionTokens, seed + 1)});
  const auto second = RunAlone(engine, request);
  if (!second.ok()) return second.status();
  return Turns{first->result, second->result};
}

}  // namespace

int RunSecondTurn(const Options& options) {
  const std::int32_t history = options.prompt > 0 ? options.prompt : 1500;
  const auto engine = MakeBenchEngine(options, /*sequences_max=*/8, 4 * history + 2048);
  if (!engine.ok()) return Fail(engine.status().ToString());
  std::vector<double> first, second, ratio;
  Turns turns;
  for (std::int32_t round = 0; round <= options.rounds; ++round) {  // the first one touches every page
    const auto result = Converse(**engine, history, static_cast<std::uint32_t>(2 * round));
    if (!result.ok()) return Fail(result.status().ToString());
    turns = *result;
    if (round == 0) continue;
    first.push_back(base::ToSeconds(turns.first.ttft));
    second.push_back(base::ToSeconds(turns.second.ttft));
    ratio.push_back(second.back() / first.back());
  }
  std::printf(options.json ? "{\"first_turn_tokens\": %d, \"second_turn_tokens\": %d, \"first_ttft_ms\": %.2f, "
                             "\"second_ttft_ms\": %.2f, \"ratio\": %.4f}\n"
                           : "first turn of %d prompt tokens, second of %d: TTFT %.1f ms and %.1f ms, ratio %.3f\n",
              turns.first.prompt_tokens, turns.second.prompt_tokens, 1e3 * Median(first), 1e3 * Median(second),
              Median(ratio));
  return 0;
}

}  // namespace engine::bench
