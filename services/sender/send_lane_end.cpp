// The ends of a reply: doubt, parking, giving up, done. The way there is in send_lane.cpp.
#include <algorithm>
#include <chrono>
#include <iterator>
#include <utility>

#include "libs/base/backoff.h"
#include "libs/base/hex.h"
#include "libs/bus/topics.h"
#include "libs/fault/fault.h"
#include "libs/ledger/outcome.h"
#include "libs/session/user_text.h"
#include "libs/telemetry/log.h"
#include "services/sender/send_lane.h"
#include "services/sender/write_failure.h"

namespace sender {
namespace {

using mesh::bus::v1::REPLY_KIND_ANSWER;
using mesh::bus::v1::REPLY_KIND_FALLBACK;

constexpr base::Duration kDoubtTick = std::chrono::seconds(1);
constexpr base::Duration kWriteRetryInitial = std::chrono::milliseconds(100);
constexpr base::Duration kWriteRetryMax = std::chrono::seconds(5);
// A partition that is gone is somebody else's to finish: what we know is offered a few times and then left.
constexpr int kAttemptsRevokedMax = 5;

}  // namespace

bus::DeadLetterReason SendLane::ReasonGivenUp(const ledger::PlannedTurn& turn) {
  for (const auto reason : {bus::DeadLetterReason::kUnknownAccount, bus::DeadLetterReason::kDeadline,
                            bus::DeadLetterReason::kWindowClosed}) {
    if (bus::ToString(reason) == turn.failure_reason) return reason;
  }
  return bus::DeadLetterReason::kSendFailed;
}

void SendLane::WatchDoubt(const ledger::PlannedTurn& turn, std::size_t part) {
  const base::MonotonicTime now = effects().Now();
  const std::int64_t claim_offset = turn.parts[part].claim_offset;
  // Each CLAIM is watched for the whole time: another sender's may have taken the place of the one watched so far.
  if (!head_.doubt || head_.doubted_claim != claim_offset) {
    if (!head_.doubt) context_.metrics->in_doubt.Add(1);
    head_.doubt = now;
    head_.doubted_part = part;
    head_.doubted_claim = claim_offset;
    telemetry::Log(telemetry::LogLevel::kWarning, "send_in_doubt", item().trace,
                   {{"channel", channel_name()},
                    {"account", item().reply.conversation().account()},
                    {"turn", base::ToHex(key().turn_id)},
                    {"part", part},
                    {"resends", turn.parts[part].resends}});
  }
  const base::Duration silent = effects().StatusesCoveredSince(context_.ledger->partition(), *head_.doubt);
  const auto account = FindAccount();
  const bool may_resend = account != nullptr && !WindowClosed(turn.parts[part].content);
  switch (DecideDoubt(silent, context_.options.reconcile, may_resend ? account->in_doubt_policy : "park",
                      turn.parts[part].resends)) {
    case DoubtStep::kWait:
      Enter(Phase::kInDoubt);
      return After(std::min(kDoubtTick, context_.options.reconcile), [this] { Step(); });
    case DoubtStep::kResend:
      EndDoubt("resend");
      head_.resend_over = claim_offset;
      return TryClaim(part, turn.parts[part].resends + 1);
    case DoubtStep::kPark:
      return ParkPart(part, claim_offset);  // unless evidence stands before it in the ledger
  }
}

// True when the next step is under way: a SENT for a part of which only a status tells that it was shown. Readers that
// know no evidence (tools, checks) then find a SENT all the same.
bool SendLane::SettledByEvidence(const ledger::PlannedTurn& turn) {
  if (head_.doubt) {
    const ledger::PartState state = turn.parts[*head_.doubted_part].state;
    if (state != ledger::PartState::kClaimed) EndDoubt(state == ledger::PartState::kParked ? "park" : "evidence");
  }
  const auto found =
      std::find_if(turn.parts.begin(), turn.parts.end(), [](const ledger::Part& part) { return part.by_evidence; });
  if (found == turn.parts.end() || stopped_ || !ledger().owned()) return false;
  Append(ledger::MakeSent(found->id, *ledger().term(), found->claim_offset, found->message_id, effects().WallMs()),
         [this](std::int64_t) { Step(); });
  return true;
}

void SendLane::EndDoubt(std::string_view resolution) {
  head_.doubt.reset();
  head_.doubted_part.reset();
  context_.metrics->in_doubt.Add(-1);
  context_.metrics->CountDoubt(resolution);
  telemetry::Log(telemetry::LogLevel::kWarning, "doubt_ended", item().trace,
                 {{"channel", channel_name()},
                  {"account", item().reply.conversation().account()},
                  {"turn", base::ToHex(key().turn_id)},
                  {"resolution", resolution}});
}

// The reply leaves its place: the ledger says first that it is never sent again under this id, so that the turns behind
// it may follow in whatever life; then it is copied to `parked`.
void SendLane::ParkPart(std::size_t part, std::int64_t claim_offset) {
  Append(ledger::MakeParked(ReplyIdOf(part), *ledger().term(), claim_offset, effects().WallMs()),
         [this](std::int64_t) { Step(); });
}

void SendLane::FinishParked() {
  WriteDurably({.topic = bus::kParked,
                .write =
                    [this](Effects::Written written) {
                      effects().WriteParked(
                          item().record, ParkReason::kInDoubt,
                          [written](const absl::StatusOr<std::int64_t>& offset) { written(offset.status()); });
                    },
                .next =
                    [this] {
                      context_.metrics->CountParked(ToString(ParkReason::kInDoubt));
                      ReportOutcome(mesh::session::v1::OUTCOME_UNSPECIFIED);  // its words; nobody knows the rest
                      Done();
                    },
                .too_large =  // the dead letter keeps at least its beginning
                [this](const absl::Status& status) {
                  GiveUp(bus::DeadLetterReason::kTooLarge, std::string(status.message()), /*with_notice=*/false);
                }});
}

// The copy first: until the ledger names its offset it means nothing, and whoever reads the record again begins anew.
void SendLane::ParkReply() {
  auto parked_offset = std::make_shared<std::int64_t>(-1);
  WriteDurably({.topic = bus::kParked,
                .write =
                    [this, parked_offset](Effects::Written written) {
                      effects().WriteParked(item().record, ParkReason::kAccount,
                                            [written, parked_offset](const absl::StatusOr<std::int64_t>& offset) {
                                              if (offset.ok()) *parked_offset = *offset;
                                              written(offset.status());
                                            });
                    },
                .next =
                    [this, parked_offset] {
                      // One that is retired shares the ledger with its successor in this process, which may own it.
                      if (stopped_ || !ledger().owned()) return Step();
                      Append(ledger::MakeParkedReply(item().reply, item().record.offset, *parked_offset,
                                                     *ledger().term(), effects().WallMs()),
                             [this](std::int64_t) {
                               context_.metrics->CountParked(ToString(ParkReason::kAccount));
                               Step();
                             });
                    },
                .too_large = [this](const absl::Status& status) { GiveUpTooLarge(status); }});
}

void SendLane::Finish(const ledger::PlannedTurn& turn) {
  // A withdrawal that passed it by while it was parked came too late.
  if (items_.front().returned && Withdrawn() && turn.Any(ledger::PartState::kSent) && !head_.audited)
    return WriteSentAfterAll();
  if (MustAudit()) return WriteDrop();
  if (turn.Parked()) return FinishParked();
  if (turn.Any(ledger::PartState::kFailed)) return FinishFailed(turn);
  if (turn.Superseded()) context_.metrics->CountDrop("superseded");
  ReportOutcome(ledger::OutcomeOf(turn));
  Done();
}

bool SendLane::MustAudit() const {
  return item().reply.drop_policy() != mesh::bus::v1::DROP_POLICY_UNSPECIFIED && !head_.audited;
}

void SendLane::WriteDrop() {
  mesh::bus::v1::AuditRecord audit;
  mesh::bus::v1::PolicyDrop& drop = *audit.mutable_policy_drop();
  drop.set_turn_id(key().turn_id);
  drop.set_by_turn_id(item().by_turn_id);
  *drop.mutable_conversation() = item().reply.conversation();
  drop.set_policy(item().reply.drop_policy());
  drop.set_replies_offset(item().record.offset);
  WriteAudit(std::move(audit));
}

void SendLane::WriteSentAfterAll() {
  mesh::bus::v1::AuditRecord audit;
  audit.mutable_sent_after_all()->set_turn_id(key().turn_id);
  *audit.mutable_sent_after_all()->mutable_conversation() = item().reply.conversation();
  WriteAudit(std::move(audit));
}

void SendLane::WriteAudit(mesh::bus::v1::AuditRecord audit) {
  head_.audited = true;
  WriteDurably({.topic = bus::kAudit,
                .write =
                    [this, audit = std::move(audit)](Effects::Written written) {
                      effects().WriteAudit(audit, item().trace.NewChild(), std::move(written));
                    },
                .next = [this] { Step(); },
                .too_large = [](const absl::Status& status) { CrashAsTooLarge(bus::kAudit, status); }});
}

void SendLane::FinishFailed(const ledger::PlannedTurn& turn) {
  // A predecessor may have died between the FAILED record and the dead letter: then the ledger still has the reason.
  const bus::DeadLetterReason reason = head_.give_up.value_or(ReasonGivenUp(turn));
  const bool shown = turn.Any(ledger::PartState::kSent);
  // Where even a text was refused for good, another one would be as well.
  const bool was_file =
      std::all_of(turn.parts.begin(), turn.parts.end(), [](const ledger::Part& p) { return p.failed_alone; });
  const bool may_be_told = was_file || reason == bus::DeadLetterReason::kDeadline;
  const bool with_notice = !shown && ((turn.kind == REPLY_KIND_ANSWER && may_be_told) ||
                                      (!key().fallback && reason == bus::DeadLetterReason::kWindowClosed));
  ReportOutcome(shown ? mesh::session::v1::OUTCOME_SENT : mesh::session::v1::OUTCOME_FAILED);
  GiveUp(reason, head_.give_up_detail, with_notice);
}

void SendLane::GiveUp(bus::DeadLetterReason reason, std::string detail, bool with_notice) {
  WriteDurably({.topic = bus::kDeadLetter,
                .write =
                    [this, reason, detail = std::move(detail)](Effects::Written written) {
                      effects().WriteDeadLetter(item().record, reason, detail,
                                                static_cast<std::uint32_t>(head_.refusals), std::move(written));
                    },
                .next =
                    [this, reason, with_notice] {
                      context_.metrics->CountDeadLetter(bus::ToString(reason));
                      if (with_notice) return WriteNotice(reason);
                      Done();
                    },
                .too_large = [](const absl::Status& status) { CrashAsTooLarge(bus::kDeadLetter, status); }});
}

// Accounts of such a channel are refused, and no gateway takes messages of it: nobody could be told what is said here.
void SendLane::RefuseChannel() {
  if (MustAudit()) return WriteDrop();
  context_.metrics->CountDrop("no_channel");
  if (items_.front().superseded || items_.front().supersedes) {
    ReportOutcome(mesh::session::v1::OUTCOME_SUPERSEDED);
    return Done();
  }
  ReportOutcome(mesh::session::v1::OUTCOME_FAILED);
  GiveUp(bus::DeadLetterReason::kUnknownAccount, "the channel has no sends", /*with_notice=*/false);
}

// The PLAN holds the text in parts, so it can be larger than the record it plans.
void SendLane::GiveUpTooLarge(const absl::Status& status) {
  ReportOutcome(mesh::session::v1::OUTCOME_FAILED);
  GiveUp(bus::DeadLetterReason::kTooLarge, std::string(status.message()),
         /*with_notice=*/item().reply.kind() == REPLY_KIND_ANSWER);
}

// Of an answer that came too late for words a template is what can still be said, where the account has one.
void SendLane::WriteNotice(bus::DeadLetterReason reason) {
  const auto account = FindAccount();
  const bool by_template = reason == bus::DeadLetterReason::kWindowClosed;
  if (account == nullptr || (by_template ? !OwesReengagement(*account) : account->notice_text.empty())) return Done();
  // A key and a reply id of its own: the reply has had its say. Written twice after a crash, it is said once.
  mesh::bus::v1::ReplyRecord record;
  auto* notice = record.mutable_reply();
  notice->set_turn_id(item().reply.turn_id());
  *notice->mutable_conversation() = item().reply.conversation();
  notice->set_generation(item().reply.generation());
  notice->set_kind(REPLY_KIND_FALLBACK);
  if (by_template) {
    auto* const wanted = notice->add_rich_parts()->mutable_template_();
    wanted->set_name(account->reengage_template_name);
    wanted->set_language(account->reengage_template_language);
  } else {
    notice->set_text(account->notice_text);
  }
  notice->set_user_spoke_at_ms(item().reply.user_spoke_at_ms());
  notice->set_in_reply_to_message_id(item().reply.in_reply_to_message_id());
  notice->set_created_at_ms(effects().WallMs());
  WriteDurably({.topic = bus::kReplies,
                .write =
                    [this, record = std::move(record)](Effects::Written written) {
                      effects().WriteReply(item().record.key, record, item().trace.NewChild(), std::move(written));
                    },
                .next = [this] { Done(); },
                .too_large =
                    [this](const absl::Status& status) {
                      telemetry::Log(telemetry::LogLevel::kError, "notice_too_large", item().trace,
                                     {{"error", status.ToString()}, {"remedy", "shorten the account's notice_text"}});
                      Done();
                    }});
}

// Of the reply at the head, which is the first record of its turn: history is to hold its words, whatever a re-run
// projected.
void SendLane::ReportOutcome(mesh::session::v1::Outcome outcome) {
  // A fallback says nothing about the reply that could not be sent; a worker's notice is the turn's reply.
  if (key().fallback) return;
  const mesh::bus::v1::Reply& reply = item().reply;
  auto& report = head_.report.emplace();
  *report.mutable_conversation() = reply.conversation();
  report.set_turn_id(reply.turn_id());
  report.set_generation(reply.generation());
  report.set_outcome(outcome);
  report.set_reply_text(session::WrittenText(reply));
  report.set_replies_offset(item().record.offset);
  report.set_reply_tokens(reply.completion_tokens());
}

void SendLane::Done() {
  fault::Here("sender_reply_done");
  if (head_.doubt) context_.metrics->in_doubt.Add(-1);
  const auto report = std::exchange(head_.report, std::nullopt);
  RememberFile();
  head_ = Head{};
  const Queued finished = std::move(items_.front());
  items_.pop_front();
  Enter(Phase::kIdle);
  if (report) {
    context_.unreported->Finish(*report, finished.item.trace, finished.item.record.offset);
  } else {
    context_.mark_done(finished.item.record.offset);
  }
  if (items_.empty()) return on_empty_();
  Enter(Phase::kWaiting);
  After(base::Duration::zero(), [this] { Step(); });  // through the loop: a long queue must not become a deep stack
}

void SendLane::Append(ledger::LedgerEntry entry, std::function<void(std::int64_t offset)> next, int attempt) {
  const std::uint64_t step = Enter(Phase::kBusy);
  const base::MonotonicTime appended_at = effects().Now();
  auto kept = std::make_shared<ledger::LedgerEntry>(std::move(entry));
  effects().AppendLedger(
      context_.ledger->partition(), *kept, item().trace,
      [self = shared_from_this(), step, kept, next = std::move(next), attempt,
       appended_at](absl::StatusOr<std::int64_t> offset) {
        if (self->step_ != step) return;
        if (offset.ok()) {
          self->context_.ledger->Await(*offset, [self, step, next, appended_at, at = *offset] {
            if (self->step_ != step) return;
            self->context_.metrics->read_back_seconds.Observe(base::ToSeconds(self->effects().Now() - appended_at));
            next(at);
          });
          return;
        }
        self->context_.metrics->ledger_append_failures.Increment();
        if (JudgeWrite(bus::kSendLedger, offset.status(), attempt) == WriteFailure::kTooLarge) {
          if (!kept->record.has_plan()) CrashAsTooLarge(bus::kSendLedger, offset.status());
          return self->GiveUpTooLarge(offset.status());
        }
        if (self->context_.lease->revoked.load(std::memory_order_acquire) && attempt >= kAttemptsRevokedMax) {
          self->Enter(Phase::kIdle);
          return;
        }
        self->After(base::BackoffDelay(attempt, kWriteRetryInitial, kWriteRetryMax, step),
                    [self, kept, next, attempt] { self->Append(std::move(*kept), next, attempt + 1); });
      });
}

void SendLane::WriteDurably(DurableWrite write, int attempt) {
  const std::uint64_t step = Enter(Phase::kBusy);
  auto kept = std::make_shared<const DurableWrite>(std::move(write));
  kept->write([self = shared_from_this(), step, kept, attempt](const absl::Status& status) {
    if (self->step_ != step) return;
    if (status.ok()) return kept->next();
    if (JudgeWrite(kept->topic, status, attempt) == WriteFailure::kTooLarge) return kept->too_large(status);
    if (self->context_.lease->revoked.load(std::memory_order_acquire) && attempt >= kAttemptsRevokedMax) {
      self->Enter(Phase::kIdle);
      return;
    }
    self->After(base::BackoffDelay(attempt, kWriteRetryInitial, kWriteRetryMax, step),
                [self, kept, attempt] { self->WriteDurably(*kept, attempt + 1); });
  });
}

void SendLane::After(base::Duration delay, std::function<void()> task) {
  effects().RunAfter(delay, [self = shared_from_this(), step = step_, task = std::move(task)] {
    if (self->step_ == step) task();
  });
}

std::uint64_t SendLane::Enter(Phase phase) {
  phase_ = phase;
  return ++step_;
}

identity::ReplyId SendLane::ReplyIdOf(std::size_t part) const {
  return identity::MakeReplyId(identity::TurnId(item().reply.turn_id()), item().reply.generation(), item().reply.kind(),
                               static_cast<std::uint32_t>(part));
}

std::shared_ptr<const account::Account> SendLane::FindAccount() const {
  return effects().FindAccount(item().reply.conversation());
}

std::string_view SendLane::channel_name() const { return identity::ChannelName(item().reply.conversation().channel()); }

}  // namespace sender
