// Records of one key keep their order and their partition, from any producer, with all their bytes.
#include <gtest/gtest.h>

#include <chrono>
#include <map>
#include <string>
#include <vector>

#include "tests/integration/bus/bus_fixture.h"
#include "tests/integration/harness/wait.h"

namespace bus {
namespace {

using harness::WaitUntil;

TEST_F(BusTest, RecordsOfAKeyArriveInTheOrderTheyWereProduced) {
  const auto producer = NewProducer();
  constexpr int kKeys = 20;
  constexpr int kPerKey = 200;
  for (int i = 0; i < kPerKey; ++i) {  // interleaved, so that batches mix keys
    for (int key = 0; key < kKeys; ++key) {
      producer->Produce(
          {.topic = topic_,
           .partition = -1,
           .key = "conversation-" + std::to_string(key),
           .value = std::to_string(i),
           .headers = {}},
          [](absl::StatusOr<RecordPosition> position) { EXPECT_TRUE(position.ok()) << position.status(); });
    }
  }
  ASSERT_TRUE(producer->Flush(In(std::chrono::seconds(20))).ok());

  Member member(options_, GroupOf("order", topic_), FinishAll);
  member.consumer().Start();
  ASSERT_TRUE(WaitUntil([&] { return member.record_count() >= kKeys * kPerKey; }));
  std::map<std::string, int> next;
  for (const Record& record : member.records()) {
    EXPECT_EQ(record.value, std::to_string(next[record.key]++)) << record.key;
    EXPECT_EQ(record.partition, PartitionFor(record.key, kPartitions));
  }
  EXPECT_EQ(next.size(), static_cast<std::size_t>(kKeys));
}

// Goal: PartitionFor and the broker client's own partitioner never disagree, or a conversation would be in two places.
TEST_F(BusTest, PartitionForAgreesWithTheProducersPartitioner) {
  const auto producer = NewProducer();
  std::vector<std::string> keys = {"", "a", std::string("\0\xff\x80", 3), std::string(1000, 'k')};
  for (int i = 0; i < 300; ++i)
    keys.push_back("key" + std::string(static_cast<std::size_t>(i % 7), 'x') + std::to_string(i));
  for (const std::string& key : keys) {
    producer->Produce({.topic = topic_, .partition = -1, .key = key, .value = "v", .headers = {}},
                      [key](absl::StatusOr<RecordPosition> position) {
                        ASSERT_TRUE(position.ok()) << position.status();
                        EXPECT_EQ(position->partition, PartitionFor(key, kPartitions)) << key;
                      });
  }
  ASSERT_TRUE(producer->Flush(In(std::chrono::seconds(20))).ok());
}

TEST_F(BusTest, ARecordArrivesWithAllItsBytes) {
  const auto producer = NewProducer();
  const std::string bytes("\0\xff binary \0", 11);
  const OutgoingRecord sent{.topic = topic_,
                            .partition = 2,
                            .key = bytes + "key",
                            .value = bytes + "value",
                            .headers = {{"traceparent", "00-..."}, {"empty", ""}, {"binary", bytes}}};
  const absl::StatusOr<RecordPosition> position = producer->ProduceAndWait(sent);
  ASSERT_TRUE(position.ok()) << position.status();
  EXPECT_EQ(position->partition, 2);
  EXPECT_EQ(position->offset, 0);

  Member member(options_, GroupOf("bytes", topic_), FinishAll);
  member.consumer().Start();
  ASSERT_TRUE(WaitUntil([&] { return member.record_count() == 1; }));
  const Record got = member.records()[0];
  EXPECT_EQ(got.topic, topic_);
  EXPECT_EQ(got.partition, 2);
  EXPECT_EQ(got.offset, 0);
  EXPECT_EQ(got.key, sent.key);
  EXPECT_EQ(got.value, sent.value);
  EXPECT_EQ(got.headers, sent.headers);
  EXPECT_GT(got.timestamp_ms, 1'500'000'000'000);
}

TEST_F(BusTest, AnAcknowledgementTakesMilliseconds) {
  const auto producer = NewProducer();
  ASSERT_TRUE(
      producer->ProduceAndWait({.topic = topic_, .partition = 0, .key = "k", .value = "warm up", .headers = {}}).ok());
  std::vector<double> ms;
  for (int i = 0; i < 50; ++i) {
    const base::MonotonicTime start = base::Clock::Real().Now();
    ASSERT_TRUE(
        producer->ProduceAndWait({.topic = topic_, .partition = 0, .key = "k", .value = "v", .headers = {}}).ok());
    ms.push_back(base::ToSeconds(base::Clock::Real().Now() - start) * 1000);
  }
  std::sort(ms.begin(), ms.end());
  RecordProperty("ack_ms_p50", std::to_string(ms[25]));
  std::printf("acknowledgement p50 %.2f ms, p90 %.2f ms\n", ms[25], ms[45]);
  EXPECT_LT(ms[25], 50.0);  // on an idle machine 1-2 ms; a linger or Nagle delay would show as 40 ms or more
}

}  // namespace
}  // namespace bus
