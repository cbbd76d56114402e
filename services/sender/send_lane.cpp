#include "services/sender/send_lane.h"

#include <algorithm>
#include <chrono>
#include <utility>

#include "libs/base/backoff.h"
#include "libs/base/hex.h"
#include "libs/fault/fault.h"
#include "libs/ledger/outcome.h"
#include "libs/telemetry/log.h"
#include "services/sender/park_remedy.h"
#include "services/sender/reply_parts.h"
#include "services/sender/retry_delay.h"

namespace sender {
namespace {

constexpr base::Duration kGatePoll = std::chrono::seconds(2);
constexpr base::Duration kThrottlePoll = std::chrono::seconds(1);

std::uint64_t SeedOf(const bus::Record& record) { return static_cast<std::uint64_t>(record.offset); }

std::string AccountName(const account::Account& account) {
  return std::string(identity::ChannelName(account.channel)) + "/" + account.account_id;
}

// The burst is the channel's pair-rate burst.
RateLimit UserLimit(const account::Account& account) {
  return {account.user_sends_per_second_max, static_cast<double>(account.user_burst_max)};
}

}  // namespace

SendLane::SendLane(const LaneContext& context, std::function<void()> on_empty)
    : context_(context), on_empty_(std::move(on_empty)) {}

SendLane::~SendLane() {
  if (head_.doubt) context_.metrics->in_doubt.Add(-1);
}

void SendLane::Push(Item item) {
  items_.push_back({std::move(item)});
  if (items_.size() == 1) Step();
}

void SendLane::PushReturned(Item item) {
  Queued queued{std::move(item)};
  queued.returned = true;
  items_.push_back(std::move(queued));
  if (items_.size() == 1) Step();
}

void SendLane::Supersede(Item item) {
  for (Queued& queued : items_) {
    if (queued.supersedes || queued.item.reply.turn_id() != item.reply.turn_id()) continue;
    // The notice of a reply that was given up is owed to the user all the same.
    if (!ledger::IsFallback(queued.item.reply.kind())) queued.superseded = true;
  }
  // Behind what it names, so that a restart meets it again as long as it meets any of that.
  items_.push_back({std::move(item), /*supersedes=*/true});
  if (items_.size() == 1 || phase_ == Phase::kWaiting) Step();
}

void SendLane::OnLedgerChange(const ledger::TurnKey& changed) {
  if (items_.empty() || (phase_ != Phase::kInDoubt && phase_ != Phase::kWaiting)) return;
  const bool is_file_before = last_file_ && changed == last_file_->key;  // what this one waits for
  if (changed == key() || is_file_before) Step();
}

void SendLane::Resume() {
  if (phase_ == Phase::kIdle && !items_.empty()) Step();
}

void SendLane::Step() {
  if (effects().FindCodec(item().reply.conversation().channel()) == nullptr) return RefuseChannel();
  if (items_.front().supersedes) return StepSupersede();
  const ledger::LedgerState::Verdict verdict = items_.front().returned
                                                   ? ledger().JudgeReturned(key(), item().record.offset)
                                                   : ledger().Judge(key(), item().record.offset);
  if (verdict == ledger::LedgerState::Verdict::kParked) return Done();  // another lane's now
  if (verdict == ledger::LedgerState::Verdict::kDuplicate) {
    return DropDuplicate();
  }
  const bool may_begin = !stopped_ && ledger().owned();
  if (verdict == ledger::LedgerState::Verdict::kNew) {
    // One that was parked ends as a PLAN without parts: until the ledger knows its end, its conversation stands still.
    const bool dropped_before = !key().fallback && ledger().TurnSuperseded(key().turn_id);
    if (dropped_before && !items_.front().returned) return DropSuperseded();
    if (may_begin) return MustPark() ? ParkReply() : Plan();
    Enter(Phase::kIdle);
    return;
  }
  const ledger::PlannedTurn& turn = *planned();
  if (SettledByEvidence(turn)) return;
  const ledger::Part* part = turn.FirstUnsettled();
  if (part == nullptr) return Finish(turn);
  if (may_begin) return Advance(turn, static_cast<std::size_t>(part - turn.parts.data()));
  Enter(Phase::kIdle);
}

void SendLane::StepSupersede() {
  if (ledger().TurnSuperseded(key().turn_id)) {
    const ledger::PlannedTurn* answer = planned();
    const bool too_late = answer != nullptr && (answer->Any(ledger::PartState::kSent) || answer->GivenUp());
    if (!too_late && MustAudit()) return WriteDrop();
    // Whatever was planned of it has told its own end.
    return ledger().TurnPlanned(key().turn_id) ? Done() : DropSuperseded();
  }
  if (stopped_ || !ledger().owned()) {
    Enter(Phase::kIdle);
    return;
  }
  Append(ledger::MakeSupersede(key().turn_id, item().reply.conversation(), item().reply.drop_policy(),
                               item().record.offset, effects().WallMs()),
         [this](std::int64_t) { Step(); });
}

// The turn was withdrawn before this was planned. Its text may stand in the history by now.
void SendLane::DropSuperseded() {
  context_.metrics->CountDrop("superseded");
  ReportOutcome(mesh::session::v1::OUTCOME_SUPERSEDED);
  if (head_.report) head_.report->clear_reply_text();  // never said: an earlier generation's words may have been
  Done();
}

void SendLane::DropDuplicate() {
  context_.metrics->CountDrop("duplicate");
  // A second record means that a re-run may have projected it into a history that had lost the first one's outcome. Its
  // words are not what was said, so they are not told.
  const ledger::PlannedTurn* first = planned();
  if (first != nullptr && first->Settled() && !first->Parked() && !first->key.fallback) {
    head_.report = ledger::ReportWithoutText(*first, ledger::OutcomeOf(*first));
  }
  Done();
}

void SendLane::Plan() {
  std::vector<mesh::bus::v1::OutboundPart> parts;
  if (!Withdrawn() && !AsksOnceTooOften()) {
    const auto account = FindAccount();
    parts = PartsOf(item().reply, *effects().FindCodec(item().reply.conversation().channel()),
                    account == nullptr ? channel::kTextPartsMax : PartsInTime(*account));
  }
  Append(ledger::MakePlan(item().reply, parts, item().record.offset, *ledger().term(), effects().WallMs()),
         [this](std::int64_t) {
           fault::Here("sender_planned");
           Step();
         });
}

// As many as can be said within the account's deadline, so that one long answer does not hold up the next for minutes.
std::size_t SendLane::PartsInTime(const account::Account& account) const {
  const base::MonotonicTime now = effects().Now();
  return context_.limiter->UserSendsUntil(now, item().record.key, UserLimit(account),
                                          now + std::chrono::seconds(account.turn_deadline_s));
}

bool SendLane::Withdrawn() const {
  return items_.front().superseded || (!key().fallback && ledger().TurnSuperseded(key().turn_id));
}

// Its account cannot send, or an earlier reply of the conversation waits in `parked`.
bool SendLane::MustPark() const {
  if (items_.front().returned || Withdrawn()) return false;
  const auto account = FindAccount();
  if (account == nullptr) return false;  // given up
  return context_.gate->Closed(*account) || ledger().parked().HoldUp(item().record.key);
}

void SendLane::Advance(const ledger::PlannedTurn& turn, std::size_t part) {
  const ledger::Part& state = turn.parts[part];
  if (state.state == ledger::PartState::kClaimed) {
    // Both decisions are about one CLAIM; another sender's may have taken its place since.
    const bool own = state.claim_term == head_.claim_term && ledger().term() == head_.claim_term;
    const bool too_late = WindowClosed(state.content);
    if (head_.unposted_claim == part && own) {
      if (!too_late) return TryClaim(part, state.resends);
      if (state.resends == 0) return Release(part, state.claim_offset, [this] { Step(); });
    } else if (head_.resend_over != state.claim_offset) {
      return WatchDoubt(turn, part);
    } else if (!too_late) {
      return TryClaim(part, state.resends + 1);
    }
    return ParkPart(part, state.claim_offset);  // nobody knows whether an earlier try was shown
  }
  if (turn.Parked()) return ParkPart(part, /*claim_offset=*/0);
  // Of a withdrawn reply of which one part was dropped, the others are too: a successor knows it from the ledger alone.
  if (turn.Superseded() || (Withdrawn() && !turn.ClaimStands())) {
    return Append(ledger::MakeSuperseded(state.id, *ledger().term(), effects().WallMs()),
                  [this](std::int64_t) { Step(); });
  }
  // What a predecessor gave up, this one gives up as well: the user must not see a reply's rest without its beginning.
  if (!head_.give_up && turn.GivenUp()) head_.give_up = ReasonGivenUp(turn);
  if (!head_.give_up && FindAccount() == nullptr) {
    head_.give_up = bus::DeadLetterReason::kUnknownAccount;
    head_.give_up_detail = "the account is not configured";
  }
  if (!head_.give_up && WindowClosed(state.content)) {
    if (state.resends > 0) return ParkPart(part, /*claim_offset=*/0);
    head_.give_up = bus::DeadLetterReason::kWindowClosed;
    head_.give_up_detail = "too long after the user's last message; not sent";
  }
  if (head_.give_up) return FailPart(part, /*claim_offset=*/0);
  if (WaitsForFile(turn, part)) return;
  TryClaim(part, state.resends);
}

void SendLane::TryClaim(std::size_t part, std::uint32_t resends) {
  const auto account = FindAccount();
  // Only a standing CLAIM comes here without one, and the policy for its doubt went with the account.
  if (account == nullptr) return ParkPart(part, planned()->parts[part].claim_offset);
  if (MustPark()) {
    const std::int64_t unposted = planned()->parts[part].claim_offset;
    // Given back, or its next owner would be in doubt about it.
    if (head_.unposted_claim == part) return Release(part, unposted, [this] { Step(); });
    return ParkReply();
  }
  if (WaitsForLimits(part, *account)) return;
  if (!head_.slot.held()) head_.slot = context_.slots->TryTake(AccountName(*account));
  if (!head_.slot.held()) {
    const std::uint64_t step = Enter(Phase::kWaiting);
    return context_.slots->Wait(AccountName(*account), [self = shared_from_this(), step] {
      if (self->step_ == step) self->Step();
    });
  }
  if (!context_.gate->MayTry(*account, effects().Now())) {
    head_.slot.GiveUp();
    Enter(Phase::kWaiting);
    return After(kGatePoll, [this] { Step(); });
  }
  if (HeldBack(*account)) return;
  Claim(part, resends);
}

bool SendLane::HeldBack(const account::Account& account) {
  const base::MonotonicTime now = effects().Now();
  const absl::Status may_send = context_.throttle->MaySend(account, now);
  if (may_send.ok()) {
    // The deadline is for what the platform refuses, not for what we do not ask.
    if (head_.held_since && head_.first_refused_at) *head_.first_refused_at += now - *head_.held_since;
    head_.held_since.reset();
    return false;
  }
  if (!head_.held_since) head_.held_since = now;
  head_.slot.GiveUp();
  context_.metrics->throttled.Increment();
  telemetry::Log(telemetry::LogLevel::kDebug, "send_held_back", item().trace,
                 {{"channel", channel_name()}, {"error", may_send.message()}});
  Enter(Phase::kWaiting);
  // Spread, or all that wait would come back at once.
  After(base::BackoffDelay(/*attempt=*/1, kThrottlePoll, kThrottlePoll, SeedOf(item().record)), [this] { Step(); });
  return true;
}

bool SendLane::WaitsForLimits(std::size_t part, const account::Account& account) {
  const base::MonotonicTime now = effects().Now();
  if (head_.reserved_part != part) {
    // The account's burst is one second's worth.
    head_.reserved_for = context_.limiter->Reserve(now, AccountName(account),
                                                   {account.sends_per_second_max, account.sends_per_second_max},
                                                   item().record.key, UserLimit(account));
    head_.reserved_part = part;
    const base::Duration wait = head_.reserved_for - now;
    context_.metrics->rate_limit_wait_seconds.Observe(base::ToSeconds(std::max(base::Duration::zero(), wait)));
  }
  const base::MonotonicTime at =
      std::max({head_.reserved_for, head_.not_before, context_.limiter->HeldUntil(AccountName(account))});
  if (at <= now) return false;
  Enter(Phase::kWaiting);
  After(at - now, [this] { Step(); });
  return true;
}

void SendLane::Claim(std::size_t part, std::uint32_t resends) {
  const base::MonotonicTime claimed_at =
      effects().Now();  // before the append: the lease can only be shorter than it says
  head_.unposted_claim = part;
  head_.claim_term = *ledger().term();
  Append(ledger::MakeClaim(ReplyIdOf(part), head_.claim_term, resends, effects().WallMs()),
         [this, part, claimed_at](std::int64_t offset) { OnClaimed(part, offset, claimed_at); });
}

void SendLane::OnClaimed(std::size_t part, std::int64_t claim_offset, base::MonotonicTime claimed_at) {
  fault::Here("sender_claimed");
  const ledger::PlannedTurn* turn = planned();
  const bool revoked = context_.lease->revoked.load(std::memory_order_acquire);
  if (turn != nullptr && !revoked && ledger().MayPost(ReplyIdOf(part), claim_offset) &&
      effects().Now() < claimed_at + context_.options.lease) {
    return Post(*turn, part, claim_offset, claimed_at);
  }
  head_.slot.GiveUp();
  // Nothing was posted under this claim. A successor is told so; otherwise it is claimed afresh.
  if (revoked || stopped_ || !ledger().owned()) return Release(part, claim_offset, [this] { Step(); });
  Step();
}

void SendLane::Post(const ledger::PlannedTurn& turn, std::size_t part, std::int64_t claim_offset,
                    base::MonotonicTime claimed_at) {
  const auto account = FindAccount();
  if (account == nullptr) {
    head_.slot.GiveUp();
    return Release(part, claim_offset, [this] { Step(); });
  }
  Effects::Send send;
  send.request = effects()
                     .FindCodec(account->channel)
                     ->EncodePart(*account, item().reply.conversation().user(), turn.parts[part].content,
                                  part == 0 ? item().reply.in_reply_to_message_id() : std::string(),
                                  base::ToHex(ReplyIdOf(part).value()));
  send.trace = item().trace;
  send.timeout = context_.options.post_timeout;
  send.may_send = [lease = context_.lease, effects = context_.effects, until = claimed_at + context_.options.lease] {
    return !lease->revoked.load(std::memory_order_acquire) && effects->Now() < until;
  };
  head_.posted_as = account;
  head_.unposted_claim.reset();
  head_.resend_over = 0;
  const std::uint64_t step = Enter(Phase::kBusy);
  effects().Post(std::move(send), [self = shared_from_this(), step, part, claim_offset,
                                   posted_at = effects().Now()](http::ClientResult result) {
    if (self->step_ == step) self->OnPosted(part, claim_offset, posted_at, std::move(result));
  });
}

void SendLane::OnPosted(std::size_t part, std::int64_t claim_offset, base::MonotonicTime posted_at,
                        http::ClientResult result) {
  fault::Here("sender_posted");
  head_.slot.GiveUp();
  context_.metrics->ObserveSend(channel_name(), base::ToSeconds(effects().Now() - posted_at));
  if (result.ok) return OnAnswer(part, claim_offset, result.response);
  OnNoAnswer(part, claim_offset, result.failure);
}

void SendLane::OnAnswer(std::size_t part, std::int64_t claim_offset, const http::Response& response) {
  const channel::SendAnswer answer =
      effects().FindCodec(item().reply.conversation().channel())->DecodeAnswer(response.status, response.body);
  context_.throttle->OnAnswer(*head_.posted_as, answer, effects().Now());
  switch (answer.verdict) {
    case channel::SendVerdict::kAccepted: {
      context_.metrics->CountSend(channel_name(), "sent");
      context_.gate->Open(*head_.posted_as);
      head_.file_taken_at = effects().Now();
      return Append(
          ledger::MakeSent(ReplyIdOf(part), head_.claim_term, claim_offset, answer.message_id, effects().WallMs()),
          [this](std::int64_t) {
            fault::Here("sender_sent");
            Step();
          });
    }
    case channel::SendVerdict::kRetry:
      context_.metrics->CountSend(channel_name(), "retry");
      return RetryLater(part, claim_offset, answer, response.Header("retry-after"));
    case channel::SendVerdict::kPark:
      context_.metrics->CountSend(channel_name(), "parked");
      return ParkAccount(part, claim_offset, answer.error_code, RemedyFor(answer.error_class));
    case channel::SendVerdict::kFail:
      context_.metrics->CountSend(channel_name(), "failed");
      telemetry::Log(telemetry::LogLevel::kWarning, "send_refused", item().trace,
                     {{"channel", channel_name()},
                      {"account", head_.posted_as->account_id},
                      {"turn", base::ToHex(key().turn_id)},
                      {"part", part},
                      {"error_code", answer.error_code},
                      {"error_subcode", answer.error_subcode},
                      {"fbtrace_id", answer.fbtrace_id}});
      head_.give_up = answer.error_class == channel::GraphErrorClass::kWindow ? bus::DeadLetterReason::kWindowClosed
                                                                              : bus::DeadLetterReason::kSendFailed;
      head_.give_up_detail = answer.error_title;
      head_.give_up_code = answer.error_code;
      return FailPart(part, claim_offset);
    case channel::SendVerdict::kInDoubt:
      break;
  }
  context_.metrics->CountSend(channel_name(), "in_doubt");
  Step();  // the claim stands, posted and unanswered: Advance watches it
}

void SendLane::OnNoAnswer(std::size_t part, std::int64_t claim_offset, const http::ClientFailure& failure) {
  context_.throttle->OnNoAnswer(*head_.posted_as, failure, effects().Now());
  if (failure.certainty == http::SendCertainty::kMaybeSent) {
    context_.metrics->CountSend(channel_name(), "in_doubt");
    return Step();
  }
  context_.metrics->CountSend(channel_name(), "not_sent");
  switch (failure.status.code()) {
    case absl::StatusCode::kAborted:  // our own word: the lease had run out or the partition is gone
      return Release(part, claim_offset, [this] { Step(); });
    case absl::StatusCode::kInvalidArgument:  // the account's URL can never work; waiting for a corrected file loses
                                              // nothing
      return ParkAccount(part, claim_offset, /*error_code=*/-1, kUnusableRequestRemedy);
    default: {
      channel::SendAnswer none;  // of no error that Graph names
      none.error_title = std::string(failure.status.message());
      return RetryLater(part, claim_offset, none, {});
    }
  }
}

void SendLane::ParkAccount(std::size_t part, std::int64_t claim_offset, std::int32_t error_code,
                           std::string_view remedy) {
  // What was refused is the token of that POST: a newer one may have been read meanwhile, and it must open the gate.
  context_.gate->Park(*head_.posted_as, effects().Now());
  telemetry::Log(telemetry::LogLevel::kError, "account_parked", item().trace,
                 {{"channel", channel_name()},
                  {"account", head_.posted_as->account_id},
                  {"error_code", error_code},
                  {"remedy", remedy}});
  Release(part, claim_offset, [this] { Step(); });  // which parks the reply
}

void SendLane::Release(std::size_t part, std::int64_t claim_offset, std::function<void()> next) {
  head_.unposted_claim.reset();
  head_.reserved_part.reset();  // a new try is a new call at the platform, so it takes a new token
  Append(ledger::MakeRelease(ReplyIdOf(part), head_.claim_term, claim_offset, effects().WallMs()),
         [next = std::move(next)](std::int64_t) { next(); });
}

void SendLane::RetryLater(std::size_t part, std::int64_t claim_offset, const channel::SendAnswer& answer,
                          std::string_view retry_after) {
  const base::MonotonicTime now = effects().Now();
  const auto account = FindAccount();
  if (!head_.first_refused_at) head_.first_refused_at = now;
  const RetryDelay retry =
      DelayAfterRefusal(answer.backoff_scope, ++head_.refusals, retry_after, SeedOf(item().record));
  const base::Duration budget = std::chrono::seconds(account == nullptr ? 0 : account->turn_deadline_s);
  const bool too_late = now + retry.delay > *head_.first_refused_at + budget;
  if (too_late || (answer.retry_once && head_.refusals > 1)) {
    // What is refused again and again may be the file itself; then the rest is said all the same.
    const bool is_files = planned()->parts[part].is_file && answer.backoff_scope == channel::BackoffScope::kReply;
    head_.give_up = too_late && !is_files ? bus::DeadLetterReason::kDeadline : bus::DeadLetterReason::kSendFailed;
    head_.give_up_detail = answer.error_title;
    head_.give_up_code = answer.error_code;
    return FailPart(part, claim_offset);
  }
  if (retry.whole_account) context_.limiter->Hold(AccountName(*account), now + retry.delay);
  head_.not_before = now + retry.delay;
  Release(part, claim_offset, [this] { Step(); });
}

void SendLane::FailPart(std::size_t part, std::int64_t claim_offset) {
  const std::int64_t term = claim_offset == 0 ? *ledger().term() : head_.claim_term;
  Append(ledger::MakeFailed(ReplyIdOf(part), term, claim_offset, head_.give_up_code, bus::ToString(*head_.give_up),
                            effects().WallMs()),
         [this](std::int64_t) {
           const ledger::PlannedTurn* const turn = planned();
           if (turn != nullptr && !turn->GivenUp()) {  // the other parts are said
             head_.give_up.reset();
             head_.first_refused_at.reset();
             head_.refusals = 0;
           }
           Step();
         });
}

}  // namespace sender
