#pragma once

#include <condition_variable>
#include <cstdint>
#include <memory>
#include <mutex>
#include <string>
#include <vector>

#include "absl/status/statusor.h"
#include "libs/engine/engine.h"
#include "libs/engine/make_engine.h"
#include "libs/engine/tools/bench/options.h"

namespace engine::bench {

// The whole engine as a worker makes it, but for the pool: blocks for `tokens` tokens in all.
absl::StatusOr<std::unique_ptr<Engine>> MakeBenchEngine(const Options& options, std::int32_t sequences_max,
                                                        std::int32_t tokens);

// A text of at most, and nearly, `tokens` tokens as this engine counts them. Another seed shares no beginning with it.
std::string TextOf(const Engine& engine, std::int32_t tokens, std::uint32_t seed);

// A request that gets exactly `generate` tokens, whatever the model would say.
GenerationRequest Request(std::string text, std::int32_t generate);

// One sequence under way: its result, and when each of its tokens came.
//
// Threading: the engine's thread writes, one other waits; must outlive the sequence.
class Answer {
 public:
  // An error is that of Submit.
  absl::Status Start(Engine& engine, GenerationRequest request);

  absl::StatusOr<GenerationResult> Wait();         // for the end
  std::vector<double> WaitForTokens(std::size_t);  // for so many tokens or the end; when each so far came, in seconds

 private:
  std::mutex mutex_;
  std::condition_variable changed_;
  std::vector<double> token_times_;  // protected by mutex_
  bool done_ = false;                // protected by mutex_
  absl::StatusOr<GenerationResult> result_ = absl::UnavailableError("not yet");
};

// Runs one request on an otherwise idle engine. Seconds from submission to the end.
struct Timed {
  double seconds = 0;
  GenerationResult result;
};
absl::StatusOr<Timed> RunAlone(Engine& engine, GenerationRequest request);

}  // namespace engine::bench
