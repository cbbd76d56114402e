#pragma once

#include <cstdint>
#include <functional>
#include <map>
#include <memory>
#include <string>
#include <vector>

#include "libs/bus/internal/gap_repair.h"
#include "libs/bus/internal/partition_table.h"
#include "tests/sim/fake_log.h"
#include "tests/sim/timeline.h"

namespace sim {

class GroupMember;
class World;

// What a member hands its records to; as bus::ConsumerHandler, by partition number.
class MemberHandler {
 public:
  virtual ~MemberHandler() = default;
  virtual void OnAssigned(int partition) = 0;
  virtual void OnRevoked(int partition, bool lost) = 0;
  virtual void OnRecord(bus::Record record) = 0;
};

// A consumer group as the broker keeps it: who has which partition, and what is committed. A member that is silent for
// the session time loses its partitions without knowing, and goes on as a zombie until the broker tells it; only its
// commits are refused from the first moment (a commit carries the assignment it belongs to).
class FakeGroup {
 public:
  FakeGroup(World* world, Topic topic);

  void Join(GroupMember* member);
  void OnSilent(GroupMember* member);  // for the session time: dead, or frozen
  void Rebalance();

  bool Commit(int partition, std::uint64_t assignment, std::int64_t offset, const std::string& metadata);
  bool AllCommitted() const;       // up to the ends of the log
  std::string Unfinished() const;  // for a trace: what isn't
  std::int64_t committed(int partition) const { return places_[static_cast<std::size_t>(partition)].offset; }
  const std::string& metadata(int partition) const { return places_[static_cast<std::size_t>(partition)].metadata; }
  Topic topic() const { return topic_; }

 private:
  struct Place {
    GroupMember* owner = nullptr;
    std::uint64_t assignment = 0;
    bool moving = false;
    std::int64_t offset = -1;  // committed; < 0: never
    std::string metadata;
  };
  GroupMember* Known(GroupMember* wanted);  // it, or any other where the group doesn't know it (any more)
  void Move(int partition, GroupMember* to);
  void Give(int partition, GroupMember* to);

  World* const world_;
  const Topic topic_;
  std::vector<GroupMember*> members_;
  std::vector<Place> places_;
  std::uint64_t assignments_ = 0;
};

// One member's side: the real PartitionTable and GapRepair, with a poll loop in the order of libs/bus/consumer.cpp and
// group_rebalance.cpp, which are bound to librdkafka and can't run here.
class GroupMember {
 public:
  GroupMember(World* world, Process* process, FakeGroup* group, MemberHandler* handler);

  void MarkDone(int partition, std::int64_t offset);
  // As bus::Consumer::Note: committed at once.
  void Note(int partition, std::int64_t offset, std::uint32_t note, std::function<void(bool)> on_durable);
  void Pause(int partition);
  void Resume(int partition);

  // By the group, in the member's process.
  void Assign(int partition, std::uint64_t assignment);
  void Revoke(int partition, std::uint64_t assignment, bool lost);

  Process* process() const { return process_; }
  bool owns(int partition) const { return held_.contains(partition); }

 private:
  struct Held {
    std::uint64_t assignment = 0;
    std::int64_t position = 0;
    std::int64_t skipped = -1;  // by the last fetch with a gap
    bool fetching = false;
    bool paused = false;
  };
  bus::TopicPartition Name(int partition) const;
  void Fetch(int partition);
  void Take(int partition);
  void TakeOne(int partition, Held& held);
  std::vector<absl::Status> Seek(const std::vector<bus::internal::PartitionTable::Gap>& gaps);
  void ServeNotes();
  void CommitLater();
  void CommitNow();
  void SendCommit(int partition, std::uint64_t assignment, bus::internal::PartitionTable::Commit commit);

  World* const world_;
  Process* const process_;
  FakeGroup* const group_;
  MemberHandler* const handler_;
  bus::internal::PartitionTable table_;
  bus::internal::GapRepair gap_repair_;
  std::map<int, Held> held_;
  struct NoteWaiter {
    bus::internal::PartitionTable::NoteTicket ticket;
    std::function<void(bool)> on_durable;
  };
  std::vector<NoteWaiter> notes_waiting_;
  bool commit_due_ = false;
  int commits_on_the_way_ = 0;
};

}  // namespace sim
