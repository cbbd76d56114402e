// The part --arriving-prompt: what a long prompt costs the chats that are running when it comes, and they it.
//
// A round is the same chats twice, without the prompt and with it; only the gaps between its arrival and its first
// token count, and in the quiet run as many gaps from the same token on, so that both have the same contexts.
#include <algorithm>
#include <cstdio>
#include <deque>

#include "libs/base/clock.h"
#include "libs/engine/tools/bench/bench_engine.h"
#include "libs/engine/tools/bench/bench_model.h"
#include "libs/engine/tools/bench/options.h"

namespace engine::bench {
namespace {

constexpr std::size_t kTokensBefore = 16;  // of every chat, when the prompt comes

struct Shape {
  std::int32_t chats, chat_prompt, chat_tokens, long_prompt;
};

struct Gaps {
  std::vector<double> all;  // seconds
  std::size_t tokens = 0;   // of each chat, between arrival and first token
  double ttft = 0;          // of the long prompt, seconds; 0 in a quiet run
};

absl::StatusOr<Gaps> RunChats(Engine& engine, const Shape& shape, std::uint32_t seed, std::size_t quiet_tokens) {
  std::deque<Answer> chats;
  for (std::int32_t i = 0; i < shape.chats; ++i) {
    const auto chat_seed = seed + 1 + static_cast<std::uint32_t>(i);
    absl::Status status =
        chats.emplace_back().Start(engine, Request(TextOf(engine, shape.chat_prompt, chat_seed), shape.chat_tokens));
    if (!status.ok()) return status;
  }
  for (Answer& chat : chats) chat.WaitForTokens(kTokensBefore);
  Gaps gaps;
  const double arrival = Now();
  double until = 0;
  if (quiet_tokens == 0) {
    const auto arrived = RunAlone(engine, Request(TextOf(engine, shape.long_prompt, seed), 1));
    if (!arrived.ok()) return arrived.status();
    gaps.ttft = base::ToSeconds(arrived->result.ttft);
    until = Now();
  }
  for (Answer& chat : chats) {
    if (const auto result = chat.Wait(); !result.ok()) return result.status();
    const std::vector<double> times = chat.WaitForTokens(0);
    std::size_t counted = 0;
    for (std::size_t i = 1; i < times.size(); ++i) {
      const bool counts =
          quiet_tokens == 0 ? times[i] > arrival && times[i - 1] < until : i >= kTokensBefore && counted < quiet_tokens;
      if (!counts) continue;
      gaps.all.push_back(times[i] - times[i - 1]);
      ++counted;
    }
    gaps.tokens = std::max(gaps.tokens, counted);
  }
  return gaps;
}

}  // namespace

int RunArrivingPrompt(const Options& options) {
  Shape shape{.chats = options.batches.empty() ? 8 : options.batches.front(),
              .chat_prompt = 128,
              .chat_tokens = options.generate > 0 ? options.generate : 256,
              .long_prompt = options.prompt > 0 ? options.prompt : 4000};
  const std::int32_t tokens = shape.chats * (shape.chat_prompt + shape.chat_tokens + 64) + 2 * shape.long_prompt + 256;
  const auto engine = MakeBenchEngine(options, shape.chats + 1, tokens);
  if (!engine.ok()) return Fail(engine.status().ToString());
  std::vector<double> itl_ratio, ttft_ratio, quiet_p99, busy_p99, alone_ttft, busy_ttft;
  const auto fail = [](const absl::Status& status) { return Fail(status.ToString()); };
  for (std::int32_t round = 0; round < options.rounds; ++round) {
    const auto seed = static_cast<std::uint32_t>(round * 1000);
    const auto alone = RunAlone(**engine, Request(TextOf(**engine, shape.long_prompt, seed + 500), 1));
    if (!alone.ok()) return fail(alone.status());
    const auto busy = RunChats(**engine, shape, seed, /*quiet_tokens=*/0);
    if (!busy.ok()) return fail(busy.status());
    const auto quiet = RunChats(**engine, shape, seed + 600, std::max<std::size_t>(busy->tokens, 1));
    if (!quiet.ok()) return fail(quiet.status());
    quiet_p99.push_back(Percentile(quiet->all, 0.99));
    busy_p99.push_back(Percentile(busy->all, 0.99));
    alone_ttft.push_back(base::ToSeconds(alone->result.ttft));
    busy_ttft.push_back(busy->ttft);
    itl_ratio.push_back(busy_p99.back() / quiet_p99.back());
    ttft_ratio.push_back(busy_ttft.back() / alone_ttft.back());
  }
  std::printf(options.json
                  ? "{\"chats\": %d, \"long_prompt\": %d, \"itl_p99_quiet_ms\": %.2f, \"itl_p99_ms\": %.2f, "
                    "\"itl_ratio\": %.3f, \"ttft_alone_ms\": %.1f, \"ttft_ms\": %.1f, \"ttft_ratio\": %.3f}\n"
                  : "%d chats, a prompt of %d tokens arrives: ITL p99 %.1f ms without, %.1f ms with, ratio %.2f; "
                    "its TTFT %.0f ms alone, %.0f ms here, ratio %.2f\n",
              shape.chats, shape.long_prompt, 1e3 * Median(quiet_p99), 1e3 * Median(busy_p99), Median(itl_ratio),
              1e3 * Median(alone_ttft), 1e3 * Median(busy_ttft), Median(ttft_ratio));
  return 0;
}

}  // namespace engine::bench
