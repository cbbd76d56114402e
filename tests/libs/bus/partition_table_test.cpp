#include "libs/bus/internal/partition_table.h"

#include <gtest/gtest.h>

#include <cstdint>
#include <string>
#include <vector>

namespace bus::internal {
namespace {

using Verdict = PartitionTable::Verdict;

const TopicPartition kPartition{"turns", 3};

Verdict BeginAt(PartitionTable& table, std::int64_t offset, std::int64_t log_end = -1) {
  return table.Begin(kPartition, offset, log_end).verdict;
}

TEST(PartitionTableTest, OnlyOwnedPartitionsGiveWork) {
  PartitionTable table;
  EXPECT_EQ(BeginAt(table, 0), Verdict::kSkip);
  table.Assign(kPartition, 0, {});
  EXPECT_EQ(BeginAt(table, 0), Verdict::kWork);
  EXPECT_EQ(BeginAt(table, 0), Verdict::kSkip) << "already in flight";
  table.Revoke(kPartition);
  EXPECT_EQ(BeginAt(table, 1), Verdict::kSkip);
  EXPECT_TRUE(table.Owned().empty());
}

TEST(PartitionTableTest, AGapIsFetchedAgainOnceAndThenBelieved) {
  PartitionTable table;
  table.Assign(kPartition, 5, {});
  EXPECT_EQ(BeginAt(table, 5), Verdict::kWork);
  EXPECT_EQ(BeginAt(table, 9), Verdict::kGap);
  const std::vector<PartitionTable::Gap> gaps = table.OpenGaps();
  ASSERT_EQ(gaps.size(), 1u);
  EXPECT_EQ(gaps[0].partition, kPartition);
  EXPECT_EQ(gaps[0].next_offset, 6);
  table.NoteFetchedAgain(gaps[0]);
  EXPECT_TRUE(table.OpenGaps().empty());
  const PartitionTable::Begun begun = table.Begin(kPartition, 9, -1);
  EXPECT_EQ(begun.verdict, Verdict::kWork);
  EXPECT_EQ(begun.missing_count, 3);
  EXPECT_EQ(BeginAt(table, 12), Verdict::kGap) << "another gap is looked at again";
}

// Offset 6 was dropped with a gap. Were a later record worked on before fetching has gone back, 6 would count as
// finished, and its turn would be lost.
TEST(PartitionTableTest, NothingPassesAGapBeforeFetchingHasGoneBack) {
  PartitionTable table;
  table.Assign(kPartition, 5, {});
  EXPECT_EQ(BeginAt(table, 5), Verdict::kWork);
  EXPECT_EQ(BeginAt(table, 7), Verdict::kGap);
  for (std::int64_t offset = 7; offset < 12; ++offset) EXPECT_EQ(BeginAt(table, offset), Verdict::kBehindGap);
  table.MarkDone(kPartition, 5);
  const std::vector<PartitionTable::Commit> commits = table.Uncommitted();
  ASSERT_EQ(commits.size(), 1u);
  EXPECT_EQ(commits[0].offset, 6) << "what was dropped is not committed";
  EXPECT_EQ(commits[0].metadata, "");

  table.NoteFetchedAgain({.partition = kPartition, .next_offset = 4});  // of an older gap
  EXPECT_EQ(BeginAt(table, 12), Verdict::kBehindGap);
  EXPECT_EQ(BeginAt(table, 6), Verdict::kWork) << "the offset itself ends the gap, however it came";
  EXPECT_TRUE(table.OpenGaps().empty());
  EXPECT_EQ(BeginAt(table, 7), Verdict::kWork);
}

TEST(PartitionTableTest, AGapThatWasNoneLosesNothing) {
  PartitionTable table;
  table.Assign(kPartition, 5, {});
  EXPECT_EQ(BeginAt(table, 9), Verdict::kGap);
  for (std::int64_t offset = 5; offset < 12; ++offset) EXPECT_EQ(BeginAt(table, offset), Verdict::kWork);
}

TEST(PartitionTableTest, AGapEndsWithTheOwnership) {
  PartitionTable table;
  table.Assign(kPartition, 5, {});
  EXPECT_EQ(BeginAt(table, 9), Verdict::kGap);
  table.Assign(kPartition, 9, {});
  EXPECT_TRUE(table.OpenGaps().empty());
  EXPECT_EQ(BeginAt(table, 9), Verdict::kWork);
}

TEST(PartitionTableTest, WithoutACommitAnyFirstOffsetIsRight) {
  PartitionTable table;
  table.Assign(kPartition, /*committed_offset=*/-1, {});
  const PartitionTable::Begun begun = table.Begin(kPartition, 1000, -1);
  EXPECT_EQ(begun.verdict, Verdict::kWork);
  EXPECT_EQ(begun.missing_count, 0);
}

TEST(PartitionTableTest, ALogThatEndsBeforeWhatWasReadIsANewOne) {
  PartitionTable table;
  table.Assign(kPartition, 500, {});
  EXPECT_EQ(BeginAt(table, 0, /*log_end=*/-1), Verdict::kSkip) << "not known to be one";
  EXPECT_EQ(BeginAt(table, 0, /*log_end=*/800), Verdict::kSkip) << "read a second time";
  EXPECT_EQ(BeginAt(table, 0, /*log_end=*/20), Verdict::kLogReset);
  table.Assign(kPartition, 0, {});
  EXPECT_EQ(BeginAt(table, 0, 20), Verdict::kWork);
}

TEST(PartitionTableTest, OnlyChangesAreCommittedAndOnlyUntilTheBrokerHasThem) {
  PartitionTable table;
  table.Assign(kPartition, 5, {});
  EXPECT_TRUE(table.Uncommitted().empty());
  EXPECT_EQ(BeginAt(table, 5), Verdict::kWork);
  EXPECT_EQ(BeginAt(table, 6), Verdict::kWork);
  EXPECT_TRUE(table.Uncommitted().empty());

  table.MarkDone(kPartition, 6);
  const std::vector<PartitionTable::Commit> map_only = table.Uncommitted();
  ASSERT_EQ(map_only.size(), 1u);
  EXPECT_EQ(map_only[0].offset, 5);
  EXPECT_FALSE(map_only[0].metadata.empty());
  EXPECT_EQ(table.Uncommitted().size(), 1u) << "not known to have arrived";
  table.NoteCommitted(map_only[0]);
  EXPECT_TRUE(table.Uncommitted().empty());

  table.MarkDone(kPartition, 5);
  const std::vector<PartitionTable::Commit> both = table.UncommittedOf({kPartition, {"turns", 99}});
  ASSERT_EQ(both.size(), 1u);
  EXPECT_EQ(both[0].offset, 7);
  EXPECT_EQ(both[0].metadata, "");
}

TEST(PartitionTableTest, AChangeWhileACommitIsOnItsWayIsCommittedNext) {
  PartitionTable table;
  table.Assign(kPartition, 0, {});
  EXPECT_EQ(BeginAt(table, 0), Verdict::kWork);
  EXPECT_EQ(BeginAt(table, 1), Verdict::kWork);
  table.MarkDone(kPartition, 0);
  const std::vector<PartitionTable::Commit> first = table.Uncommitted();
  table.MarkDone(kPartition, 1);
  table.NoteCommitted(first.at(0));
  const std::vector<PartitionTable::Commit> second = table.Uncommitted();
  ASSERT_EQ(second.size(), 1u);
  EXPECT_EQ(second[0].offset, 2);
}

TEST(PartitionTableTest, SkippingRestoredWorkMovesTheCommitForward) {
  OffsetTracker before(0);
  for (std::int64_t offset = 0; offset < 3; ++offset) EXPECT_TRUE(before.Begin(offset));
  before.Finish(1);
  before.Finish(2);
  PartitionTable table;
  EXPECT_TRUE(table.Assign(kPartition, before.watermark(), before.Metadata()));
  EXPECT_EQ(BeginAt(table, 0), Verdict::kWork);
  EXPECT_EQ(BeginAt(table, 1), Verdict::kSkip);
  EXPECT_EQ(BeginAt(table, 2), Verdict::kSkip);
  table.MarkDone(kPartition, 0);
  const std::vector<PartitionTable::Commit> commits = table.Uncommitted();
  ASSERT_EQ(commits.size(), 1u);
  EXPECT_EQ(commits[0].offset, 3);
}

TEST(PartitionTableTest, ANoteIsDurableOnceACommitThatHoldsItIs) {
  using State = PartitionTable::NoteState;
  PartitionTable table;
  table.Assign(kPartition, 0, {});
  EXPECT_FALSE(table.SetNote(kPartition, 0, 1).has_value()) << "not read yet";
  EXPECT_EQ(BeginAt(table, 0), Verdict::kWork);
  EXPECT_EQ(BeginAt(table, 1), Verdict::kWork);
  const auto first = table.SetNote(kPartition, 0, 1);
  ASSERT_TRUE(first.has_value());
  const std::vector<PartitionTable::Commit> commits = table.Uncommitted();
  ASSERT_EQ(commits.size(), 1u);
  const auto second = table.SetNote(kPartition, 1, 1);  // while that commit is on its way
  EXPECT_EQ(table.StateOf(*first), State::kOnTheWay);
  table.NoteCommitted(commits[0]);
  EXPECT_EQ(table.StateOf(*first), State::kDurable);
  EXPECT_EQ(table.StateOf(*second), State::kOnTheWay);
  ASSERT_EQ(table.Uncommitted().size(), 1u);
  table.NoteCommitted(table.Uncommitted()[0]);
  EXPECT_EQ(table.StateOf(*second), State::kDurable);

  PartitionTable next;
  next.Assign(kPartition, 0, commits[0].metadata);
  EXPECT_EQ(next.Begin(kPartition, 0, -1).note, 1u);
  EXPECT_EQ(next.Begin(kPartition, 1, -1).note, 0u);
}

TEST(PartitionTableTest, ANoteThatChangesNothingIsDurableWithoutACommit) {
  PartitionTable table;
  table.Assign(kPartition, 0, {});
  EXPECT_EQ(BeginAt(table, 0), Verdict::kWork);
  ASSERT_TRUE(table.SetNote(kPartition, 0, 1).has_value());
  table.NoteCommitted(table.Uncommitted().at(0));
  const auto same = table.SetNote(kPartition, 0, 1);
  EXPECT_TRUE(table.Uncommitted().empty());
  EXPECT_EQ(table.StateOf(*same), PartitionTable::NoteState::kDurable);
}

// A partition that was lost and came back: what was on its way for the old ownership says nothing about the new one.
TEST(PartitionTableTest, ANoteIsGoneWithItsAssignment) {
  PartitionTable table;
  table.Assign(kPartition, 0, {});
  EXPECT_EQ(BeginAt(table, 0), Verdict::kWork);
  const auto ticket = table.SetNote(kPartition, 0, 1);
  const std::vector<PartitionTable::Commit> commits = table.Uncommitted();
  table.Revoke(kPartition);
  EXPECT_EQ(table.StateOf(*ticket), PartitionTable::NoteState::kGone);
  table.Assign(kPartition, 0, {});
  EXPECT_EQ(BeginAt(table, 0), Verdict::kWork);
  const auto again = table.SetNote(kPartition, 0, 1);
  table.NoteCommitted(commits.at(0));
  EXPECT_EQ(table.StateOf(*ticket), PartitionTable::NoteState::kGone);
  EXPECT_EQ(table.StateOf(*again), PartitionTable::NoteState::kOnTheWay);
}

TEST(PartitionTableTest, UnreadableMetadataIsReportedAndIgnored) {
  PartitionTable table;
  EXPECT_FALSE(table.Assign(kPartition, 5, "left by another tool"));
  EXPECT_EQ(BeginAt(table, 5), Verdict::kWork);
}

TEST(PartitionTableTest, PausesAreTakenOnceAndEndWithTheOwnership) {
  PartitionTable table;
  table.SetPaused(kPartition, true);
  EXPECT_TRUE(table.TakePauseChanges().pause.empty()) << "not owned";
  table.Assign(kPartition, 0, {});
  table.SetPaused(kPartition, true);
  EXPECT_EQ(table.TakePauseChanges().pause, std::vector<TopicPartition>{kPartition});
  EXPECT_TRUE(table.IsPaused(kPartition));
  EXPECT_EQ(table.paused_count(), 1u);
  table.SetPaused(kPartition, true);
  EXPECT_TRUE(table.TakePauseChanges().pause.empty());
  table.SetPaused(kPartition, false);
  table.SetPaused(kPartition, true);
  EXPECT_TRUE(table.TakePauseChanges().resume.empty()) << "changed its mind between two polls";
  table.SetPaused(kPartition, false);
  EXPECT_EQ(table.TakePauseChanges().resume, std::vector<TopicPartition>{kPartition});
  table.SetPaused(kPartition, true);
  (void)table.TakePauseChanges();
  table.Revoke(kPartition);
  table.Assign(kPartition, 0, {});
  EXPECT_FALSE(table.IsPaused(kPartition));
}

}  // namespace
}  // namespace bus::internal
