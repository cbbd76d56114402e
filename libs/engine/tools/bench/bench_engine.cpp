#include "libs/engine/tools/bench/bench_engine.h"

#include <algorithm>
#include <random>
#include <utility>

#include "libs/engine/tools/bench/bench_model.h"

namespace engine::bench {
namespace {

constexpr const char* kWords[] = {"river",  "stone",  "house",  "garden", "winter", "summer", "morning", "bread",
                                  "water",  "light",  "music",  "paper",  "window", "street", "bridge",  "mountain",
                                  "forest", "island", "ocean",  "cloud",  "storm",  "letter", "story",   "friend",
                                  "doctor", "farmer", "market", "city",   "train",  "horse",  "bird",    "tree"};

std::string Words(std::size_t count, std::uint32_t seed) {
  std::mt19937 rng(seed);
  std::string text = "Text " + std::to_string(seed) + ":";
  for (std::size_t i = 0; i < count; ++i) {
    text += ' ';
    text += kWords[rng() % std::size(kWords)];
  }
  return text;
}

}  // namespace

absl::StatusOr<std::unique_ptr<Engine>> MakeBenchEngine(const Options& options, std::int32_t sequences_max,
                                                        std::int32_t tokens) {
  EngineOptions engine;
  engine.model_path = options.model;
  engine.threads = options.threads;
  engine.sequences_max = sequences_max;
  engine.step_tokens_max = std::max(options.step_tokens, sequences_max);
  engine.kv_blocks = tokens / engine.block_size + 2 * sequences_max;  // the last block of each is not full
  engine.activations = options.activations;
  engine.kv = options.kv;
  return MakeEngine(engine);
}

std::string TextOf(const Engine& engine, std::int32_t tokens, std::uint32_t seed) {
  std::size_t fits = 0, too_many = static_cast<std::size_t>(tokens) + 1;  // words; each is one token or more
  while (fits + 1 < too_many) {
    const std::size_t middle = (fits + too_many) / 2;
    (engine.CountTokens(Words(middle, seed)) <= tokens ? fits : too_many) = middle;
  }
  return Words(fits, seed);
}

GenerationRequest Request(std::string text, std::int32_t generate) {
  GenerationRequest request;
  request.tenant = "bench";
  request.messages = {{Role::kUser, std::move(text)}};
  request.tokens_max = generate;
  request.ignore_end_of_turn = true;
  return request;
}

absl::Status Answer::Start(Engine& engine, GenerationRequest request) {
  request.on_token = [this](std::string_view) {
    std::lock_guard lock(mutex_);
    token_times_.push_back(Now());
    changed_.notify_all();
  };
  return engine
      .Submit(std::move(request),
              [this](absl::StatusOr<GenerationResult> result) {
                std::lock_guard lock(mutex_);
                result_ = std::move(result);
                done_ = true;
                changed_.notify_all();
              })
      .status();
}

absl::StatusOr<GenerationResult> Answer::Wait() {
  std::unique_lock lock(mutex_);
  changed_.wait(lock, [this] { return done_; });
  return result_;
}

std::vector<double> Answer::WaitForTokens(std::size_t count) {
  std::unique_lock lock(mutex_);
  changed_.wait(lock, [&] { return done_ || token_times_.size() >= count; });
  return token_times_;
}

absl::StatusOr<Timed> RunAlone(Engine& engine, GenerationRequest request) {
  Answer answer;
  const double began = Now();
  if (absl::Status status = answer.Start(engine, std::move(request)); !status.ok()) return status;
  absl::StatusOr<GenerationResult> result = answer.Wait();
  if (!result.ok()) return result.status();
  return Timed{Now() - began, *std::move(result)};
}

}  // namespace engine::bench
