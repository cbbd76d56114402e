#pragma once

#include <cstddef>
#include <cstdint>
#include <functional>
#include <memory>
#include <optional>
#include <span>
#include <string>
#include <string_view>
#include <vector>

#include "absl/status/status.h"
#include "absl/status/statusor.h"
#include "libs/engine/engine.h"
#include "libs/kvcache/step_batch.h"

namespace engine {

// One sequence's answer while it grows. Made on the submitting thread, then confined to the loop thread.
class Generation {
 public:
  virtual ~Generation() = default;

  struct Next {
    std::int32_t token = 0;
    std::optional<FinishReason> ended;  // set: the turn is over; `token` belongs to the answer only if `counts`
    bool counts = true;                 // false: an end-of-turn token
  };

  // Picks the token after the sample `sample` of the step ended last and adds its text. An error ends this sequence
  // alone (for example DataLoss: its logits hold a NaN).
  virtual absl::StatusOr<Next> PickToken(std::int32_t sample) = 0;

  // The text so far, valid UTF-8, without what the next tokens may still change.
  virtual std::string_view text() const = 0;
  // All of it. Called once, at the end.
  virtual std::string TakeText() = 0;
};

// What BatchEngine needs from a model, and all in which the real engine and the echo differ.
// Threading: Prepare and the const queries from any thread; steps and every Generation on the loop thread.
class Generator {
 public:
  virtual ~Generator() = default;

  struct Prepared {
    std::vector<std::int32_t> prompt;                      // token ids
    std::vector<std::unique_ptr<Generation>> generations;  // one for each branch
  };

  // Renders and tokenises a request whose fields were checked. Fills `prompt` only as the model sees it; length limits
  // are the caller's.
  virtual absl::StatusOr<Prepared> Prepare(const GenerationRequest& request) const = 0;

  // Starts a step; samples[i] is the generation whose next token batch.logit_rows[i] gives. Where a token of the batch
  // is -1 - i, it is what sample i of the step started before gives. An error fails every sequence in the batch.
  virtual absl::Status StartStep(const kvcache::StepBatch& batch, std::span<Generation* const> samples) = 0;
  // Waits for the oldest step in flight; afterwards PickToken(i) of its samples. An error fails every sequence of it.
  virtual absl::Status EndStep() = 0;
  // Told often by the two above while they work, so that a long step is not taken for one that stands still. Set once,
  // before the first step. A generator whose steps are short need not tell.
  virtual void set_on_progress(std::function<void()> /*on_progress*/) {}
  // How many steps may be started before the first is ended. 1: a step's tokens are known before the next is built.
  virtual std::size_t steps_in_flight_max() const { return 1; }
  // After an error of the two above: nothing will run any more in this process.
  virtual bool device_lost() const { return false; }

  virtual std::int32_t CountTokens(std::string_view text) const = 0;
  virtual std::int32_t vocabulary_size() const = 0;
  virtual std::int32_t context_tokens_max() const = 0;  // of the model alone
  virtual std::int32_t kv_blocks() const { return 0; }  // that there is memory for; 0: as many as the options say
  virtual std::string model_name() const = 0;
  virtual std::string device_name() const = 0;  // where steps run, for the log
};

}  // namespace engine
