#include "libs/bus/offset_tracker.h"

#include <gtest/gtest.h>

#include <algorithm>
#include <cstdint>
#include <map>
#include <random>
#include <string>
#include <vector>

#include "libs/bus/internal/offset_notes.h"

namespace bus {
namespace {

TEST(OffsetTrackerTest, WatermarkIsTheLowestUnfinishedOffset) {
  OffsetTracker tracker(/*next_offset=*/10);
  EXPECT_EQ(tracker.watermark(), 10);
  for (std::int64_t offset = 10; offset < 14; ++offset) EXPECT_TRUE(tracker.Begin(offset));
  EXPECT_EQ(tracker.in_flight_count(), 4u);
  tracker.Finish(11);
  tracker.Finish(13);
  EXPECT_EQ(tracker.watermark(), 10);
  tracker.Finish(10);
  EXPECT_EQ(tracker.watermark(), 12);
  tracker.Finish(12);
  EXPECT_EQ(tracker.watermark(), 14);
  EXPECT_EQ(tracker.end(), 14);
  EXPECT_EQ(tracker.in_flight_count(), 0u);
}

TEST(OffsetTrackerTest, MetadataIsEmptyWhenWorkFinishesInOrder) {
  OffsetTracker tracker(0);
  for (std::int64_t offset = 0; offset < 100; ++offset) {
    EXPECT_TRUE(tracker.Begin(offset));
    if (offset >= 10) tracker.Finish(offset - 10);
  }
  EXPECT_EQ(tracker.watermark(), 90);
  EXPECT_EQ(tracker.Metadata(), "");
}

TEST(OffsetTrackerTest, RestartRepeatsExactlyWhatWasNotFinished) {
  OffsetTracker before(100);
  for (std::int64_t offset = 100; offset < 110; ++offset) EXPECT_TRUE(before.Begin(offset));
  for (const std::int64_t offset : {101, 102, 105, 109}) before.Finish(offset);

  OffsetTracker after(before.watermark(), before.Metadata());
  EXPECT_TRUE(after.decoded_ok());
  std::vector<std::int64_t> repeated;
  for (std::int64_t offset = 100; offset < 112; ++offset) {
    if (after.Begin(offset)) repeated.push_back(offset);
  }
  EXPECT_EQ(repeated, (std::vector<std::int64_t>{100, 103, 104, 106, 107, 108, 110, 111}));
}

TEST(OffsetTrackerTest, RestoredMapSurvivesASecondRestartBeforeAnythingIsRead) {
  OffsetTracker first(0);
  for (std::int64_t offset = 0; offset < 5; ++offset) EXPECT_TRUE(first.Begin(offset));
  first.Finish(3);
  const OffsetTracker second(first.watermark(), first.Metadata());
  EXPECT_EQ(second.Metadata(), first.Metadata());
}

TEST(OffsetTrackerTest, OffsetsPassedOverCountAsFinished) {
  OffsetTracker tracker(0);
  EXPECT_TRUE(tracker.Begin(0));
  EXPECT_TRUE(tracker.Begin(1000));
  tracker.Finish(0);
  EXPECT_EQ(tracker.watermark(), 1000);
  EXPECT_FALSE(tracker.Begin(500));
}

TEST(OffsetTrackerTest, RecordsReadAgainAreNotBegunTwice) {
  OffsetTracker tracker(0);
  EXPECT_TRUE(tracker.Begin(0));
  EXPECT_TRUE(tracker.Begin(1));
  tracker.Finish(1);
  EXPECT_FALSE(tracker.Begin(0)) << "still in flight";
  EXPECT_FALSE(tracker.Begin(1)) << "finished";
  EXPECT_EQ(tracker.in_flight_count(), 1u);
}

TEST(OffsetTrackerTest, FinishIsIdempotentAndMayComeBeforeTheRecordIsReadAgain) {
  OffsetTracker tracker(10);
  tracker.Finish(5);   // below the watermark
  tracker.Finish(12);  // by work of an earlier ownership
  tracker.Finish(12);
  EXPECT_EQ(tracker.watermark(), 10);
  EXPECT_TRUE(tracker.Begin(10));
  EXPECT_TRUE(tracker.Begin(11));
  EXPECT_FALSE(tracker.Begin(12));
  tracker.Finish(10);
  tracker.Finish(11);
  tracker.Finish(11);
  EXPECT_EQ(tracker.watermark(), 13);
}

TEST(OffsetTrackerTest, MetadataOfAnotherOffsetOrShapeIsIgnored) {
  OffsetTracker before(100);
  for (std::int64_t offset = 100; offset < 103; ++offset) EXPECT_TRUE(before.Begin(offset));
  before.Finish(101);
  OffsetTracker moved(/*next_offset=*/50, before.Metadata());
  EXPECT_FALSE(moved.decoded_ok());
  EXPECT_TRUE(moved.Begin(51));
  OffsetTracker garbage(50, "{\"made by\": \"another tool\"}");
  EXPECT_FALSE(garbage.decoded_ok());
  EXPECT_TRUE(garbage.Begin(50));
}

TEST(OffsetTrackerTest, MapThatDoesNotFitIsCutAtTheFarEnd) {
  OffsetTracker tracker(0);
  for (std::int64_t offset = 0; offset < 50'000; ++offset) EXPECT_TRUE(tracker.Begin(offset));
  for (std::int64_t offset = 1; offset < 50'000; offset += 2) tracker.Finish(offset);
  const std::string metadata = tracker.Metadata();
  EXPECT_LE(metadata.size(), OffsetTracker::kMetadataBytesMax);
  OffsetTracker after(tracker.watermark(), metadata);
  std::int64_t first_repeated = -1;
  for (std::int64_t offset = 0; offset < 50'000; ++offset) {
    const bool work = after.Begin(offset);
    if (offset % 2 == 0) {
      EXPECT_TRUE(work) << offset;
    } else if (work && first_repeated < 0) {
      first_repeated = offset;
    }
  }
  EXPECT_GE(first_repeated, 18'000);
}

TEST(OffsetTrackerTest, NotesOfUnfinishedOffsetsSurviveARestart) {
  OffsetTracker before(100);
  for (std::int64_t offset = 100; offset < 110; ++offset) EXPECT_TRUE(before.Begin(offset));
  EXPECT_TRUE(before.SetNote(101, 7));
  EXPECT_TRUE(before.SetNote(104, 1));
  EXPECT_TRUE(before.SetNote(104, internal::kNoteMax)) << "the newer one stands";
  EXPECT_TRUE(before.SetNote(105, 3));
  EXPECT_TRUE(before.SetNote(105, 0)) << "taken away";
  EXPECT_TRUE(before.SetNote(108, 9));
  before.Finish(108);
  EXPECT_FALSE(before.SetNote(108, 9)) << "not in flight";
  EXPECT_FALSE(before.SetNote(110, 9)) << "not read yet";

  OffsetTracker after(before.watermark(), before.Metadata());
  ASSERT_TRUE(after.decoded_ok());
  EXPECT_EQ(after.Metadata(), before.Metadata()) << "also before anything is read again";
  std::map<std::int64_t, std::uint32_t> found;
  for (std::int64_t offset = 100; offset < 112; ++offset) {
    if (after.Begin(offset) && after.NoteOf(offset) != 0) found[offset] = after.NoteOf(offset);
  }
  EXPECT_EQ(found, (std::map<std::int64_t, std::uint32_t>{{101, 7}, {104, internal::kNoteMax}}));
  for (std::int64_t offset = 100; offset < 112; ++offset) after.Finish(offset);
  EXPECT_EQ(after.Metadata(), "") << "what is finished has no note";
}

TEST(OffsetTrackerTest, ANoteOfAnOffsetThatTheLogLostIsGone) {
  OffsetTracker before(0);
  for (std::int64_t offset = 0; offset < 3; ++offset) EXPECT_TRUE(before.Begin(offset));
  EXPECT_TRUE(before.SetNote(1, 5));
  OffsetTracker after(0, before.Metadata());
  EXPECT_TRUE(after.Begin(0));
  EXPECT_TRUE(after.Begin(2));
  EXPECT_EQ(after.NoteOf(1), 0u);
}

// Goal: the largest map and the most notes, as far apart as they can be, together fit what the broker takes.
TEST(OffsetTrackerTest, MapAndNotesTogetherFitTheBrokersLimit) {
  constexpr std::int64_t kFirst = std::int64_t{1} << 55;
  constexpr std::int64_t kCount = 50'000;
  OffsetTracker tracker(kFirst);
  for (std::int64_t offset = kFirst; offset < kFirst + kCount; ++offset) EXPECT_TRUE(tracker.Begin(offset));
  for (std::int64_t offset = kFirst + 1; offset < kFirst + kCount; offset += 2) tracker.Finish(offset);
  for (std::size_t note = 0; note < internal::kNotesMax; ++note) {
    EXPECT_TRUE(tracker.SetNote(kFirst + static_cast<std::int64_t>(note) * 390, internal::kNoteMax));
  }
  EXPECT_FALSE(tracker.SetNote(kFirst + kCount - 2, 1)) << "too many";
  EXPECT_TRUE(tracker.SetNote(kFirst, 1)) << "in place of another";
  const std::string metadata = tracker.Metadata();
  EXPECT_LT(metadata.size(), 4096u);
  OffsetTracker after(tracker.watermark(), metadata);
  ASSERT_TRUE(after.decoded_ok());
  EXPECT_EQ(after.NoteOf(kFirst + 127 * 390), internal::kNoteMax);
}

TEST(OffsetTrackerTest, NotesThatAreMalformedOrOfAnotherOffsetAreIgnored) {
  OffsetTracker before(100);
  EXPECT_TRUE(before.Begin(100));
  EXPECT_TRUE(before.SetNote(100, 5));
  EXPECT_FALSE(OffsetTracker(50, before.Metadata()).decoded_ok());
  EXPECT_FALSE(OffsetTracker(100, before.Metadata() + "!").decoded_ok());
  EXPECT_FALSE(OffsetTracker(100, ".AA==").decoded_ok());
  const OffsetTracker cut(100, before.Metadata().substr(0, 5));
  EXPECT_FALSE(cut.decoded_ok());
  EXPECT_EQ(cut.NoteOf(100), 0u);
}

// A plain model: the state of each offset of the log, and nothing else.
struct NaiveTracker {
  enum class State { kBegun, kFinished };
  std::int64_t start = 0;
  std::map<std::int64_t, State> seen;

  std::int64_t Watermark() const {
    for (const auto& [offset, state] : seen) {
      if (state == State::kBegun) return offset;
    }
    return seen.empty() ? start : std::max(start, seen.rbegin()->first + 1);
  }
};

// Goal: whatever the order in which work finishes, with holes in the log and restarts at any moment, (a) the watermark
// is that of the model, (b) a finished record is not begun again when the map had room, (c) an unfinished one is.
// Method: random steps from a printed seed; the window stays below what always fits in the metadata.
TEST(OffsetTrackerTest, AgreesWithANaiveModelOverRandomRestarts) {
  const unsigned seed = std::random_device{}();
  SCOPED_TRACE("seed " + std::to_string(seed));
  std::mt19937 rng(seed);
  for (int round = 0; round < 40; ++round) {
    const auto start = static_cast<std::int64_t>(rng() % 5000);
    NaiveTracker model{.start = start, .seen = {}};
    OffsetTracker tracker(start);
    std::vector<std::int64_t> working;  // what a worker holds
    std::int64_t next = start;
    const std::size_t window = 1 + rng() % 3000;
    for (int step = 0; step < 4000; ++step) {
      const auto dice = rng() % 1000;
      if (dice < 2) {  // crash: a new owner starts from what was committed
        const std::int64_t committed = tracker.watermark();
        tracker = OffsetTracker(committed, tracker.Metadata());
        ASSERT_TRUE(tracker.decoded_ok());
        working.clear();
        for (const auto& [offset, state] : model.seen) {
          if (offset < committed) continue;
          const bool work = tracker.Begin(offset);
          ASSERT_EQ(work, state == NaiveTracker::State::kBegun) << "offset " << offset << " round " << round;
          if (work) working.push_back(offset);
        }
      } else if (dice < 550 && working.size() < window) {
        next += rng() % 20 == 0 ? static_cast<std::int64_t>(rng() % 50) : 0;  // a hole
        ASSERT_TRUE(tracker.Begin(next));
        model.seen.emplace(next, NaiveTracker::State::kBegun);
        working.push_back(next++);
      } else if (!working.empty()) {
        std::swap(working[rng() % working.size()], working.back());
        tracker.Finish(working.back());
        model.seen[working.back()] = NaiveTracker::State::kFinished;
        working.pop_back();
      }
      ASSERT_EQ(tracker.in_flight_count(), working.size());
      if (step % 16 == 0) {
        ASSERT_EQ(tracker.watermark(), model.Watermark()) << "round " << round << " step " << step;
      }
    }
  }
}

}  // namespace
}  // namespace bus
