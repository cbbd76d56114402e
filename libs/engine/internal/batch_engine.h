#pragma once

#include <atomic>
#include <cstdint>
#include <deque>
#include <functional>
#include <memory>
#include <mutex>
#include <string>
#include <thread>
#include <vector>

#include "absl/container/flat_hash_map.h"
#include "absl/status/statusor.h"
#include "libs/engine/engine.h"
#include "libs/engine/internal/generator.h"
#include "libs/engine/internal/inbox.h"
#include "libs/engine/internal/prefill_pace.h"
#include "libs/engine/make_engine.h"
#include "libs/scheduler/scheduler.h"

namespace engine {

// The engine: one loop thread that takes submissions, asks the scheduler for a step, has the generator run it and picks
// the tokens. Which model answers is the generator's affair.
//
//   Submit (any thread): check -> render and tokenise -> inbox
//   loop thread:         inbox -> scheduler -> StartStep -> EndStep -> PickToken for each sample -> publish ->
//   callbacks
//
// A generator on a device takes a second step before the first has ended, so that the device has work during what this
// thread does: the loop then starts step n + 1 with the tokens of step n unknown, and ends step n. A sequence whose
// answer ends at n has one row too many in n + 1; its pick is dropped.
//
// A request's branches are sequences of their own that end one by one; the callback comes with the last.
//
// A sequence that fails (its logits are not finite, its step could not run) ends alone, with an error to its callback.
class BatchEngine final : public Engine {
 public:
  static absl::StatusOr<std::unique_ptr<Engine>> Create(const EngineOptions& options,
                                                        std::unique_ptr<Generator> generator);
  ~BatchEngine() override;

  absl::StatusOr<SequenceId> Submit(GenerationRequest request, ResultCallback on_done) override;
  void Cancel(SequenceId id) override;
  Credit credit() const override;
  std::int32_t CountTokens(std::string_view text) const override;
  std::int32_t context_tokens_max() const override { return context_tokens_max_; }
  std::string model_name() const override { return generator_->model_name(); }
  std::string device_name() const override { return generator_->device_name(); }
  EngineStats stats() const override;
  bool alive() const override;
  base::MonotonicTime last_tick() const { return base::MonotonicTime{base::Duration(last_tick_ns_.load())}; }

 private:
  struct Request {
    TokenCallback on_token;  // may be unset
    bool at_fault = false;   // a test's fault happens at its first step
    ResultCallback on_done;
    std::int32_t tokens_max = 0;
    std::int32_t branches_left = 0;  // not ended
    base::MonotonicTime submitted{};
    base::MonotonicTime deadline{};  // epoch: none
    base::MonotonicTime first_step{};
    GenerationResult result;  // its branches from the start
  };
  // A branch by the id of its sequence, which is that of its request plus `branch`. The scheduler knows it from the
  // step on that samples the prompt's last row; before, only the first.
  struct Running {
    std::unique_ptr<Generation> generation;
    std::uint64_t request = 0;
    std::size_t branch = 0;
  };
  struct Due {  // a callback to run when the iteration's bookkeeping is published
    ResultCallback on_done;
    absl::StatusOr<GenerationResult> result;
  };
  struct Flight {                                         // a step that was started and not ended
    std::vector<scheduler::SequenceId> samples, members;  // members: with those whose blocks it moves
    std::int32_t prefill_rows = 0, decode_rows = 0;
    base::MonotonicTime began;
  };
  struct Published {
    EngineStats stats;
    std::int64_t blocks_promised = 0;    // to sequences that the scheduler knows
    std::int64_t blocks_in_transit = 0;  // to submissions that it does not know yet
  };

  BatchEngine(const EngineOptions& options, std::unique_ptr<Generator> generator,
              std::unique_ptr<scheduler::Scheduler> scheduler, std::int32_t context_tokens_max);

  // Loop thread.
  void Run();
  void TakeMail(Inbox::Mail mail);
  void ExpireLate();
  void RunStep();
  bool StartStep();
  void EndStep();
  void PickTokens(const std::vector<scheduler::SequenceId>& samples);
  void FailMembers(const std::vector<scheduler::SequenceId>& members, const absl::Status& status);
  void Finish(std::uint64_t id, FinishReason reason);
  void Finish(std::uint64_t id, FinishReason reason, std::string text);
  void Fail(std::uint64_t id, absl::Status status);
  void FailRequest(std::uint64_t request, const absl::Status& status);
  void Cancel(std::uint64_t request);
  void EndAtDeadline(std::uint64_t request);
  void EndBranch(std::uint64_t id);
  BranchResult& ResultOf(const Running& running);
  void PublishAndDeliver();
  void Tick();

  // Constant after construction.
  const std::int32_t block_size_;
  const std::int32_t sequences_max_;
  const std::int32_t context_tokens_max_;
  const std::function<void(const absl::Status&)> on_device_lost_;
  const std::unique_ptr<Generator> generator_;  // const methods from any thread, the rest on the loop thread

  Inbox inbox_;  // has its own synchronisation
  std::atomic<std::uint64_t> next_id_{1};
  std::atomic<std::int64_t> last_tick_ns_;
  mutable std::mutex published_mutex_;
  Published published_;  // protected by published_mutex_

  // Loop thread only.
  std::unique_ptr<scheduler::Scheduler> scheduler_;
  absl::flat_hash_map<std::uint64_t, Request> requests_;   // not ended
  absl::flat_hash_map<std::uint64_t, Running> sequences_;  // their branches that have not ended
  std::deque<Flight> flights_;                             // oldest first; at most the generator's steps_in_flight_max
  base::MonotonicTime last_ended_{};                       // when the last step ended
  PrefillPace pace_;
  std::vector<Generation*> sampling_;  // of the step being started
  std::vector<Due> due_;
  EngineStats totals_;
  std::int64_t blocks_taken_ = 0;  // of submissions taken from the inbox since the last publication

  std::thread thread_;  // last, so that it starts when all else stands
};

}  // namespace engine
