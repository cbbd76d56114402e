#include "libs/engine/internal/batch_engine.h"

#include <algorithm>
#include <chrono>
#include <cstring>
#include <utility>

#include "absl/strings/str_cat.h"
#include "libs/base/check.h"
#include "libs/base/clock.h"
#include "libs/crypto/random.h"
#include "libs/engine/internal/request_check.h"
#include "libs/fault/fault.h"
#include "libs/kvcache/block_table.h"

namespace engine {
namespace {

constexpr base::Duration kIdleTick = std::chrono::seconds(1);
constexpr base::Duration kAliveWithin = std::chrono::seconds(10);

base::MonotonicTime Now() { return base::Clock::Real().Now(); }

scheduler::SequenceId SchedulerId(std::uint64_t id) { return scheduler::SequenceId(id); }

// New in each process, so that nobody can prepare prompts whose hashes collide.
kvcache::SipKey RandomKey() {
  kvcache::SipKey key;
  const std::string bytes = crypto::RandomBytes(sizeof(key));
  std::memcpy(&key, bytes.data(), sizeof(key));
  return key;
}

}  // namespace

absl::StatusOr<std::unique_ptr<Engine>> BatchEngine::Create(const EngineOptions& options,
                                                            std::unique_ptr<Generator> generator) {
  const std::int64_t accepted_max = std::int64_t{options.queue_max} + options.sequences_max;
  if (options.queue_max < 0 || accepted_max > (1 << 20)) {
    return absl::InvalidArgumentError(absl::StrCat("queue_max is ", options.queue_max, ", must be in [0, 2^20)"));
  }
  // Whatever Submit accepted must find room in the scheduler's queue, since before their first step all of them wait.
  scheduler::SchedulerOptions scheduling{
      .blocks_total = options.kv_blocks,
      .block_size = options.block_size,
      .sequences_max = options.sequences_max,
      .queue_max = static_cast<std::int32_t>(accepted_max),
      .step_tokens_max = options.step_tokens_max,
      .steps_in_flight_max = static_cast<std::int32_t>(generator->steps_in_flight_max()),
      .prefix_cache = std::nullopt,
      .swap_blocks = std::max(0, options.swap_blocks)};
  if (options.prefix_cache) scheduling.prefix_cache = RandomKey();
  auto scheduler = scheduler::Scheduler::Create(scheduling);
  if (!scheduler.ok()) return scheduler.status();

  const std::int64_t pool_tokens = std::int64_t{options.kv_blocks} * options.block_size;
  const auto context = static_cast<std::int32_t>(std::min<std::int64_t>(pool_tokens, generator->context_tokens_max()));
  // One token would be the prompt's, with no room for an answer.
  if (options.context_tokens_max < 0 || options.context_tokens_max == 1 || options.context_tokens_max > context) {
    return absl::InvalidArgumentError(absl::StrCat(
        "context_tokens_max is ", options.context_tokens_max, ", must be 0 or at least 2, the model takes ",
        generator->context_tokens_max(), " tokens and the KV pool holds ", pool_tokens, " (kv_blocks)"));
  }
  if (context < 2) return absl::InvalidArgumentError("the KV pool holds fewer than 2 tokens; raise kv_blocks");
  return std::unique_ptr<Engine>(
      new BatchEngine(options, std::move(generator), *std::move(scheduler),
                      options.context_tokens_max > 0 ? options.context_tokens_max : context));
}

BatchEngine::BatchEngine(const EngineOptions& options, std::unique_ptr<Generator> generator,
                         std::unique_ptr<scheduler::Scheduler> scheduler, std::int32_t context_tokens_max)
    : block_size_(options.block_size),
      sequences_max_(options.sequences_max),
      context_tokens_max_(context_tokens_max),
      on_device_lost_(options.on_device_lost),
      generator_(std::move(generator)),
      inbox_(static_cast<std::size_t>(options.queue_max) + static_cast<std::size_t>(options.sequences_max)),
      last_tick_ns_(Now().time_since_epoch().count()),
      scheduler_(std::move(scheduler)),
      pace_(options.step_tokens_max) {
  totals_.blocks_total = options.kv_blocks;
  generator_->set_on_progress([this] { Tick(); });
  PublishAndDeliver();
  thread_ = std::thread([this] { Run(); });
}

BatchEngine::~BatchEngine() {
  inbox_.Stop();
  thread_.join();
}

absl::StatusOr<SequenceId> BatchEngine::Submit(GenerationRequest request, ResultCallback on_done) {
  CHECK(on_done != nullptr);
  const base::MonotonicTime submitted = Now();
  const auto queue_full = [] {
    return absl::ResourceExhaustedError("the engine's queue is full; retry when a sequence has ended (queue_max)");
  };
  absl::Status status = CheckRequest(request, generator_->vocabulary_size(), context_tokens_max_);
  if (!status.ok()) return status;
  if (request.branches > sequences_max_) {
    return absl::InvalidArgumentError(absl::StrCat("branches is ", request.branches, ", at most ", sequences_max_,
                                                   " sequences run at once (sequences_max)"));
  }
  if (inbox_.full()) return queue_full();

  absl::StatusOr<Generator::Prepared> prepared = generator_->Prepare(request);
  if (!prepared.ok()) return prepared.status();
  const std::size_t prompt_tokens = prepared->prompt.size();
  if (prompt_tokens == 0) return absl::InvalidArgumentError("messages give a prompt of 0 tokens");
  if (prompt_tokens >= static_cast<std::size_t>(context_tokens_max_)) {
    return absl::InvalidArgumentError(absl::StrCat("the prompt has ", prompt_tokens, " tokens, the context holds ",
                                                   context_tokens_max_, " including the answer"));
  }
  Submission submission;
  submission.id = SequenceId(next_id_.fetch_add(static_cast<std::uint64_t>(request.branches)));
  submission.tenant = std::move(request.tenant);
  submission.prompt = std::move(prepared->prompt);
  submission.tokens_max = std::min(request.tokens_max, context_tokens_max_ - static_cast<std::int32_t>(prompt_tokens));
  // As the scheduler promises them: each branch beyond the first soon needs a block of its own.
  submission.blocks =
      kvcache::BlockTable::BlocksFor(static_cast<std::int32_t>(prompt_tokens), block_size_) + request.branches - 1;
  submission.priority = static_cast<std::int32_t>(request.mode);
  submission.deadline = request.deadline;
  submission.submitted = submitted;
  submission.generations = std::move(prepared->generations);
  submission.at_fault = fault::Concerns("worker_engine_step", request.messages.back().content);
  submission.on_token = std::move(request.on_token);
  submission.on_done = std::move(on_done);

  // The promise is booked first: the loop thread may take the submission before this thread goes on.
  const SequenceId id = submission.id;
  const std::int32_t blocks = submission.blocks;
  const auto book = [&](std::int32_t delta) {
    std::lock_guard lock(published_mutex_);
    published_.blocks_in_transit += delta;
  };
  book(blocks);
  if (inbox_.TrySubmit(std::move(submission))) return id;
  book(-blocks);
  return queue_full();
}

void BatchEngine::Cancel(SequenceId id) { inbox_.Cancel(id); }

Credit BatchEngine::credit() const {
  Credit credit;
  {
    std::lock_guard lock(published_mutex_);
    const EngineStats& stats = published_.stats;
    credit.blocks_free =
        std::max<std::int64_t>(0, stats.blocks_free - published_.blocks_promised - published_.blocks_in_transit);
    credit.blocks_total = stats.blocks_total;
  }
  credit.block_size = block_size_;
  credit.sequences_free = static_cast<std::int32_t>(inbox_.sequences_free());
  return credit;
}

std::int32_t BatchEngine::CountTokens(std::string_view text) const { return generator_->CountTokens(text); }

EngineStats BatchEngine::stats() const {
  std::lock_guard lock(published_mutex_);
  return published_.stats;
}

bool BatchEngine::alive() const { return Now() - last_tick() <= kAliveWithin; }

void BatchEngine::Tick() { last_tick_ns_.store(Now().time_since_epoch().count()); }

void BatchEngine::Run() {
  for (;;) {
    const base::MonotonicTime now = Now();
    Inbox::Mail mail = inbox_.Take(sequences_.empty() && flights_.empty() ? now + kIdleTick : now);
    Tick();
    const bool stop = mail.stop;
    TakeMail(std::move(mail));
    if (stop) break;
    ExpireLate();
    RunStep();
    PublishAndDeliver();
  }
  while (!requests_.empty()) Cancel(requests_.begin()->first);
  while (!flights_.empty()) EndStep();
  PublishAndDeliver();
}

void BatchEngine::TakeMail(Inbox::Mail mail) {
  for (Submission& submission : mail.submissions) {
    const std::uint64_t id = submission.id.value();
    const std::size_t branches = submission.generations.size();
    Request& request = requests_[id];
    request.on_done = std::move(submission.on_done);
    request.on_token = std::move(submission.on_token);
    request.at_fault = submission.at_fault;
    request.tokens_max = submission.tokens_max;
    request.branches_left = static_cast<std::int32_t>(branches);
    request.submitted = submission.submitted;
    request.deadline = submission.deadline;
    request.result.prompt_tokens = static_cast<std::int32_t>(submission.prompt.size());
    request.result.branches.resize(branches);
    for (std::size_t i = 0; i < branches; ++i) sequences_[id + i] = {std::move(submission.generations[i]), id, i};
    blocks_taken_ += submission.blocks;
    absl::Status status = scheduler_->Enqueue({.id = SchedulerId(id),
                                               .tenant = std::move(submission.tenant),
                                               .prompt = std::move(submission.prompt),
                                               .tokens_max = submission.tokens_max,
                                               .deadline = submission.deadline,
                                               .priority = submission.priority,
                                               .branches = static_cast<std::int32_t>(branches)});
    if (!status.ok()) FailRequest(id, status);
  }
  for (SequenceId id : mail.cancellations) {
    if (requests_.contains(id.value())) Cancel(id.value());
  }
}

void BatchEngine::ExpireLate() {
  const base::MonotonicTime now = Now();
  for (scheduler::SequenceId id : scheduler_->TakeExpired(now)) {
    FailRequest(id.value(), absl::DeadlineExceededError("the deadline passed before the first step"));
  }
  std::vector<std::uint64_t> late;
  for (const auto& [id, request] : requests_) {
    if (request.deadline != base::MonotonicTime{} && request.deadline <= now) late.push_back(id);
  }
  for (const std::uint64_t id : late) EndAtDeadline(id);
}

void BatchEngine::RunStep() {
  const bool started = StartStep();
  if (started && flights_.size() < generator_->steps_in_flight_max())
    return;  // room for one more before the first ends
  if (!flights_.empty()) EndStep();
}

// False: there was nothing to start, or it could not be started.
bool BatchEngine::StartStep() {
  scheduler_->SetPrefillRowsMax(pace_.rows_max());
  const scheduler::Step& step = scheduler_->BuildStep();
  if (step.batch.rows() == 0) return false;
  const base::MonotonicTime began = Now();
  for (scheduler::SequenceId id : step.started) {
    Request& request = requests_.at(id.value());
    request.first_step = began;
    if (request.at_fault) fault::Here("worker_engine_step");
    request.result.cached_tokens = scheduler_->CachedTokens(id);
  }
  sampling_.clear();
  for (scheduler::SequenceId id : step.samples) sampling_.push_back(sequences_.at(id.value()).generation.get());

  const absl::Status status = generator_->StartStep(step.batch, sampling_);
  scheduler_->CompleteStep();
  std::vector<scheduler::SequenceId> members = step.members;
  members.insert(members.end(), step.moved.begin(), step.moved.end());
  if (!status.ok()) {
    FailMembers(members, status);
    return false;
  }
  for (std::size_t i = 0; i < step.samples.size(); ++i) {
    scheduler_->ExpectToken(step.samples[i], static_cast<std::int32_t>(i));
  }
  totals_.prefill_tokens_total += step.prefill_tokens;
  totals_.decode_tokens_total += step.decode_tokens;
  ++totals_.steps_total;
  flights_.push_back({step.samples, std::move(members), step.prefill_tokens, step.decode_tokens, began});
  return true;
}

void BatchEngine::EndStep() {
  const absl::Status status = generator_->EndStep();
  const Flight flight = std::move(flights_.front());
  flights_.pop_front();
  if (status.ok()) {
    PickTokens(flight.samples);
  } else {
    FailMembers(flight.members, status);
  }
  const base::MonotonicTime now = Now();
  const double seconds = base::ToSeconds(now - std::max(flight.began, last_ended_));
  totals_.step_seconds_total += seconds;
  pace_.Observe(flight.decode_rows, flight.prefill_rows, seconds);
  last_ended_ = now;
  Tick();
}

void BatchEngine::FailMembers(const std::vector<scheduler::SequenceId>& members, const absl::Status& status) {
  if (generator_->device_lost() && on_device_lost_) on_device_lost_(status);
  for (scheduler::SequenceId id : members) {
    const auto entry = sequences_.find(id.value());
    if (entry == sequences_.end()) continue;
    // Before the prompt's last row was sampled, all branches need what this step computed.
    const std::uint64_t request = entry->second.request;
    if (requests_.at(request).result.ttft == base::Duration{}) {
      FailRequest(request, status);
    } else {
      Fail(id.value(), status);
    }
  }
}

void BatchEngine::PickTokens(const std::vector<scheduler::SequenceId>& samples) {
  for (std::size_t i = 0; i < samples.size(); ++i) {
    const std::uint64_t id = samples[i].value();
    const auto entry = sequences_.find(id);
    if (entry == sequences_.end()) continue;  // ended while this step was on its way
    const Running& running = entry->second;
    Request& request = requests_.at(running.request);
    absl::StatusOr<Generation::Next> next = running.generation->PickToken(static_cast<std::int32_t>(i));
    if (request.result.ttft == base::Duration{}) request.result.ttft = Now() - request.submitted;
    if (!next.ok()) {
      Fail(id, next.status());
      continue;
    }
    BranchResult& result = ResultOf(running);
    if (next->counts) ++result.completion_tokens;
    if (next->counts && request.on_token && running.branch == 0) request.on_token(running.generation->text());
    if (next->ended.has_value()) {
      Finish(id, *next->ended);
    } else if (result.completion_tokens >= request.tokens_max) {
      Finish(id, FinishReason::kLength);
    } else {
      scheduler_->ResolveToken(samples[i], next->token);
    }
  }
}

BranchResult& BatchEngine::ResultOf(const Running& running) {
  return requests_.at(running.request).result.branches[running.branch];
}

void BatchEngine::Finish(std::uint64_t id, FinishReason reason) {
  Finish(id, reason, sequences_.at(id).generation->TakeText());
}

void BatchEngine::Finish(std::uint64_t id, FinishReason reason, std::string text) {
  scheduler_->Remove(SchedulerId(id));
  BranchResult& result = ResultOf(sequences_.at(id));
  result.text = std::move(text);
  result.finish_reason = reason;
  EndBranch(id);
}

// What a failed sequence computed is not to be found by others.
void BatchEngine::Fail(std::uint64_t id, absl::Status status) {
  scheduler_->Discard(SchedulerId(id));  // already gone when it expired
  ResultOf(sequences_.at(id)).status = std::move(status);
  EndBranch(id);
}

void BatchEngine::FailRequest(std::uint64_t request, const absl::Status& status) {
  const std::size_t branches = requests_.at(request).result.branches.size();
  for (std::uint64_t id = request; id < request + branches; ++id) {
    if (sequences_.contains(id)) Fail(id, status);
  }
}

void BatchEngine::Cancel(std::uint64_t request) {
  const std::size_t branches = requests_.at(request).result.branches.size();
  for (std::uint64_t id = request; id < request + branches; ++id) {
    if (sequences_.contains(id)) Finish(id, FinishReason::kCancelled);
  }
}

// What was said so far is worth more to its reader than none of it.
void BatchEngine::EndAtDeadline(std::uint64_t request) {
  const std::size_t branches = requests_.at(request).result.branches.size();
  for (std::uint64_t id = request; id < request + branches; ++id) {
    const auto branch = sequences_.find(id);
    if (branch == sequences_.end()) continue;
    std::string text = branch->second.generation->TakeText();  // with what was held back as the start of a stop text
    if (text.empty()) {
      Fail(id, absl::DeadlineExceededError("the deadline passed before the first word"));
    } else {
      Finish(id, FinishReason::kDeadline, std::move(text));
    }
  }
}

// REQUIRES: the scheduler has removed it, and its result is set.
void BatchEngine::EndBranch(std::uint64_t id) {
  const std::uint64_t request_id = sequences_.at(id).request;
  sequences_.erase(id);
  const auto entry = requests_.find(request_id);
  if (--entry->second.branches_left > 0) return;
  Request request = std::move(entry->second);
  requests_.erase(entry);
  inbox_.Ended(SequenceId(request_id));

  GenerationResult& result = request.result;
  const auto good =
      std::ranges::find_if(result.branches, [](const BranchResult& branch) { return branch.status.ok(); });
  if (good == result.branches.end()) {
    ++totals_.sequences_failed_total;
    due_.push_back({std::move(request.on_done), std::move(result.branches.front().status)});
    return;
  }
  result.text = good->text;
  result.finish_reason = good->finish_reason;
  for (const BranchResult& branch : result.branches) result.completion_tokens += branch.completion_tokens;
  if (result.branches.size() == 1) result.branches.clear();
  const bool started = request.first_step != base::MonotonicTime{};
  result.queue_time = (started ? request.first_step : Now()) - request.submitted;
  ++totals_.sequences_done_total;
  due_.push_back({std::move(request.on_done), std::move(result)});
}

// Callbacks come last, so that whoever is called sees credit and stats in which its sequence has ended.
void BatchEngine::PublishAndDeliver() {
  const scheduler::SchedulerCounts counts = scheduler_->counts();
  totals_.running = counts.running;
  totals_.queued = counts.waiting;
  totals_.preempted = counts.preempted;
  totals_.blocks_free = counts.blocks_free;
  totals_.preemptions_total = counts.preemptions_total;
  totals_.prefix_tokens_total = counts.prefix_tokens_total;
  totals_.swaps_total = counts.swaps_total;
  totals_.forks_total = counts.forks_total;
  {
    std::lock_guard lock(published_mutex_);
    published_.stats = totals_;
    published_.blocks_promised = counts.blocks_promised;
    published_.blocks_in_transit -= std::exchange(blocks_taken_, 0);
  }
  for (Due& due : std::exchange(due_, {})) due.on_done(std::move(due.result));
}

}  // namespace engine
