#include "services/sender/status_coverage.h"

#include <gtest/gtest.h>

#include <chrono>

namespace sender {
namespace {

using std::chrono::seconds;

constexpr base::Duration kGapMax = seconds(3);

base::MonotonicTime At(int second) { return base::MonotonicTime(seconds(second)); }

TEST(StatusCoverageTest, TimeBetweenTwoAnswersIsCoveredOnceBothEndsAreRead) {
  StatusCoverage coverage(kGapMax);
  coverage.OnAnswer(At(10), /*end=*/5, /*read=*/5);
  coverage.OnAnswer(At(11), 5, 5);
  coverage.OnAnswer(At(12), 7, 5);
  EXPECT_EQ(coverage.CoveredSince(At(0)), seconds(1));
  coverage.OnAnswer(At(13), 9, 7);
  EXPECT_EQ(coverage.CoveredSince(At(0)), seconds(2)) << "the end seen at 12 s has been read, that of 13 s has not";
}

TEST(StatusCoverageTest, OnlyTimeAfterTheDoubtBeganCounts) {
  StatusCoverage coverage(kGapMax);
  for (int second = 0; second <= 10; ++second) coverage.OnAnswer(At(second), 0, 0);
  EXPECT_EQ(coverage.CoveredSince(At(7)), seconds(3));
  EXPECT_EQ(coverage.CoveredSince(At(11)), seconds(0));
}

TEST(StatusCoverageTest, LateReadingCoversTheTimeInWhichTheStatusesWaited) {
  StatusCoverage coverage(kGapMax);
  for (int second = 0; second < 600; ++second) coverage.OnAnswer(At(second), /*end=*/1, /*read=*/0);
  EXPECT_EQ(coverage.CoveredSince(At(0)), seconds(0));
  coverage.OnAnswer(At(600), 1, 1);
  EXPECT_EQ(coverage.CoveredSince(At(0)), seconds(600));
}

// A log that always grows is never read up to its end at any one moment, and its doubts must end all the same.
TEST(StatusCoverageTest, ABusyLogIsCoveredWithTheDelayOfItsReader) {
  StatusCoverage coverage(kGapMax);
  for (int second = 0; second <= 100; ++second) coverage.OnAnswer(At(second), second * 1000 + 500, second * 1000);
  EXPECT_EQ(coverage.CoveredSince(At(0)), seconds(99));
}

TEST(StatusCoverageTest, NoAnswerAndAFrozenProcessCoverNothing) {
  StatusCoverage coverage(kGapMax);
  coverage.OnAnswer(At(0), 0, 0);
  coverage.OnNoAnswer();
  coverage.OnAnswer(At(2), 0, 0);
  EXPECT_EQ(coverage.CoveredSince(At(0)), seconds(0)) << "no status could be written in between";
  coverage.OnAnswer(At(3), 0, 0);
  coverage.OnAnswer(At(7), 0, 0);
  EXPECT_EQ(coverage.CoveredSince(At(0)), seconds(1)) << "nobody looked for longer than kGapMax";
}

TEST(StatusCoverageTest, CommitsOfAnOldLogSayNothingAboutTheNewOne) {
  StatusCoverage coverage(kGapMax);
  coverage.OnAnswer(At(0), /*end=*/3, /*read=*/100);
  coverage.OnAnswer(At(1), 3, 100);
  EXPECT_EQ(coverage.CoveredSince(At(0)), seconds(0));
}

TEST(StatusCoverageTest, WhatItRemembersIsBounded) {
  StatusCoverage coverage(kGapMax);
  for (int second = 0; second < 20000; ++second) coverage.OnAnswer(At(second), /*end=*/1, /*read=*/0);
  coverage.OnAnswer(At(20000), 1, 1);
  EXPECT_LT(coverage.CoveredSince(At(0)), seconds(5000));
  for (int second = 30000; second < 40000; second += 10) {
    coverage.OnAnswer(At(second), 1, 1);
    coverage.OnAnswer(At(second + 1), 1, 1);
  }
  EXPECT_LE(coverage.CoveredSince(At(0)), seconds(64)) << "old stretches are forgotten";
}

}  // namespace
}  // namespace sender
