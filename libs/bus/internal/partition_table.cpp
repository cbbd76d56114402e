#include "libs/bus/internal/partition_table.h"

#include <algorithm>

namespace bus::internal {

bool PartitionTable::Assign(const TopicPartition& partition, std::int64_t committed_offset, std::string_view metadata) {
  std::lock_guard lock(mutex_);
  partitions_.erase(partition);
  const bool committed = committed_offset >= 0;
  const std::int64_t next_offset = committed ? committed_offset : 0;
  Partition& state =
      partitions_.emplace(partition, Partition(next_offset, committed ? metadata : std::string_view())).first->second;
  state.assignment = ++assignments_;
  if (committed) {
    state.committed_offset = committed_offset;
    state.committed_metadata = metadata;
  } else {
    state.started = false;
  }
  return state.tracker.decoded_ok();
}

void PartitionTable::Revoke(const TopicPartition& partition) {
  std::lock_guard lock(mutex_);
  partitions_.erase(partition);
}

PartitionTable::Begun PartitionTable::Begin(const TopicPartition& partition, std::int64_t offset,
                                            std::int64_t log_end) {
  std::lock_guard lock(mutex_);
  const auto it = partitions_.find(partition);
  if (it == partitions_.end()) return {.verdict = Verdict::kSkip};
  Partition& state = it->second;
  const std::int64_t expected = state.tracker.end();
  if (offset < state.tracker.watermark() && log_end >= 0 && log_end < expected) return {.verdict = Verdict::kLogReset};
  const bool gap = state.started && offset > expected;
  if (gap && state.gap_open) return {.verdict = Verdict::kBehindGap};
  if (gap && state.gap_checked_at != expected) {
    state.gap_open = true;
    return {.verdict = Verdict::kGap};
  }
  if (offset >= expected) state.gap_open = false;
  state.started = true;
  const bool work = state.tracker.Begin(offset);
  if (!work) state.changed = true;  // the watermark may have moved over it
  return {.verdict = work ? Verdict::kWork : Verdict::kSkip,
          .missing_count = gap ? offset - expected : 0,
          .note = state.tracker.NoteOf(offset)};
}

std::vector<PartitionTable::Gap> PartitionTable::OpenGaps() const {
  std::vector<Gap> gaps;
  std::lock_guard lock(mutex_);
  for (const auto& [partition, state] : partitions_) {
    if (state.gap_open) gaps.push_back({.partition = partition, .next_offset = state.tracker.end()});
  }
  return gaps;
}

void PartitionTable::NoteFetchedAgain(const Gap& gap) {
  std::lock_guard lock(mutex_);
  const auto it = partitions_.find(gap.partition);
  if (it == partitions_.end() || !it->second.gap_open || it->second.tracker.end() != gap.next_offset) return;
  it->second.gap_open = false;
  it->second.gap_checked_at = gap.next_offset;
}

void PartitionTable::MarkDone(const TopicPartition& partition, std::int64_t offset) {
  std::lock_guard lock(mutex_);
  const auto it = partitions_.find(partition);
  if (it == partitions_.end()) return;
  it->second.tracker.Finish(offset);
  it->second.changed = true;
}

void PartitionTable::SetPaused(const TopicPartition& partition, bool paused) {
  std::lock_guard lock(mutex_);
  const auto it = partitions_.find(partition);
  if (it != partitions_.end()) it->second.pause_wanted = paused;
}

std::optional<PartitionTable::NoteTicket> PartitionTable::SetNote(const TopicPartition& partition, std::int64_t offset,
                                                                  std::uint32_t note) {
  std::lock_guard lock(mutex_);
  const auto it = partitions_.find(partition);
  if (it == partitions_.end() || !it->second.tracker.SetNote(offset, note)) return std::nullopt;
  Partition& state = it->second;
  state.changed = true;
  return NoteTicket{.partition = partition, .assignment = state.assignment, .number = ++state.notes_set};
}

PartitionTable::NoteState PartitionTable::StateOf(const NoteTicket& ticket) const {
  std::lock_guard lock(mutex_);
  const auto it = partitions_.find(ticket.partition);
  if (it == partitions_.end() || it->second.assignment != ticket.assignment) return NoteState::kGone;
  return it->second.notes_committed >= ticket.number ? NoteState::kDurable : NoteState::kOnTheWay;
}

bool PartitionTable::IsPaused(const TopicPartition& partition) const {
  std::lock_guard lock(mutex_);
  const auto it = partitions_.find(partition);
  return it != partitions_.end() && it->second.pause_applied;
}

PartitionTable::PauseChanges PartitionTable::TakePauseChanges() {
  PauseChanges changes;
  std::lock_guard lock(mutex_);
  for (auto& [partition, state] : partitions_) {
    if (state.pause_wanted == state.pause_applied) continue;
    state.pause_applied = state.pause_wanted;
    (state.pause_wanted ? changes.pause : changes.resume).push_back(partition);
  }
  return changes;
}

void PartitionTable::AddUncommitted(const TopicPartition& partition, Partition& state, std::vector<Commit>* commits) {
  if (!state.changed) return;
  Commit commit{.partition = partition,
                .offset = state.tracker.watermark(),
                .metadata = state.tracker.Metadata(),
                .assignment = state.assignment,
                .notes = state.notes_set};
  if (commit.offset == state.committed_offset && commit.metadata == state.committed_metadata) {
    state.changed = false;
    state.notes_committed = state.notes_set;  // the broker has what they say
    return;
  }
  commits->push_back(std::move(commit));
}

std::vector<PartitionTable::Commit> PartitionTable::Uncommitted() {
  std::vector<Commit> commits;
  std::lock_guard lock(mutex_);
  for (auto& [partition, state] : partitions_) AddUncommitted(partition, state, &commits);
  return commits;
}

std::vector<PartitionTable::Commit> PartitionTable::UncommittedOf(const std::vector<TopicPartition>& partitions) {
  std::vector<Commit> commits;
  std::lock_guard lock(mutex_);
  for (const TopicPartition& partition : partitions) {
    const auto it = partitions_.find(partition);
    if (it != partitions_.end()) AddUncommitted(partition, it->second, &commits);
  }
  return commits;
}

void PartitionTable::NoteCommitted(const Commit& commit) {
  std::lock_guard lock(mutex_);
  const auto it = partitions_.find(commit.partition);
  if (it == partitions_.end() || it->second.assignment != commit.assignment) return;
  it->second.committed_offset = commit.offset;
  it->second.committed_metadata = commit.metadata;
  it->second.notes_committed = std::max(it->second.notes_committed, commit.notes);
}

bool PartitionTable::IsOwned(const TopicPartition& partition) const {
  std::lock_guard lock(mutex_);
  return partitions_.contains(partition);
}

std::vector<TopicPartition> PartitionTable::Owned() const {
  std::lock_guard lock(mutex_);
  std::vector<TopicPartition> owned;
  for (const auto& [partition, state] : partitions_) owned.push_back(partition);
  return owned;
}

std::size_t PartitionTable::paused_count() const {
  std::lock_guard lock(mutex_);
  return static_cast<std::size_t>(std::count_if(partitions_.begin(), partitions_.end(),
                                                [](const auto& entry) { return entry.second.pause_applied; }));
}

}  // namespace bus::internal
