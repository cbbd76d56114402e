#include "libs/bus/internal/gap_repair.h"

#include <gtest/gtest.h>

#include <cstdint>
#include <deque>
#include <vector>

namespace bus::internal {
namespace {

using std::chrono::milliseconds;

// A log of one partition and what librdkafka does with it: records come in order from a position that only a seek
// takes back.
class FakeFetch {
 public:
  explicit FakeFetch(std::int64_t position) : position_(position) {}
  std::int64_t Next() { return position_++; }
  void LoseOne() { ++position_; }  // as when fetching went wrong in the client
  std::vector<absl::Status> Seek(const std::vector<PartitionTable::Gap>& gaps) {
    ++seeks;
    if (failures_left > 0) {
      --failures_left;
      return std::vector<absl::Status>(gaps.size(), absl::UnavailableError("timed out"));
    }
    position_ = gaps.at(0).next_offset;
    return std::vector<absl::Status>(gaps.size());
  }
  int seeks = 0;
  int failures_left = 0;

 private:
  std::int64_t position_;
};

// Goal: every record is worked on once and in order although one was dropped with a gap and the first seeks fail.
TEST(GapRepairTest, AFailedSeekIsRepeatedUntilTheDroppedRecordIsReadAgain) {
  const TopicPartition partition{"turns", 3};
  PartitionTable table;
  table.Assign(partition, 0, {});
  FakeFetch fetch(0);
  fetch.failures_left = 3;
  GapRepair repair(&table, [&](const std::vector<PartitionTable::Gap>& gaps) { return fetch.Seek(gaps); });
  base::MonotonicTime now{};
  std::vector<std::int64_t> worked;
  for (int turn = 0; turn < 60; ++turn, now += milliseconds(50)) {
    repair.Serve(now);
    if (turn == 4) fetch.LoseOne();
    const std::int64_t offset = fetch.Next();
    switch (table.Begin(partition, offset, -1).verdict) {
      case PartitionTable::Verdict::kWork:
        worked.push_back(offset);
        table.MarkDone(partition, offset);
        break;
      case PartitionTable::Verdict::kGap:
        repair.Try(now);
        break;
      default:
        break;
    }
  }
  EXPECT_EQ(fetch.seeks, 4) << "three that failed, kRetryDelay apart, and one that did not";
  ASSERT_GT(worked.size(), 20u);
  for (std::size_t i = 0; i < worked.size(); ++i) EXPECT_EQ(worked[i], static_cast<std::int64_t>(i));
}

TEST(GapRepairTest, APartitionThatIsGoneIsNotSoughtAgain) {
  const TopicPartition partition{"turns", 3};
  PartitionTable table;
  table.Assign(partition, 0, {});
  FakeFetch fetch(0);
  fetch.failures_left = 1;
  GapRepair repair(&table, [&](const std::vector<PartitionTable::Gap>& gaps) { return fetch.Seek(gaps); });
  base::MonotonicTime now{};
  EXPECT_EQ(table.Begin(partition, 2, -1).verdict, PartitionTable::Verdict::kGap);
  repair.Try(now);
  table.Revoke(partition);
  repair.Serve(now + GapRepair::kRetryDelay);
  EXPECT_EQ(fetch.seeks, 1);
}

}  // namespace
}  // namespace bus::internal
