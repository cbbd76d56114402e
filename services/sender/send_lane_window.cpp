// What may be said now: the platform's window, files on their way, the template. The rest is in send_lane.cpp.
#include <algorithm>
#include <chrono>
#include <iterator>

#include "services/sender/send_lane.h"
#include "services/sender/send_window.h"

namespace sender {
namespace {

using mesh::bus::v1::REPLY_KIND_ANSWER;

constexpr base::Duration kFileWait = std::chrono::seconds(5);

bool IsOnItsWay(const ledger::Part& part) {
  return part.is_file && part.state == ledger::PartState::kSent &&
         part.delivery == mesh::bus::v1::DELIVERY_STATE_UNSPECIFIED;
}

bool HasTemplate(const mesh::bus::v1::Reply& reply) {
  return reply.rich_parts_size() > 0 && reply.rich_parts(0).has_template_();
}

}  // namespace

// Two answers that were given up long before the first one's template had its turn both wrote one.
bool SendLane::AsksOnceTooOften() const {
  const mesh::bus::v1::Reply& reply = item().reply;
  return ledger::IsFallback(reply.kind()) && HasTemplate(reply) &&
         ledger().AskedToWriteAgain(reply.conversation(), effects().WallMs());
}

// What is known of the user's last words: this reply's record, those of later ones that wait here or in `parked`.
bool SendLane::WindowClosed(const mesh::bus::v1::OutboundPart& content) const {
  // The platform is asked where the user may have spoken since without our knowledge: who requeues a reply does so
  // later.
  if (content.has_template_() || item().reply.user_spoke_at_ms() == 0 || item().reply.generation() > 0) return false;
  const auto account = FindAccount();
  if (account == nullptr) return false;
  std::int64_t user_spoke_at_ms = ledger().parked().UserSpokeAtMs(item().record.key);
  for (const Queued& queued : items_) {
    user_spoke_at_ms = std::max(user_spoke_at_ms, queued.item.reply.user_spoke_at_ms());
  }
  return IsWindowClosed(*account, user_spoke_at_ms, effects().WallMs());
}

// Text and buttons overtake a file that the platform still fetches (channels.md 3.1): they wait until a status says
// that it went out, for a while.
bool SendLane::WaitsForFile(const ledger::PlannedTurn& turn, std::size_t part) {
  const base::MonotonicTime now = effects().Now();
  base::MonotonicTime taken_at;
  if (part > 0) {
    if (!IsOnItsWay(turn.parts[part - 1])) return false;
    if (!head_.file_taken_at) head_.file_taken_at = now;
    taken_at = *head_.file_taken_at;
  } else {
    const ledger::PlannedTurn* const before = last_file_ ? ledger().Find(last_file_->key) : nullptr;
    if (before == nullptr || !IsOnItsWay(before->parts.back())) return false;
    taken_at = last_file_->taken_at;
  }
  const base::MonotonicTime until = taken_at + kFileWait;
  if (until <= now) return false;
  Enter(Phase::kWaiting);
  After(until - now, [this] { Step(); });
  return true;
}

void SendLane::RememberFile() {
  const ledger::PlannedTurn* const turn = planned();
  if (turn == nullptr || turn->parts.empty()) return;  // a withdrawal: what was sent before stays the last
  last_file_.reset();
  if (IsOnItsWay(turn->parts.back())) last_file_ = {turn->key, head_.file_taken_at.value_or(effects().Now())};
}

// A template costs money and the user's patience: for an answer of the model or a notice that it had none, never for
// what is said to somebody who wants no messages or talks to a person; once for all that wait, here or in `parked`, and
// at most one a day.
bool SendLane::OwesReengagement(const account::Account& account) const {
  const mesh::bus::v1::Reply& reply = item().reply;
  const bool is_policy =
      reply.kind() == REPLY_KIND_ANSWER && reply.finish_reason() == mesh::bus::v1::FINISH_REASON_UNSPECIFIED;
  if (account.reengage_template_name.empty() || is_policy || ledger::MeansSilence(reply.drop_policy())) return false;
  if (ledger().SilentSince(reply.conversation(), item().record.offset) ||
      ledger().AskedToWriteAgain(reply.conversation(), effects().WallMs()) ||
      ledger().parked().HoldUp(item().record.key)) {
    return false;
  }
  return std::none_of(std::next(items_.begin()), items_.end(), [&](const Queued& behind) {
    if (behind.supersedes) return ledger::MeansSilence(behind.item.reply.drop_policy());
    if (behind.superseded) return false;
    const mesh::bus::v1::Reply& other = behind.item.reply;
    const bool tells = !ledger::IsFallback(other.kind()) || HasTemplate(other);
    return tells && other.turn_id() != reply.turn_id();
  });
}

}  // namespace sender
