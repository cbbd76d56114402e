// A broker that dies, hangs or refuses: producers report in time, and everything recovers without a restart.
#include <gtest/gtest.h>

#include <atomic>
#include <chrono>
#include <map>
#include <set>
#include <string>
#include <vector>

#include "libs/bus/internal/producer_for_test.h"
#include "tests/integration/bus/bus_fixture.h"
#include "tests/integration/harness/wait.h"

namespace bus {
namespace {

using harness::WaitUntil;
using std::chrono::milliseconds;
using std::chrono::seconds;

// librdkafka looks for records that are too old once a second.
constexpr auto kReportSlack = seconds(2);

TEST_F(BusTest, AKilledBrokerFailsRecordsInTimeAndRecoversWithoutARestart) {
  const ProducerOptions producer_options{.delivery_timeout = milliseconds(1500)};
  const auto producer = NewProducer(producer_options);
  ProduceSpread(*producer, topic_, 40);
  ConsumerOptions group = GroupOf("outage", topic_);
  group.session_timeout = seconds(45);  // longer than the outage: the member keeps its place in the group
  Member member(options_, group, FinishAll);
  member.consumer().Start();
  ASSERT_TRUE(WaitUntil([&] { return member.record_count() == 40; }));
  ASSERT_TRUE(WaitUntil([&] { return producer->broker_status().ok() && member.consumer().broker_status().ok(); }));

  broker().Kill();
  const base::MonotonicTime killed = base::Clock::Real().Now();
  std::atomic<int> failed{0};
  for (int i = 0; i < 10; ++i) {
    producer->Produce({.topic = topic_, .partition = i % kPartitions, .key = "k", .value = "lost", .headers = {}},
                      [&failed](absl::StatusOr<RecordPosition> position) {
                        EXPECT_TRUE(absl::IsUnavailable(position.status())) << position.status();
                        ++failed;
                      });
  }
  EXPECT_TRUE(WaitUntil([&] { return failed == 10; }, producer_options.delivery_timeout + kReportSlack));
  EXPECT_GE(base::Clock::Real().Now() - killed, milliseconds(1000));
  EXPECT_TRUE(WaitUntil([&] { return !producer->broker_status().ok() && !member.consumer().broker_status().ok(); }));
  EXPECT_TRUE(member.consumer().polling());

  const absl::Status restarted = broker().Start();
  ASSERT_TRUE(restarted.ok()) << restarted;
  EXPECT_TRUE(WaitUntil([&] { return producer->broker_status().ok() && member.consumer().broker_status().ok(); }));
  ASSERT_TRUE(WaitUntil([&] {
    return producer->ProduceAndWait({.topic = topic_, .partition = 0, .key = "k", .value = "back", .headers = {}}).ok();
  }));
  ASSERT_TRUE(WaitUntil([&] {
    const std::vector<std::string> values = member.values();
    return std::find(values.begin(), values.end(), "back") != values.end();
  }));
  const absl::Status committed = member.consumer().CommitNow(In(seconds(20)));
  EXPECT_TRUE(committed.ok()) << committed;
  EXPECT_EQ(member.lost_count(), 0);
}

TEST_F(BusTest, ABrokerThatHangsFailsRecordsInTimeAndRecovers) {
  const ProducerOptions producer_options{.delivery_timeout = milliseconds(1500)};
  const auto producer = NewProducer(producer_options);
  ProduceSpread(*producer, topic_, 4);
  broker().Pause();
  std::atomic<int> failed{0};
  for (int i = 0; i < 10; ++i) {
    producer->Produce({.topic = topic_, .partition = i % kPartitions, .key = "k", .value = "?", .headers = {}},
                      [&failed](absl::StatusOr<RecordPosition> position) {
                        EXPECT_TRUE(absl::IsUnavailable(position.status())) << position.status();
                        ++failed;
                      });
  }
  EXPECT_TRUE(WaitUntil([&] { return failed == 10; }, producer_options.delivery_timeout + kReportSlack));
  broker().Resume();
  ASSERT_TRUE(WaitUntil([&] {
    return producer->ProduceAndWait({.topic = topic_, .partition = 0, .key = "k", .value = "back", .headers = {}}).ok();
  }));
}

// Goal: order and acknowledgement hold over an outage shorter than the delivery timeout: no record is lost, doubled or
// overtaken although the broker died with requests in flight.
TEST_F(BusTest, AShortOutageDelaysRecordsAndKeepsTheirOrder) {
  const auto producer = NewProducer({.delivery_timeout = seconds(40)});
  std::atomic<int> reported{0};
  constexpr int kRecords = 3000;
  const auto produce = [&](int i) {
    producer->Produce({.topic = topic_, .partition = -1, .key = "one key", .value = std::to_string(i), .headers = {}},
                      [&reported](absl::StatusOr<RecordPosition> position) {
                        EXPECT_TRUE(position.ok()) << position.status();
                        ++reported;
                      });
  };
  for (int i = 0; i < kRecords / 2; ++i) produce(i);
  broker().Kill();
  for (int i = kRecords / 2; i < kRecords; ++i) produce(i);
  const absl::Status restarted = broker().Start();
  ASSERT_TRUE(restarted.ok()) << restarted;
  ASSERT_TRUE(WaitUntil([&] { return reported == kRecords; }, seconds(40)));
  Member member(options_, GroupOf("short-outage", topic_), FinishAll);
  member.consumer().Start();
  ASSERT_TRUE(WaitUntil([&] { return member.record_count() >= kRecords; }));
  const std::vector<std::string> values = member.values();
  ASSERT_EQ(values.size(), static_cast<std::size_t>(kRecords));
  for (int i = 0; i < kRecords; ++i) ASSERT_EQ(values[static_cast<std::size_t>(i)], std::to_string(i));
}

TEST_F(BusTest, AFatalErrorReplacesTheClientAndLeavesNoRecordWithoutAReport) {
  const auto producer = NewProducer();
  ProduceSpread(*producer, topic_, 4);
  std::atomic<int> reported{0};
  for (int i = 0; i < 1000; ++i) {
    producer->Produce({.topic = topic_, .partition = i % kPartitions, .key = "k", .value = "v", .headers = {}},
                      [&reported](absl::StatusOr<RecordPosition> position) {
                        EXPECT_TRUE(position.ok() || absl::IsUnavailable(position.status())) << position.status();
                        ++reported;
                      });
    if (i == 500) internal::TriggerFatalErrorForTest(*producer);
  }
  ASSERT_TRUE(WaitUntil([&] { return reported == 1000; }));
  ASSERT_TRUE(WaitUntil([&] {
    return producer->ProduceAndWait({.topic = topic_, .partition = 0, .key = "k", .value = "v", .headers = {}}).ok();
  }));
  EXPECT_TRUE(WaitUntil([&] { return producer->broker_status().ok(); }));
}

TEST_F(BusTest, AFullQueueIsUnavailableAtOnce) {
  const auto producer = NewProducer({.delivery_timeout = seconds(30), .queue_records_max = 100});
  ProduceSpread(*producer, topic_, 4);
  broker().Pause();
  std::atomic<int> refused{0};
  std::atomic<int> taken{0};
  for (int i = 0; i < 150; ++i) {
    producer->Produce({.topic = topic_, .partition = 0, .key = "k", .value = "v", .headers = {}},
                      [&](absl::StatusOr<RecordPosition> position) {
                        if (position.ok()) {
                          ++taken;
                        } else if (absl::IsUnavailable(position.status())) {
                          ++refused;
                        }
                      });
  }
  // The library takes a record off its count only after the record's callback, so a few of the warm-up may still count.
  EXPECT_GE(refused, 50);
  EXPECT_LE(refused, 54);
  broker().Resume();
  EXPECT_TRUE(producer->Flush(In(seconds(20))).ok());
  EXPECT_EQ(taken + refused, 150);
}

TEST_F(BusTest, DestroyingAProducerRunsEveryCallback) {
  std::atomic<int> reported{0};
  {
    BusOptions nobody = options_;
    nobody.brokers = "127.0.0.1:1";
    auto producer = Producer::Create(nobody, {.delivery_timeout = milliseconds(500)}, "test", metrics_);
    ASSERT_TRUE(producer.ok()) << producer.status();
    for (int i = 0; i < 100; ++i) {
      (*producer)->Produce({.topic = topic_, .partition = 0, .key = "k", .value = "v", .headers = {}},
                           [&reported](absl::StatusOr<RecordPosition> position) {
                             EXPECT_TRUE(absl::IsUnavailable(position.status())) << position.status();
                             ++reported;
                           });
    }
    EXPECT_TRUE(absl::IsDeadlineExceeded((*producer)->Flush(In(milliseconds(10)))));
    EXPECT_FALSE((*producer)->broker_status().ok());
  }
  EXPECT_EQ(reported, 100);
}

}  // namespace
}  // namespace bus
