#include "services/worker/turn_run.h"

#include <algorithm>
#include <chrono>
#include <utility>

#include "absl/strings/str_cat.h"
#include "libs/base/backoff.h"
#include "libs/base/check.h"
#include "libs/base/hex.h"
#include "libs/bus/headers.h"
#include "libs/bus/topics.h"
#include "libs/fault/fault.h"
#include "libs/records/reply_record.h"
#include "libs/records/turn_record.h"
#include "libs/session/user_text.h"
#include "libs/telemetry/log.h"
#include "services/worker/prompt.h"
#include "services/worker/user_spoke_at.h"

namespace worker {
namespace {

using mesh::bus::v1::Reply;
using mesh::bus::v1::Turn;

constexpr std::string_view kService = "worker";
constexpr base::Duration kRetryInitial = std::chrono::milliseconds(100);
constexpr base::Duration kRetryMax = std::chrono::seconds(5);
constexpr std::int32_t kLastSaidTokensMax = 1000;  // some dozens of messages that nobody could read, and what was said

// The engine's answer to this input, however often it is asked. Internal and unknown errors are not among them: they
// may be the process's, and another try, or another worker, may do better before the deadline.
bool FailsAlike(const absl::Status& status) {
  switch (status.code()) {
    case absl::StatusCode::kInvalidArgument:
    case absl::StatusCode::kFailedPrecondition:
    case absl::StatusCode::kOutOfRange:
    case absl::StatusCode::kUnimplemented:
    case absl::StatusCode::kDataLoss:
      return true;
    default:
      return false;
  }
}

mesh::bus::v1::FinishReason ToProto(engine::FinishReason reason) {
  switch (reason) {
    case engine::FinishReason::kEndOfTurn:
      return mesh::bus::v1::FINISH_REASON_END_OF_TURN;
    case engine::FinishReason::kStopString:
      return mesh::bus::v1::FINISH_REASON_STOP_STRING;
    case engine::FinishReason::kLength:
      return mesh::bus::v1::FINISH_REASON_LENGTH;
    case engine::FinishReason::kDeadline:
      return mesh::bus::v1::FINISH_REASON_DEADLINE;
    case engine::FinishReason::kCancelled:
      break;
  }
  return mesh::bus::v1::FINISH_REASON_UNSPECIFIED;
}

}  // namespace

std::shared_ptr<TurnRun> TurnRun::Start(const TurnContext& context, std::shared_ptr<TurnTask> task,
                                        std::function<void(bool)> on_done) {
  auto run = std::make_shared<TurnRun>(context, std::move(task), std::move(on_done));
  // Posted, so that the caller has stored the run before its first step can end it.
  context.loop->Post([run] { run->Decode(); });
  return run;
}

TurnRun::TurnRun(const TurnContext& context, std::shared_ptr<TurnTask> task, std::function<void(bool)> on_done)
    : context_(context),
      task_(std::move(task)),
      on_done_(std::move(on_done)),
      trace_(bus::TraceOf(task_->record.headers).NewChild()),
      known_(Attempts::FromNote(task_->record.note)),
      attempts_(known_.tries()) {}

void TurnRun::Abandon() {
  abandoned_ = true;
  Stop();
}

void TurnRun::Stop() {
  shown_.End();
  if (generating_) context_.engine->Cancel(sequence_);
  if (alone_) context_.solo_engine->Stop();
  if (media_ != nullptr) context_.loop->Post([media = media_] { media->GoOn(); });
}

void TurnRun::Drop(DropOrder order) {
  CHECK(may_be_dropped());
  drop_ = std::move(order);
  Stop();  // when nothing runs, the next step finds the order
}

bool TurnRun::EndIfAbandoned() {
  if (abandoned_) Finish("abandoned", /*completed=*/false);
  return abandoned_;
}

void TurnRun::Decode() {
  if (EndIfAbandoned()) return;
  auto decoded = records::DecodeTurn(task_->record);
  if (!decoded.ok()) {
    turn_.set_turn_id(decoded.refusal().turn_id);  // for the log
    return GiveUp(records::DeadLetterReasonOf(decoded.refusal().reason), decoded.refusal().detail);
  }
  turn_ = *std::move(decoded);
  if (turn_.kind() == mesh::bus::v1::TURN_KIND_IDENTITY_CHANGE) return LinkIdentity();
  if (turn_.kind() == mesh::bus::v1::TURN_KIND_CONTROL) return ApplyControl();
  if (turn_.kind() == mesh::bus::v1::TURN_KIND_UNSEND) return Unsend();
  if (turn_.kind() == mesh::bus::v1::TURN_KIND_FORGET) return Forget();
  if (turn_.kind() != mesh::bus::v1::TURN_KIND_MESSAGE && turn_.kind() != mesh::bus::v1::TURN_KIND_POSTBACK) {
    return Finish("event", /*completed=*/true);
  }
  book_ = context_.accounts->current();
  account_ = book_->FindFor(turn_.conversation());
  if (account_ == nullptr) return GiveUp(bus::DeadLetterReason::kUnknownAccount, "account is not in accounts.yaml");
  if (context_.development_only && !account_->development) {
    return GiveUp(bus::DeadLetterReason::kRefused, "the echo engine answers development accounts only");
  }
  generation_ = bus::GenerationOf(task_->record.headers);
  LoadContext();
}

void TurnRun::LoadContext() {
  if (EndIfAbandoned()) return;
  mesh::session::v1::LoadContextRequest request;
  *request.mutable_conversation() = turn_.conversation();
  request.set_turn_id(turn_.turn_id());
  // A turn that is dropped only wants to know whether it is finished, one that cannot be read what was said last.
  const std::int32_t wanted =
      turn_.unreadable() ? kLastSaidTokensMax : HistoryTokensMax(*account_, turn_, *context_.engine);
  request.set_history_tokens_max(drop_ ? 0 : wanted);
  context_.session->LoadContext(request, SessionCall(), OnLoop(&TurnRun::OnContext));
}

void TurnRun::OnContext(absl::StatusOr<mesh::session::v1::LoadContextResponse> response) {
  if (IsPermanent(response.status())) {
    return GiveUp(bus::DeadLetterReason::kRefused, std::string(response.status().message()));
  }
  if (!response.ok()) return RetryLater(&TurnRun::LoadContext, "session", response.status());
  *context_.session_fails = false;
  retries_in_a_row_ = 0;
  loaded_ = *std::move(response);
  // Also when it is "done": by a slow worker of an earlier life, whose answer came behind the notice.
  if (known_.given_up()) return GiveUp(*known_.given_up(), "decided by a worker that died before it was done");
  // A requeued dead letter was "done" by its notice; its new generation is to be answered all the same.
  if (loaded_.done() && generation_ == 0) {
    LetGoOfMedia();
    return Finish("already_done", /*completed=*/true);
  }
  turn_.control() != mesh::bus::v1::CONTROL_ACTION_UNSPECIFIED ? ApplyControl() : HeedPolicies();
}

void TurnRun::Begin() {
  if (known_.poison()) return GiveUp(bus::DeadLetterReason::kPoison, "its workers died, also when it ran alone");
  if (context_.presence != nullptr) shown_ = context_.presence->Show({book_, account_}, turn_);
  known_.began() ? AwaitPlace() : NoteBegun();
}

// The other suspects are before it: its time counts from when it has the place.
void TurnRun::AwaitPlace() {
  telemetry::Log(telemetry::LogLevel::kWarning, "turn_suspected", trace_,
                 {{"turn", base::ToHex(turn_.turn_id())},
                  {"tries", known_.tries()},
                  {"partition", task_->record.partition},
                  {"offset", task_->record.offset}});
  context_.solo_queue->Enter(task_->record.timestamp_ms, /*clearable=*/known_.may_be_cleared(), context_.clock->Now(),
                             [self = shared_from_this()](SoloQueue::Place place) {
                               self->place_ = std::move(place);
                               self->NoteBegun();
                             });
}

void TurnRun::NoteBegun() {
  if (EndIfAbandoned()) return;
  if (drop_) return WriteSupersede();
  const Attempts now = place_ != nullptr ? known_.StartedAlone() : known_.Started();
  context_.journal->Note(*task_, now, /*at_rest=*/known_, OnLoop(&TurnRun::OnBegunNoted));
}

void TurnRun::OnBegunNoted(bool durable) {
  if (!durable) return RetryLater(&TurnRun::NoteBegun, "broker", absl::UnavailableError("the journal takes no note"));
  retries_in_a_row_ = 0;
  if (answering_since_ == base::MonotonicTime{}) {
    answering_since_ = context_.clock->Now();
    context_.metrics->queue_seconds.Observe(base::ToSeconds(answering_since_ - task_->read_at));
  }
  if (drop_) return WriteSupersede();
  const bool is_overflow = task_->stands_for_too_many && !account_->overflow_text.empty();
  if (is_overflow) return Say(mesh::bus::v1::REPLY_KIND_ANSWER, account_->overflow_text);
  const bool is_unsupported = turn_.text().empty() && !account_->unsupported_text.empty();
  if (is_unsupported) return Say(mesh::bus::v1::REPLY_KIND_ANSWER, account_->unsupported_text);
  if (LeavesNoRoomForAnswer(*account_, turn_, *context_.engine)) {
    return GiveUp(bus::DeadLetterReason::kPromptTooLong, "the message leaves no room for an answer in the context");
  }
  LoadMedia();
}

void TurnRun::Generate() {
  if (EndIfAbandoned()) return;
  if (drop_) return WriteSupersede();
  ++attempts_;
  if (place_ != nullptr) {
    alone_ = true;
    return context_.solo_engine->Run(BuildRequest(), OnLoop(&TurnRun::OnAlone));
  }
  submitted_at_ = context_.clock->Now();
  absl::StatusOr<engine::SequenceId> sequence = context_.engine->Submit(BuildRequest(), OnLoop(&TurnRun::OnGenerated));
  if (!sequence.ok()) return OnGenerated(sequence.status());
  sequence_ = *sequence;
  generating_ = true;
}

void TurnRun::OnAlone(SoloOutcome outcome) {
  alone_ = false;
  if (outcome.kind == SoloOutcome::Kind::kAnswered) {
    if (known_.may_be_cleared()) context_.solo_queue->Survived();
    return OnGenerated(std::move(outcome.result));
  }
  if (outcome.kind == SoloOutcome::Kind::kNotStarted) {
    --attempts_;  // nothing was tried
    if (DeadlinePassed()) return GiveUp(bus::DeadLetterReason::kDeadline, std::move(outcome.how));
    return RetryLater(&TurnRun::Generate, "child", absl::UnavailableError(outcome.how));
  }
  context_.metrics->child_deaths.Increment();
  known_ = known_.ChildDied();
  telemetry::Log(telemetry::LogLevel::kWarning, "child_died", trace_,
                 {{"turn", base::ToHex(turn_.turn_id())}, {"how", outcome.how}, {"deaths", known_.child_deaths()}});
  if (known_.poison()) {
    context_.solo_queue->ClearOthers();
    return GiveUp(bus::DeadLetterReason::kPoison,
                  absl::StrCat("it killed the process in which it ran alone ", known_.child_deaths(),
                               " times, the last time by ", outcome.how));
  }
  NoteBegun();
}

void TurnRun::OnGenerated(absl::StatusOr<engine::GenerationResult> result) {
  generating_ = false;
  if (drop_) return WriteSupersede();
  // Not for us, so the engine gave it up for a reason of its own: another try may do better.
  if (result.ok() && result->finish_reason == engine::FinishReason::kCancelled) {
    result = absl::AbortedError("the engine cancelled the sequence");
  }
  if (!result.ok()) {
    if (FailsAlike(result.status())) {
      return GiveUp(bus::DeadLetterReason::kRefused, std::string(result.status().message()));
    }
    if (absl::IsDeadlineExceeded(result.status()) || DeadlinePassed()) {
      return GiveUp(bus::DeadLetterReason::kDeadline, std::string(result.status().message()));
    }
    return RetryLater(&TurnRun::Generate, "engine", result.status());
  }
  retries_in_a_row_ = 0;
  fault::Here("worker_generated");
  context_.metrics->ttft_seconds.Observe(base::ToSeconds(result->ttft));
  context_.metrics->prompt_tokens.Increment(result->prompt_tokens);
  context_.metrics->completion_tokens.Increment(result->completion_tokens);
  if (place_ == nullptr) task_->answer_time = context_.clock->Now() - submitted_at_;  // of this engine, not the child's
  // The same turn draws the same tokens: another try would say nothing either.
  if (result->text.find_first_not_of(" \t\r\n") == std::string::npos) {
    return GiveUp(bus::DeadLetterReason::kEmptyAnswer, "the model said nothing");
  }
  reply_.set_finish_reason(ToProto(result->finish_reason));
  reply_.set_prompt_tokens(result->prompt_tokens);
  reply_.set_completion_tokens(result->completion_tokens);
  reply_.set_model(context_.engine->model_name());
  Say(mesh::bus::v1::REPLY_KIND_ANSWER, std::move(result->text));
}

void TurnRun::WriteReply() {
  if (EndIfAbandoned()) return;
  settled_ = true;
  shown_.End();
  place_.reset();
  reply_.set_turn_id(turn_.turn_id());
  *reply_.mutable_conversation() = turn_.conversation();
  reply_.set_generation(generation_);
  reply_.set_in_reply_to_message_id(turn_.message_id());
  reply_.set_attempt(attempts_);
  reply_.set_created_at_ms(context_.clock->WallMs());
  reply_.set_user_spoke_at_ms(UserSpokeAtMs(turn_));
  mesh::bus::v1::ReplyRecord value;
  *value.mutable_reply() = reply_;
  context_.producer->Produce(ToReplies(value), OnLoop(&TurnRun::OnWritten));
}

bus::OutgoingRecord TurnRun::ToReplies(const mesh::bus::v1::ReplyRecord& value) const {
  bus::OutgoingRecord record;
  record.topic = bus::TopicName(context_.bus, bus::kReplies);
  record.partition = task_->record.partition;  // conversation topics are partitioned alike
  record.key = task_->record.key;
  record.headers =
      bus::MakeHeaders(trace_, records::kReplyType, base::ToHex(turn_.turn_id()), kService, context_.clock->WallMs());
  value.SerializeToString(&record.value);
  return record;
}

void TurnRun::OnWritten(absl::StatusOr<bus::RecordPosition> position) {
  if (absl::IsInvalidArgument(position.status())) {  // larger than the broker takes
    const std::string detail(position.status().message());
    if (!giving_up_) return GiveUp(bus::DeadLetterReason::kTooLarge, detail);
    telemetry::Log(telemetry::LogLevel::kError, "notice_refused", trace_, {{"error", detail}});
    return FindEarlierReply();
  }
  if (!position.ok()) return WriteAgain(&TurnRun::WriteReply, bus::kReplies, position.status());
  retries_in_a_row_ = 0;
  reply_offset_ = position->offset;
  if (giving_up_) {
    fault::Here("worker_notice_written");
    return FindEarlierReply();
  }
  fault::Here("worker_reply_written");
  Project();
}

void TurnRun::Project() {
  if (EndIfAbandoned()) return;
  mesh::session::v1::AppendTurnRequest request;
  *request.mutable_conversation() = turn_.conversation();
  mesh::session::v1::HistoryTurn* turn = request.mutable_turn();
  turn->set_turn_id(turn_.turn_id());
  if (!(drop_ && drop_->reason == DropReason::kUnsent)) turn->set_user_text(UserText(turn_));
  const std::string& written = session::WrittenText(reply_);
  turn->set_reply_text(session::HistoryText(written));
  if (!turn->user_text().empty()) turn->set_user_tokens(PromptTokens(*context_.engine, turn->user_text()));
  if (!written.empty()) turn->set_reply_tokens(PromptTokens(*context_.engine, written));
  turn->set_accepted_at_ms(turn_.accepted_at_ms());
  turn->set_replies_offset(reply_offset_);
  turn->set_turns_offset(task_->record.offset);
  turn->set_generation(generation_);
  context_.session->AppendTurn(request, SessionCall(), OnLoop(&TurnRun::OnProjected));
}

void TurnRun::OnProjected(absl::StatusOr<mesh::session::v1::AppendTurnResponse> response) {
  // What session refuses for good must not hold the lane: the log has the reply, and history is only its projection.
  if (MustTellAgain(&TurnRun::Project, response.status(), "projection_refused")) return;
  Finish(drop_ ? ToString(drop_->reason) : giving_up_ ? "dead_letter" : "answered", /*completed=*/true);
}

void TurnRun::Finish(std::string_view outcome, bool completed) {
  place_.reset();
  shown_.End();
  if (!on_done_) return;  // abandoned while a callback was under way
  context_.metrics->CountTurn(outcome);
  context_.metrics->turn_seconds.Observe(base::ToSeconds(context_.clock->Now() - task_->read_at));
  telemetry::Log(telemetry::LogLevel::kInfo, "turn_ended", trace_,
                 {{"turn", base::ToHex(turn_.turn_id())},
                  {"outcome", outcome},
                  {"partition", task_->record.partition},
                  {"offset", task_->record.offset},
                  {"reply_offset", reply_offset_},
                  {"completion_tokens", reply_.completion_tokens()},
                  {"ms", base::ToMs(context_.clock->Now() - task_->read_at)}});
  if (completed) fault::Here("worker_turn_done");
  std::exchange(on_done_, nullptr)(completed);
}

engine::GenerationRequest TurnRun::BuildRequest() const {
  std::optional<Turn> with_media;
  if (media_sentences_) {
    with_media.emplace(turn_).set_text(WithMedia(turn_, *media_sentences_));
    with_media->clear_attachments();  // they have been named
  }
  engine::GenerationRequest request = BuildGenerationRequest(*account_, with_media ? *with_media : turn_, loaded_);
  request.tokens_max = AnswerTokensMax(*account_, *context_.engine);
  request.deadline = Deadline();
  return request;
}

session::Client::CallOptions TurnRun::SessionCall() const {
  session::Client::CallOptions options;
  options.trace = trace_;
  return options;
}

base::MonotonicTime TurnRun::Deadline() const {
  return answering_since_ + std::chrono::seconds(account_->turn_deadline_s) - task_->queue_delay;
}

bool TurnRun::DeadlinePassed() const { return context_.clock->Now() >= Deadline(); }

void TurnRun::WriteAgain(Step step, std::string_view topic, const absl::Status& why) {
  if (absl::IsInvalidArgument(why) || absl::IsPermissionDenied(why)) context_.on_log_refused(topic, why);
  RetryLater(step, "broker", why);
}

void TurnRun::RetryLater(Step step, std::string_view peer, const absl::Status& why) {
  ++retries_in_a_row_;
  if (peer == "session") *context_.session_fails = true;
  context_.metrics->CountRetry(peer);
  // The first and then every 20th: an outage of minutes with thousands of lanes must not fill the log.
  if (retries_in_a_row_ % 20 == 1) {
    telemetry::Log(telemetry::LogLevel::kWarning, "turn_waits", trace_,
                   {{"turn", base::ToHex(turn_.turn_id())},
                    {"for", peer},
                    {"retries", retries_in_a_row_},
                    {"error", why.ToString()}});
  }
  const auto seed =
      static_cast<std::uint64_t>(task_->record.offset) * 31 + static_cast<std::uint64_t>(task_->record.partition);
  context_.loop->PostAfter(base::BackoffDelay(retries_in_a_row_, kRetryInitial, kRetryMax, seed),
                           [self = shared_from_this(), step] { ((*self).*step)(); });
}

}  // namespace worker
