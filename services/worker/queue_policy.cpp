#include "services/worker/queue_policy.h"

#include <algorithm>

namespace worker {
namespace {

using Turns = std::vector<const QueuedTurn*>;

bool Contains(const Turns& turns, const std::string& turn_id) {
  return std::any_of(turns.begin(), turns.end(), [&](const QueuedTurn* turn) { return turn->turn_id == turn_id; });
}

// The waiting user turns, without second records of a turn that stands before them.
Turns UserTurns(const LaneView& lane) {
  Turns users;
  for (const QueuedTurn* turn : lane.waiting) {
    const bool is_second = Contains(users, turn->turn_id) || Contains(lane.leaving, turn->turn_id) ||
                           (lane.running != nullptr && lane.running->turn_id == turn->turn_id);
    if (turn->is_user_turn && !is_second) users.push_back(turn);
  }
  return users;
}

// A webhook that was retried for long arrives after messages that the user wrote later.
bool WasSentBefore(const QueuedTurn& a, const QueuedTurn& b) {
  return a.sent_at_ms != 0 && b.sent_at_ms != 0 && a.sent_at_ms < b.sent_at_ms;
}

// Without the late retries at the end of `users`, which were sent before one in front of them. Such a turn may have
// been answered long ago (only session knows, and may have forgotten), so it speaks for nothing that was sent after it.
void LeaveOutLateRetries(Turns& users) {
  std::size_t count = 0;
  std::int64_t newest_ms = 0;
  for (std::size_t index = 0; index < users.size(); ++index) {
    const std::int64_t sent_at_ms = users[index]->sent_at_ms;
    if (sent_at_ms == 0 || sent_at_ms >= newest_ms) count = index + 1;
    newest_ms = std::max(newest_ms, sent_at_ms);
  }
  users.resize(count);
}

std::vector<std::int64_t> OffsetsOf(const Turns& turns) {
  std::vector<std::int64_t> offsets;
  for (const QueuedTurn* turn : turns) offsets.push_back(turn->offset);
  return offsets;
}

std::optional<Takeover> Interrupt(const LaneView& lane, Turns users) {
  const QueuedTurn& newest = *users.back();
  users.pop_back();
  std::erase_if(users, [&](const QueuedTurn* turn) { return WasSentBefore(newest, *turn); });
  const bool stops_running = lane.running != nullptr && lane.running_may_stop && lane.running->is_user_turn &&
                             !WasSentBefore(newest, *lane.running);
  if (users.empty() && !stops_running) return std::nullopt;
  return Takeover{newest.offset, DropReason::kSuperseded, OffsetsOf(users), stops_running};
}

// The first turns of `users` that no pause separates. REQUIRES: users is not empty.
struct Group {
  std::size_t count = 1;
  base::MonotonicTime closes_at{};
};
Group FirstGroup(const Turns& users) {
  Group group;
  const base::Duration debounce = users.front()->debounce;
  const base::MonotonicTime latest = users.front()->read_at + kDebouncesMax * debounce;
  while (group.count < users.size() && users[group.count]->read_at <= users[group.count - 1]->read_at + debounce &&
         users[group.count]->read_at <= latest) {
    ++group.count;
  }
  // With a turn behind it the group cannot grow any more.
  group.closes_at = group.count < users.size() ? users[group.count - 1]->read_at
                                               : std::min(users[group.count - 1]->read_at + debounce, latest);
  return group;
}

}  // namespace

std::string_view ToString(DropReason reason) {
  switch (reason) {
    case DropReason::kSuperseded:
      return "superseded";
    case DropReason::kMerged:
      return "merged";
    case DropReason::kOverflow:
      return "overflow";
    case DropReason::kShed:
      return "shed";
    case DropReason::kUnsent:
      return "unsent";
    case DropReason::kHandoff:
      return "handoff";
    case DropReason::kOptedOut:
      return "opted_out";
    case DropReason::kCountry:
      return "country";
    case DropReason::kUnreadable:
      return "unreadable";
  }
  return "unknown";
}

mesh::bus::v1::DropPolicy ToProto(DropReason reason) {
  switch (reason) {
    case DropReason::kSuperseded:
      return mesh::bus::v1::DROP_POLICY_SUPERSEDED;
    case DropReason::kMerged:
      return mesh::bus::v1::DROP_POLICY_MERGED;
    case DropReason::kOverflow:
      return mesh::bus::v1::DROP_POLICY_OVERFLOW;
    case DropReason::kShed:
      return mesh::bus::v1::DROP_POLICY_SHED;
    case DropReason::kUnsent:
      return mesh::bus::v1::DROP_POLICY_UNSENT;
    case DropReason::kHandoff:
      return mesh::bus::v1::DROP_POLICY_HANDOFF;
    case DropReason::kOptedOut:
      return mesh::bus::v1::DROP_POLICY_OPTED_OUT;
    case DropReason::kCountry:
      return mesh::bus::v1::DROP_POLICY_COUNTRY;
    case DropReason::kUnreadable:
      return mesh::bus::v1::DROP_POLICY_UNREADABLE;
  }
  return mesh::bus::v1::DROP_POLICY_UNSPECIFIED;
}

DropReason ReasonOf(mesh::bus::v1::DropPolicy policy) {
  for (const DropReason reason :
       {DropReason::kMerged, DropReason::kOverflow, DropReason::kShed, DropReason::kUnsent, DropReason::kHandoff,
        DropReason::kOptedOut, DropReason::kCountry, DropReason::kUnreadable}) {
    if (ToProto(reason) == policy) return reason;
  }
  return DropReason::kSuperseded;
}

std::optional<Takeover> ProposeTakeover(const LaneView& lane, base::MonotonicTime now) {
  Turns users = UserTurns(lane);
  if (users.empty()) return std::nullopt;
  const QueueMode mode = users.back()->mode;
  if (mode == QueueMode::kInterrupt) {
    if (const std::optional<Takeover> takeover = Interrupt(lane, users)) return takeover;
  }
  if (users.size() > kLaneWaitingMax) {
    const QueuedTurn& newest = *users.back();
    users.pop_back();
    std::erase_if(users, [&](const QueuedTurn* turn) { return WasSentBefore(newest, *turn); });
    if (users.empty()) return std::nullopt;
    return Takeover{newest.offset, DropReason::kOverflow, OffsetsOf(users), /*stops_running=*/false};
  }
  if (mode != QueueMode::kCollect || lane.running != nullptr) return std::nullopt;
  const Group group = FirstGroup(users);
  if (group.count < 2 || now < group.closes_at) return std::nullopt;
  users.resize(group.count);
  LeaveOutLateRetries(users);
  if (users.size() < 2) return std::nullopt;
  const std::int64_t into = users.back()->offset;
  users.pop_back();
  return Takeover{into, DropReason::kMerged, OffsetsOf(users), /*stops_running=*/false};
}

std::optional<Takeover> ProposeShedding(const LaneView& lane) {
  Turns users = UserTurns(lane);
  const bool only_users =
      std::all_of(lane.waiting.begin(), lane.waiting.end(), [](const QueuedTurn* turn) { return turn->is_user_turn; });
  if (users.empty() || !only_users || lane.running != nullptr || !lane.leaving.empty()) return std::nullopt;
  LeaveOutLateRetries(users);
  const std::int64_t into = users.back()->offset;
  users.pop_back();
  return Takeover{into, DropReason::kShed, OffsetsOf(users), /*stops_running=*/false};
}

std::optional<base::MonotonicTime> HoldUntil(const LaneView& lane, base::MonotonicTime now) {
  const Turns users = UserTurns(lane);
  if (users.empty() || users.back()->mode != QueueMode::kCollect || lane.running != nullptr) return std::nullopt;
  const Group group = FirstGroup(users);
  if (now >= group.closes_at) return std::nullopt;
  return group.closes_at;
}

}  // namespace worker
