#include "tests/sim/fake_group.h"

#include <algorithm>
#include <chrono>
#include <utility>

#include "libs/base/str_cat.h"
#include "tests/sim/world.h"

namespace sim {
namespace {

using std::chrono::milliseconds;
using std::chrono::seconds;

constexpr base::Duration kCommitDelayMax = milliseconds(300);
constexpr base::Duration kCommitRetryDelay = milliseconds(500);
constexpr base::Duration kFetchRetryDelay = milliseconds(300);
constexpr base::Duration kToldOfLossMax = seconds(3);  // a heartbeat's time after it wakes

}  // namespace

FakeGroup::FakeGroup(World* world, Topic topic)
    : world_(world), topic_(topic), places_(static_cast<std::size_t>(world->log.partitions())) {}

void FakeGroup::Join(GroupMember* member) {
  if (std::find(members_.begin(), members_.end(), member) == members_.end()) members_.push_back(member);
  Rebalance();
}

void FakeGroup::OnSilent(GroupMember* member) {
  std::erase(members_, member);
  for (std::size_t partition = 0; partition < places_.size(); ++partition) {
    if (places_[partition].owner == member) Give(static_cast<int>(partition), Known(nullptr));
  }
}

GroupMember* FakeGroup::Known(GroupMember* wanted) {
  if (std::find(members_.begin(), members_.end(), wanted) != members_.end()) return wanted;
  return members_.empty() ? nullptr : members_[world_->random.Below(members_.size())];
}

void FakeGroup::Rebalance() {
  if (members_.empty()) return;
  for (std::size_t partition = 0; partition < places_.size(); ++partition) {
    GroupMember* next = members_[world_->random.Below(members_.size())];
    Place& place = places_[partition];
    if (place.owner == next || place.moving) continue;
    if (place.owner == nullptr) {
      Give(static_cast<int>(partition), next);
    } else {
      Move(static_cast<int>(partition), next);
    }
  }
}

void FakeGroup::Move(int partition, GroupMember* to) {
  Place& place = places_[static_cast<std::size_t>(partition)];
  place.moving = true;
  const std::uint64_t assignment = place.assignment;
  GroupMember* from = place.owner;
  const auto go_on = [this, partition, assignment, to] {
    Place& now = places_[static_cast<std::size_t>(partition)];
    if (now.moving && now.assignment == assignment) Give(partition, Known(to));
  };
  from->process()->After(world_->Latency(), [this, from, partition, assignment, go_on] {
    from->Revoke(partition, assignment, /*lost=*/false);
    world_->time.After(world_->Latency(), go_on);
  });
  world_->time.After(world_->session_time, go_on);  // it didn't answer in time
}

void FakeGroup::Give(int partition, GroupMember* to) {
  Place& place = places_[static_cast<std::size_t>(partition)];
  if (GroupMember* from = place.owner; from != nullptr && from->process()->alive()) {
    const std::uint64_t old = place.assignment;
    from->process()->After(world_->random.UpTo(kToldOfLossMax),
                           [from, partition, old] { from->Revoke(partition, old, /*lost=*/true); });
  }
  place.owner = to;
  place.moving = false;
  place.assignment = ++assignments_;
  if (to == nullptr) return;
  world_->Trace(
      [&] { return to->process()->name() + " gets " + std::string(NameOf(topic_)) + "/" + std::to_string(partition); });
  to->process()->After(world_->Latency(), [this, to, partition, assignment = place.assignment] {
    if (places_[static_cast<std::size_t>(partition)].assignment == assignment) to->Assign(partition, assignment);
  });
}

bool FakeGroup::Commit(int partition, std::uint64_t assignment, std::int64_t offset, const std::string& metadata) {
  Place& place = places_[static_cast<std::size_t>(partition)];
  if (place.assignment != assignment) return false;
  place.offset = offset;
  place.metadata = metadata;
  return true;
}

bool FakeGroup::AllCommitted() const {
  for (std::size_t partition = 0; partition < places_.size(); ++partition) {
    const std::int64_t end = world_->log.End(topic_, static_cast<int>(partition));
    if (end > 0 && places_[partition].offset < end) return false;
  }
  return true;
}

std::string FakeGroup::Unfinished() const {
  std::string text;
  for (std::size_t partition = 0; partition < places_.size(); ++partition) {
    const Place& place = places_[partition];
    const std::int64_t end = world_->log.End(topic_, static_cast<int>(partition));
    if (place.offset >= end) continue;
    text += base::StrCat(NameOf(topic_), "/", partition, " is committed to ", place.offset, " of ", end, ", held by ",
                         place.owner == nullptr ? "nobody" : place.owner->process()->name(), "; ");
  }
  return text;
}

GroupMember::GroupMember(World* world, Process* process, FakeGroup* group, MemberHandler* handler)
    : world_(world),
      process_(process),
      group_(group),
      handler_(handler),
      gap_repair_(&table_, [this](const auto& gaps) { return Seek(gaps); }) {
  world_->log.OnAppend(group->topic(), [this](int partition) {
    if (process_->alive()) Fetch(partition);
  });
}

bus::TopicPartition GroupMember::Name(int partition) const { return {std::string(NameOf(group_->topic())), partition}; }

void GroupMember::Assign(int partition, std::uint64_t assignment) {
  if (held_.contains(partition)) Revoke(partition, held_.at(partition).assignment, /*lost=*/true);
  const std::int64_t committed = group_->committed(partition);
  table_.Assign(Name(partition), committed, group_->metadata(partition));
  Held held;
  held.assignment = assignment;
  held.position = std::max<std::int64_t>(committed, 0);
  held_[partition] = held;
  handler_->OnAssigned(partition);
  Fetch(partition);
}

void GroupMember::Revoke(int partition, std::uint64_t assignment, bool lost) {
  const auto found = held_.find(partition);
  if (found == held_.end() || found->second.assignment != assignment) return;
  world_->Trace([&] {
    return process_->name() + (lost ? " learns that it lost " : " gives up ") + std::string(NameOf(group_->topic())) +
           "/" + std::to_string(partition);
  });
  handler_->OnRevoked(partition, lost);
  if (!lost) {  // the last commit, on which the rebalance waits; it may fail
    for (auto& commit : table_.UncommittedOf({Name(partition)})) {
      if (!world_->BrokerDown() && world_->FateOf(*process_) != Fate::kNotDone) {
        group_->Commit(partition, assignment, commit.offset, commit.metadata);
      }
    }
  }
  table_.Revoke(Name(partition));
  held_.erase(partition);
  process_->After({}, [this] { ServeNotes(); });
}

void GroupMember::MarkDone(int partition, std::int64_t offset) {
  table_.MarkDone(Name(partition), offset);
  CommitLater();
}

void GroupMember::Note(int partition, std::int64_t offset, std::uint32_t note, std::function<void(bool)> on_durable) {
  const auto ticket = table_.SetNote(Name(partition), offset, note);
  if (on_durable == nullptr) return;
  if (!ticket) return on_durable(false);
  notes_waiting_.push_back({*ticket, std::move(on_durable)});
  process_->After({}, [this] { CommitNow(); });
}

void GroupMember::ServeNotes() {
  using State = bus::internal::PartitionTable::NoteState;
  std::vector<std::pair<std::function<void(bool)>, bool>> due;
  std::erase_if(notes_waiting_, [&](NoteWaiter& waiter) {
    const State state = table_.StateOf(waiter.ticket);
    if (state == State::kOnTheWay) return false;
    due.emplace_back(std::move(waiter.on_durable), state == State::kDurable);
    return true;
  });
  for (const auto& [on_durable, durable] : due) on_durable(durable);
}

void GroupMember::Pause(int partition) {
  const auto found = held_.find(partition);
  if (found != held_.end()) found->second.paused = true;
}

void GroupMember::Resume(int partition) {
  const auto found = held_.find(partition);
  if (found == held_.end() || !std::exchange(found->second.paused, false)) return;
  Fetch(partition);
}

void GroupMember::Fetch(int partition) {
  const auto found = held_.find(partition);
  if (found == held_.end()) return;
  Held& held = found->second;
  if (held.fetching || held.paused || held.position >= world_->log.End(group_->topic(), partition)) return;
  held.fetching = true;
  const base::Duration wait = world_->BrokerDown() ? kFetchRetryDelay : base::Duration();
  process_->After(wait + world_->Latency(), [this, partition, assignment = held.assignment] {
    const auto still = held_.find(partition);
    if (still == held_.end() || still->second.assignment != assignment) return;
    still->second.fetching = false;
    if (!world_->BrokerDown()) Take(partition);
    Fetch(partition);
  });
}

void GroupMember::Take(int partition) {
  for (std::uint64_t count = 1 + world_->random.Below(4); count > 0; --count) {
    const auto held = held_.find(partition);  // a handler may pause it
    if (held == held_.end() || held->second.paused) return;
    if (held->second.position >= world_->log.End(group_->topic(), partition)) return;
    TakeOne(partition, held->second);
  }
}

void GroupMember::TakeOne(int partition, Held& held) {
  const std::int64_t end = world_->log.End(group_->topic(), partition);
  std::int64_t offset = held.position;
  // Not of the first record ever: without a commit any first offset is right, for the log may have been cut.
  // And no record is skipped twice: then it's taken to be gone from the log.
  if (held.position > 0 && offset + 1 < end && held.skipped != offset && world_->GapHappens()) held.skipped = offset++;
  held.position = offset + 1;
  using Verdict = bus::internal::PartitionTable::Verdict;
  const bus::internal::PartitionTable::Begun begun = table_.Begin(Name(partition), offset, /*log_end=*/-1);
  switch (begun.verdict) {
    case Verdict::kWork: {
      bus::Record record = world_->log.records(group_->topic(), partition)[static_cast<std::size_t>(offset)];
      record.note = begun.note;
      handler_->OnRecord(std::move(record));
      return;
    }
    case Verdict::kGap:
      return gap_repair_.Try(world_->time.now());
    case Verdict::kBehindGap:
      return;
    case Verdict::kSkip:
    case Verdict::kLogReset:
      CommitLater();
      return;
  }
}

std::vector<absl::Status> GroupMember::Seek(const std::vector<bus::internal::PartitionTable::Gap>& gaps) {
  std::vector<absl::Status> results;
  for (const auto& gap : gaps) {
    const bool fails = world_->BrokerDown() || world_->SeekFails();
    world_->Trace([&] {
      return base::StrCat(process_->name(), " fetches ", gap.partition.topic, "/", gap.partition.partition,
                          " again from @", gap.next_offset, fails ? ", in vain" : "");
    });
    results.push_back(fails ? absl::UnavailableError("seek") : absl::OkStatus());
    if (fails) {
      process_->After(bus::internal::GapRepair::kRetryDelay, [this] { gap_repair_.Serve(world_->time.now()); });
    } else {
      const int partition = gap.partition.partition;
      held_.at(partition).position = gap.next_offset;
      process_->After({}, [this, partition] { Fetch(partition); });
    }
  }
  return results;
}

void GroupMember::CommitLater() {
  if (std::exchange(commit_due_, true)) return;
  process_->After(world_->random.UpTo(kCommitDelayMax), [this] { CommitNow(); });
}

// One commit is on the way at a time, or an older one could land behind a newer one.
void GroupMember::CommitNow() {
  commit_due_ = false;
  if (commits_on_the_way_ > 0) return CommitLater();
  for (auto& commit : table_.Uncommitted()) {
    const int partition = commit.partition.partition;
    if (world_->mistake == Mistake::kCommitPastUnfinished) {
      commit.offset = held_.at(partition).position;
      commit.metadata.clear();
    }
    SendCommit(partition, held_.at(partition).assignment, std::move(commit));
  }
  ServeNotes();
}

void GroupMember::SendCommit(int partition, std::uint64_t assignment, bus::internal::PartitionTable::Commit commit) {
  struct Sent {
    bus::internal::PartitionTable::Commit commit;
    bool taken = false;
  };
  auto sent = std::make_shared<Sent>(Sent{std::move(commit), false});
  ++commits_on_the_way_;
  world_->Call(
      *process_, /*up=*/!world_->BrokerDown(),
      [this, partition, assignment, sent] {
        sent->taken = group_->Commit(partition, assignment, sent->commit.offset, sent->commit.metadata);
      },
      [this, sent](bool answered) {
        --commits_on_the_way_;
        if (answered && sent->taken) {
          table_.NoteCommitted(sent->commit);
          ServeNotes();
          if (!notes_waiting_.empty()) process_->After({}, [this] { CommitNow(); });
        } else {
          process_->After(kCommitRetryDelay, [this] { CommitLater(); });
        }
      });
}

}  // namespace sim
