#pragma once

#include <cstddef>
#include <cstdint>
#include <optional>
#include <string_view>
#include <vector>

#include "libs/base/clock.h"
#include "proto/bus/v1/bus.pb.h"
#include "services/worker/queued_turn.h"

namespace worker {

// So many user turns of one conversation may wait; one more, and the newest takes the place of all. Far more than a
// person types during one answer, far less than a partition's window.
inline constexpr std::size_t kLaneWaitingMax = 64;

// A user who never stops typing is answered all the same, after so many times the debounce.
inline constexpr int kDebouncesMax = 10;

// Why a turn is not answered; the policy named on `audit` and in the outcome label of the metric.
enum class DropReason { kSuperseded, kMerged, kOverflow, kShed, kUnsent, kHandoff, kOptedOut, kCountry, kUnreadable };
std::string_view ToString(DropReason reason);
mesh::bus::v1::DropPolicy ToProto(DropReason reason);
DropReason ReasonOf(mesh::bus::v1::DropPolicy policy);  // kSuperseded for one that names no reason

// One conversation as its queue stands. Pointers into the tasks of the lane.
struct LaneView {
  const QueuedTurn* running = nullptr;
  bool running_may_stop = false;           // nothing of it has been said yet
  std::vector<const QueuedTurn*> leaving;  // being dropped just now
  std::vector<const QueuedTurn*> waiting;  // oldest first
};

// One turn takes the place of earlier ones.
struct Takeover {
  std::int64_t into_offset = 0;
  DropReason reason = DropReason::kSuperseded;
  std::vector<std::int64_t> offsets;  // waiting turns to drop, oldest first
  bool stops_running = false;         // the running turn is dropped too

  friend bool operator==(const Takeover&, const Takeover&) = default;
};

// What becomes of the turns that wait in one conversation, by the mode of its newest user turn:
//   interrupt  the newest takes the place of all before it, of the running one too while nothing of it has been said
//   collect    once the lane is free, neighbours no further apart than the debounce are one group, and its last turn
//              takes the place of the others; a group is closed when the debounce has passed after its last turn
//   all modes  with more than kLaneWaitingMax waiting, the newest takes the place of all before it that wait
//
// A turn is only ever dropped for a later turn of its own conversation, so the last user turn is never dropped here: it
// is answered or given up, and it speaks for those it replaced. (A turn that its user took back leaves the lane by
// itself, see TurnIntake; then nobody speaks for those it had replaced.) A second record of a turn that stands before
// it in the lane (a retried webhook) takes nobody's place and is not counted; nor does any turn take the place of one
// that the user sent after it: a retry that comes so late may have been answered, and then nobody would answer the
// other. Whether a turn was answered in an earlier life of the lane is for the caller to find out before it acts: the
// queue alone cannot know, and session may have forgotten. (Channels tell when a message was sent to the second; within
// one, order of arrival is all there is.)
//
// Why a crash between any two steps leaves exactly one answer, although a second life of the lane reads other arrival
// times and may group the turns differently: a takeover only counts once its Supersede stands in `replies`, and there
// the first record of a turn is what is said of it. Either a turn's Supersede came first, then whatever a second life
// says of it is ignored, and its replacement, which is later in `turns` and was not finished, is read again and
// answered; or a reply came first, then the turn was said and the Supersede comes too late. Time decides which turns
// are grouped; the log alone decides which are answered.
//
// Shedding (load_shedder.h) takes all that wait in a lane: the newest is not answered then but gets the account's
// notice, which is the first record of that turn in `replies` as an answer would be.
//
// Pure: no I/O, no clock of its own.

// The takeover that is due now, or nothing.
std::optional<Takeover> ProposeTakeover(const LaneView& lane, base::MonotonicTime now);

// The turns of a lane that waits for the engine in vain: the newest is told so for all of them, and `offsets` are the
// others. Nothing when its notice could overtake an answer: a turn runs, or one waits that is no user's.
std::optional<Takeover> ProposeShedding(const LaneView& lane);

// Until when the lane should not start its next turn, because more of its group may come; nothing: it may start.
std::optional<base::MonotonicTime> HoldUntil(const LaneView& lane, base::MonotonicTime now);

}  // namespace worker
