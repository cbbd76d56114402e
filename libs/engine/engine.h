#pragma once

#include <cstdint>
#include <functional>
#include <memory>
#include <string>
#include <string_view>
#include <vector>

#include "absl/status/status.h"
#include "absl/status/statusor.h"
#include "libs/base/clock.h"
#include "libs/base/strong_id.h"

namespace engine {

using SequenceId = base::StrongId<struct SequenceIdTag, std::uint64_t>;  // unique within one engine's life

enum class Role { kSystem, kUser, kAssistant };

struct Message {
  Role role = Role::kUser;
  std::string content;  // plain text; special tokens inside it are never parsed as control
};

enum class Mode { kInstant, kThinking, kContemplating };

// Every field is checked by Submit; out-of-range values are an InvalidArgument that names the field.
struct SamplingParams {
  float temperature = 0.0F;         // 0: greedy; [0, 10]
  std::int32_t top_k = 0;           // 0: off; [0, vocabulary]
  float top_p = 1.0F;               // (0, 1]
  float min_p = 0.0F;               // [0, 1)
  float repetition_penalty = 1.0F;  // (0, 10]; over prompt and generated tokens, as in CTRL (Keskar et al. 2019)
  std::uint64_t seed = 0;           // same seed, same tokens, whatever else is in the batch
};

// Told the answer so far after each of its tokens, valid UTF-8. Text that may yet become a stop text is held back, so
// two calls may get the same. Threading as ResultCallback; the view is valid during the call.
using TokenCallback = std::function<void(std::string_view text)>;

inline constexpr std::int32_t kBranchesMax = 16;

struct GenerationRequest {
  std::string tenant;             // fairness and prefix-cache key; never shared across tenants
  std::vector<Message> messages;  // rendered by the model's chat template
  std::int32_t tokens_max = 256;  // generated tokens, [1, context]
  SamplingParams sampling;
  std::vector<std::string> stop;  // at most 16 of at most 256 bytes; the stop text itself is not part of the answer
  Mode mode = Mode::kInstant;     // gives the priority: instant before thinking before contemplating
  // [1, kBranchesMax], at most sequences_max: so many answers from one prefill, which run side by side and share its
  // blocks. Branch i samples with seed + i, and says what a request of one branch with that seed would.
  std::int32_t branches = 1;
  // Epoch: none. Once it has passed, the answer ends with what it has (FinishReason::kDeadline), between two steps;
  // with nothing said yet the request fails with DeadlineExceeded.
  base::MonotonicTime deadline{};
  TokenCallback on_token;           // unset: nobody watches the answer grow; of several branches, the first
  bool ignore_end_of_turn = false;  // for measurements: tokens_max tokens, unless one of `stop` is said
};

enum class FinishReason { kEndOfTurn, kStopString, kLength, kDeadline, kCancelled };

struct BranchResult {
  absl::Status status;  // not OK: this branch failed, alone
  std::string text;     // valid UTF-8
  FinishReason finish_reason = FinishReason::kEndOfTurn;
  std::int32_t completion_tokens = 0;
};

// A request with several branches has one result when all have ended, and an error when none of them succeeded.
struct GenerationResult {
  std::string text;  // valid UTF-8; of several branches, the first that did not fail, as finish_reason
  FinishReason finish_reason = FinishReason::kEndOfTurn;
  std::int32_t prompt_tokens = 0;
  std::int32_t cached_tokens = 0;      // of the prompt, found in the prefix cache and not computed
  std::int32_t completion_tokens = 0;  // generated tokens without the one that ended the turn; of all branches
  base::Duration queue_time{};         // submit to first step
  base::Duration ttft{};               // submit to first token
  std::vector<BranchResult> branches;  // with more than one, all of them
};

// Called on the engine thread: must return quickly and must not call back into the engine except Submit and Cancel.
using ResultCallback = std::function<void(absl::StatusOr<GenerationResult>)>;

// Room for more work. The worker admits by this, never by record count.
struct Credit {
  std::int64_t blocks_free = 0;  // KV blocks neither held by a sequence nor promised to a queued one
  std::int64_t blocks_total = 0;
  std::int32_t block_size = 0;      // tokens
  std::int32_t sequences_free = 0;  // submissions still accepted before ResourceExhausted
};

// Snapshot for metrics. Totals count from the engine's start.
struct EngineStats {
  std::int32_t running = 0;      // sequences that hold KV blocks
  std::int32_t queued = 0;       // sequences that wait for their first step
  std::int32_t preempted = 0;    // sequences that lost their blocks and will resume
  std::int64_t blocks_free = 0;  // held by no sequence; some may keep a prefix until they are wanted
  std::int64_t blocks_total = 0;
  std::int64_t prefix_tokens_total = 0;   // prompt tokens found in the prefix cache
  std::int64_t prefill_tokens_total = 0;  // prompt tokens processed, those of resumed sequences again
  std::int64_t decode_tokens_total = 0;   // tokens processed one at a time after the prompt
  std::int64_t steps_total = 0;
  double step_seconds_total = 0;  // time in which a step was running: forward pass and sampling
  std::int64_t preemptions_total = 0;
  std::int64_t swaps_total = 0;             // preempted sequences whose blocks went to the host
  std::int64_t forks_total = 0;             // branches made beside the first
  std::int64_t sequences_done_total = 0;    // callbacks with a result, whatever its finish reason
  std::int64_t sequences_failed_total = 0;  // callbacks with an error
};

// A continuously batched generator behind one interface; MakeEngine (make_engine.h) makes one over a real model or, for
// fault and load tests, one that echoes. It owns one loop thread; a sequence joins the running batch at the next step.
//
// Threading: every method is safe from any thread and none waits for a step.
// Ownership: callbacks may run until the destructor returns, so what they use must outlive the engine. The destructor
//            waits for the step that runs and cancels every sequence (each callback gets kCancelled).
class Engine {
 public:
  virtual ~Engine() = default;

  // `on_done` is called exactly once if and only if this returns OK.
  // InvalidArgument: a bad field (permanent). ResourceExhausted: the queue is full (retryable; see Credit()).
  virtual absl::StatusOr<SequenceId> Submit(GenerationRequest request, ResultCallback on_done) = 0;

  // Stops the sequence between two steps; its callback gets kCancelled with the text so far. Unknown ids are ignored.
  virtual void Cancel(SequenceId id) = 0;

  virtual Credit credit() const = 0;

  // Tokens of `text` as this model counts them, without any template. Never fails; invalid UTF-8 counts as U+FFFD.
  virtual std::int32_t CountTokens(std::string_view text) const = 0;

  virtual std::int32_t context_tokens_max() const = 0;
  virtual std::string model_name() const = 0;
  virtual std::string device_name() const = 0;  // "cpu", or the card with its driver and how its memory is used

  virtual EngineStats stats() const = 0;

  // True while the loop thread makes progress (a step or an idle tick within the last 10 s).
  virtual bool alive() const = 0;
};

}  // namespace engine
