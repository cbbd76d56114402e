#include "libs/bus/internal/deliveries.h"

#include <gtest/gtest.h>

#include <chrono>
#include <vector>

#include "libs/telemetry/metrics.h"

namespace bus::internal {
namespace {

class DeliveriesTest : public ::testing::Test {
 protected:
  DeliveryCallback Collect() {
    return [this](absl::StatusOr<RecordPosition> result) { results_.push_back(std::move(result)); };
  }

  telemetry::Registry registry_;
  const TopicMetrics metrics_{.produced = registry_.AddCounter("produced", "p"),
                              .failures = registry_.AddCounter("failures", "f"),
                              .seconds = registry_.AddHistogram("seconds", "s", {1.0})};
  std::vector<absl::StatusOr<RecordPosition>> results_;
  Deliveries deliveries_;  // destroyed first: it checks that nothing is left
};

TEST_F(DeliveriesTest, SettlingRunsTheCallbackAndCounts) {
  Delivery* delivered = deliveries_.Add(Collect(), &metrics_, /*client=*/0);
  Delivery* failed = deliveries_.Add(Collect(), &metrics_, 0);
  EXPECT_EQ(deliveries_.count(), 2u);
  deliveries_.Settle(delivered, RecordPosition{.partition = 1, .offset = 7});
  deliveries_.Settle(failed, absl::UnavailableError("broker"));
  ASSERT_EQ(results_.size(), 2u);
  EXPECT_EQ(results_[0]->offset, 7);
  EXPECT_TRUE(absl::IsUnavailable(results_[1].status()));
  EXPECT_EQ(metrics_.produced.Value(), 1);
  EXPECT_EQ(metrics_.failures.Value(), 1);
  EXPECT_EQ(deliveries_.count(), 0u);
}

TEST_F(DeliveriesTest, OnlyRecordsOfTheClientThatIsGoneFail) {
  deliveries_.Add(Collect(), &metrics_, /*client=*/0);
  deliveries_.Add(Collect(), &metrics_, 0);
  Delivery* of_next = deliveries_.Add(Collect(), &metrics_, /*client=*/1);
  deliveries_.FailAllOf(0, absl::UnavailableError("closed"));
  EXPECT_EQ(results_.size(), 2u);
  EXPECT_EQ(deliveries_.count(), 1u);
  deliveries_.Settle(of_next, RecordPosition{});
}

TEST_F(DeliveriesTest, WaitingEndsWhenTheLastIsSettledOrTheDeadlinePasses) {
  EXPECT_TRUE(deliveries_.WaitUntilNone(base::Clock::Real().Now()));
  Delivery* delivery = deliveries_.Add(Collect(), &metrics_, 0);
  EXPECT_FALSE(deliveries_.WaitUntilNone(base::Clock::Real().Now() + std::chrono::milliseconds(5)));
  deliveries_.Settle(delivery, RecordPosition{});
  EXPECT_TRUE(deliveries_.WaitUntilNone(base::Clock::Real().Now()));
}

TEST_F(DeliveriesTest, ACallbackMayProduceAgain) {
  Delivery* second = nullptr;
  Delivery* first = deliveries_.Add(
      [&](const absl::StatusOr<RecordPosition>&) { second = deliveries_.Add(Collect(), &metrics_, 0); }, &metrics_, 0);
  deliveries_.Settle(first, absl::UnavailableError("again"));
  ASSERT_NE(second, nullptr);
  EXPECT_EQ(deliveries_.count(), 1u);
  deliveries_.Settle(second, RecordPosition{});
}

}  // namespace
}  // namespace bus::internal
