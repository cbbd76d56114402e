#pragma once

#include <cstdint>
#include <map>
#include <mutex>
#include <optional>
#include <string>
#include <string_view>
#include <vector>

#include "libs/bus/offset_tracker.h"
#include "libs/bus/record.h"

namespace bus::internal {

// What one member of a group knows of the partitions it owns: offsets finished, committed and wanted next, and which
// partitions should rest. The consumer does what the table says; the table knows nothing of librdkafka, so that its
// rules are tested without a broker.
//
// Threading: any thread; MarkDone and SetPaused come from workers, the rest from the poll thread.
class PartitionTable {
 public:
  // What to do with a record that was read.
  enum class Verdict {
    kWork,       // hand it over
    kSkip,       // finished or in flight already, or the partition is not owned: drop it
    kGap,        // offsets before it were not seen: fetch again from the first of them, and drop it
    kBehindGap,  // as kGap, and fetching has not gone back yet since: drop it
    kLogReset,   // the log behind it is a new one: what is known of the partition is void
  };
  struct Begun {
    Verdict verdict = Verdict::kSkip;
    std::int64_t missing_count =
        0;                   // kWork: offsets before it that the log does not hold any more, though not finished
    std::uint32_t note = 0;  // kWork: as Record::note
  };

  // One partition's part of a commit.
  struct Commit {
    TopicPartition partition;
    std::int64_t offset = 0;
    std::string metadata;
    std::uint64_t assignment = 0;  // of the partition, that it belongs to
    std::uint64_t notes = 0;       // how many had been set by then
  };

  // A note on its way to the broker.
  struct NoteTicket {
    TopicPartition partition;
    std::uint64_t assignment = 0;
    std::uint64_t number = 0;
  };
  enum class NoteState { kOnTheWay, kDurable, kGone };  // kGone: the partition was revoked before

  // A partition that stands still: nothing of it beyond `next_offset` is worked on before that offset was fetched
  // again.
  struct Gap {
    TopicPartition partition;
    std::int64_t next_offset = 0;
  };

  // Partitions whose fetching must be changed.
  struct PauseChanges {
    std::vector<TopicPartition> pause;
    std::vector<TopicPartition> resume;
  };

  // `committed_offset` < 0: nothing was ever committed, reading starts at the first record kept. Returns whether the
  // metadata could be read.
  bool Assign(const TopicPartition& partition, std::int64_t committed_offset, std::string_view metadata);
  void Revoke(const TopicPartition& partition);

  // `log_end`: one past the last offset of the log as far as known, else < 0.
  Begun Begin(const TopicPartition& partition, std::int64_t offset, std::int64_t log_end);

  // Gaps for which fetching has not gone back yet. Until NoteFetchedAgain, or the missing offset comes by itself, every
  // later record of the partition is kBehindGap; from then on one that still leaves the gap is believed.
  std::vector<Gap> OpenGaps() const;
  void NoteFetchedAgain(const Gap& gap);  // ignored when it is not open any more

  void MarkDone(const TopicPartition& partition, std::int64_t offset);  // ignored when not owned
  void SetPaused(const TopicPartition& partition, bool paused);         // ignored when not owned

  // Notes a number of an offset in flight (OffsetTracker::SetNote); it is part of every commit from then on. nullopt:
  // not owned, not in flight, or too many.
  std::optional<NoteTicket> SetNote(const TopicPartition& partition, std::int64_t offset, std::uint32_t note);
  NoteState StateOf(const NoteTicket& ticket) const;
  bool IsPaused(const TopicPartition& partition) const;  // as last taken by TakePauseChanges

  PauseChanges TakePauseChanges();

  // What is finished and not known to be committed, of all owned partitions. A commit that failed is simply taken
  // again.
  std::vector<Commit> Uncommitted();
  std::vector<Commit> UncommittedOf(const std::vector<TopicPartition>& partitions);
  void NoteCommitted(const Commit& commit);

  bool IsOwned(const TopicPartition& partition) const;
  std::vector<TopicPartition> Owned() const;
  std::size_t paused_count() const;

 private:
  struct Partition {
    explicit Partition(std::int64_t next_offset, std::string_view metadata) : tracker(next_offset, metadata) {}

    OffsetTracker tracker;
    bool started = true;   // false: nothing committed and nothing read yet, so any first offset is right
    bool changed = false;  // since the last look for what to commit
    std::int64_t committed_offset = -1;
    std::string committed_metadata;
    std::uint64_t assignment = 0;
    std::uint64_t notes_set = 0;
    std::uint64_t notes_committed = 0;
    bool gap_open = false;             // records behind tracker.end() were dropped and fetching has not gone back
    std::int64_t gap_checked_at = -1;  // the next offset for which fetching went back already
    bool pause_wanted = false;
    bool pause_applied = false;
  };
  void AddUncommitted(const TopicPartition& partition, Partition& state, std::vector<Commit>* commits);

  mutable std::mutex mutex_;
  std::map<TopicPartition, Partition> partitions_;  // protected by mutex_
  std::uint64_t assignments_ = 0;                   // protected by mutex_
};

}  // namespace bus::internal
