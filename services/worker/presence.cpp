#include "services/worker/presence.h"

#include <algorithm>
#include <chrono>
#include <iterator>

#include "libs/identity/identity.h"
#include "libs/telemetry/log.h"

namespace worker {
namespace {

using channel::PresenceKind;

// Of an account's sends_per_second_max: what users wait for are the answers.
constexpr double kShareOfSends = 0.25;

// Nothing that is said of one user or message, but of the account as a whole: dead token, missing permission, too many
// calls.
bool ConcernsAccount(const channel::SendAnswer& answer) {
  return answer.error_class == channel::GraphErrorClass::kPermission || answer.verdict == channel::SendVerdict::kPark ||
         answer.backoff_scope == channel::BackoffScope::kAccount;
}

// A 2xx without an error object; there is no message id in it that would make it certain.
bool IsSuccess(int http_status, const channel::SendAnswer& answer) {
  return http_status >= 200 && http_status < 300 &&
         (answer.verdict == channel::SendVerdict::kAccepted || answer.verdict == channel::SendVerdict::kInDoubt);
}

}  // namespace

Presence::Shown Presence::Show(std::shared_ptr<const account::Account> account, const mesh::bus::v1::Turn& turn) {
  if (account->presence == "off" || channel::FindCodec(account->channel) == nullptr) return {};
  const bool is_typing = account->presence == "typing";
  Entry entry{.account = std::move(account), .user = turn.conversation().user(), .message_id = turn.message_id()};
  Call(entry, is_typing ? PresenceKind::kReadAndTyping : PresenceKind::kRead);
  if (!is_typing) return {};
  entry.due = parts_.clock->Now() + options_.renew_every;
  entries_.push_back(std::move(entry));
  Arm();
  return Shown(weak_from_this(), std::prev(entries_.end()));
}

void Presence::Call(const Entry& entry, PresenceKind kind) {
  const channel::Codec* codec = channel::FindCodec(entry.account->channel);
  for (channel::OutboundRequest& request : codec->EncodePresence(*entry.account, entry.user, entry.message_id, kind)) {
    Send(entry, std::move(request), kind == PresenceKind::kTyping);
  }
}

void Presence::Send(const Entry& entry, channel::OutboundRequest request, bool is_renewal) {
  const account::Account& account = *entry.account;
  if (const std::string_view reason = TakeRoom(account); !reason.empty()) {
    return parts_.metrics->CountPresence(account.channel, reason);
  }
  ++calls_;
  http::ClientRequest call;
  call.url = std::move(request.url);
  call.body = std::move(request.body);
  call.headers = {{"Content-Type", "application/json"}, {"Authorization", std::move(request.authorization)}};
  call.deadline = parts_.clock->Now() + options_.call_timeout;
  // Behind the answer a renewal would show "typing" for nobody. The first call goes out all the same: the message was
  // read.
  if (is_renewal) call.may_send = [over = entry.over] { return !*over; };
  parts_.http->Send(std::move(call), [weak = weak_from_this(), run_after = parts_.run_after, account = entry.account,
                                      over = entry.over](http::ClientResult result) {
    run_after(base::Duration::zero(), [weak, account, over, result = std::move(result)] {
      if (const std::shared_ptr<Presence> self = weak.lock()) self->OnEnd(*account, over, result);
    });
  });
}

std::string_view Presence::TakeRoom(const account::Account& account) {
  const base::MonotonicTime now = parts_.clock->Now();
  Budget& budget = budgets_[{account.channel, account.account_id}];
  if (now < budget.paused_until) return "paused";
  if (calls_ >= options_.calls_max) return "in_flight_max";
  const double rate_per_s = account.sends_per_second_max * kShareOfSends * parts_.share();
  return TakeToken(budget, rate_per_s, now) ? "" : "over_rate";
}

// A token bucket that holds what a second brings, or one.
bool Presence::TakeToken(Budget& budget, double rate_per_s, base::MonotonicTime now) const {
  const double burst = std::max(1.0, rate_per_s);
  const bool is_first = budget.refilled_at == base::MonotonicTime{};
  const double gained = is_first ? burst : base::ToSeconds(now - budget.refilled_at) * rate_per_s;
  budget.tokens = std::min(burst, budget.tokens + gained);
  budget.refilled_at = now;
  if (budget.tokens < 1) return false;
  budget.tokens -= 1;
  return true;
}

void Presence::OnEnd(const account::Account& account, const Over& over, const http::ClientResult& result) {
  --calls_;
  if (!result.ok) {
    const bool is_late = absl::IsAborted(result.failure.status);  // may_send
    return parts_.metrics->CountPresence(account.channel, is_late ? "answered_before" : "no_answer");
  }
  const channel::SendAnswer answer =
      channel::FindCodec(account.channel)->DecodeAnswer(result.response.status, result.response.body);
  if (IsSuccess(result.response.status, answer)) return parts_.metrics->CountPresence(account.channel, "sent");
  parts_.metrics->CountPresence(account.channel, "refused");
  if (ConcernsAccount(answer)) return Pause(account, answer);
  // What is wrong with this message or user is so at the next renewal, too.
  if (answer.verdict == channel::SendVerdict::kFail) *over = true;
}

void Presence::Pause(const account::Account& account, const channel::SendAnswer& answer) {
  const base::MonotonicTime now = parts_.clock->Now();
  base::MonotonicTime& until = budgets_[{account.channel, account.account_id}].paused_until;
  if (now >= until) {  // calls that were under way say the same again
    telemetry::LogWarning("presence_paused", {{"channel", identity::ChannelName(account.channel)},
                                              {"account", account.account_id},
                                              {"code", answer.error_code},
                                              {"error", answer.error_title},
                                              {"fbtrace_id", answer.fbtrace_id}});
  }
  until = now + options_.pause;
}

void Presence::Arm() {
  if (armed_ || entries_.empty()) return;
  armed_ = true;
  const base::Duration wait = entries_.front().due - parts_.clock->Now();
  parts_.run_after(std::max(wait, base::Duration::zero()), [weak = weak_from_this()] {
    if (const std::shared_ptr<Presence> self = weak.lock()) self->RenewDue();
  });
}

void Presence::RenewDue() {
  armed_ = false;
  const base::MonotonicTime now = parts_.clock->Now();
  while (!entries_.empty() && entries_.front().due <= now) {
    Entry& entry = entries_.front();
    if (!*entry.over) Call(entry, PresenceKind::kTyping);
    entry.due = now + options_.renew_every;
    entries_.splice(entries_.end(), entries_, entries_.begin());
  }
  Arm();
}

void Presence::End(Entries::iterator entry) {
  *entry->over = true;
  entries_.erase(entry);
}

Presence::Shown& Presence::Shown::operator=(Shown&& other) noexcept {
  End();
  presence_ = std::exchange(other.presence_, {});
  entry_ = other.entry_;
  return *this;
}

void Presence::Shown::End() {
  if (const std::shared_ptr<Presence> presence = std::exchange(presence_, {}).lock()) presence->End(entry_);
}

}  // namespace worker
