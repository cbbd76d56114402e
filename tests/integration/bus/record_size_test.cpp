// Records up to 4 MiB pass from end to end; a larger one is refused for good, alone.
#include <gtest/gtest.h>

#include <chrono>
#include <string>

#include "libs/bus/dead_letter.h"
#include "libs/bus/log_reader.h"
#include "tests/integration/bus/bus_fixture.h"
#include "tests/integration/harness/wait.h"

namespace bus {
namespace {

using harness::WaitUntil;

TEST_F(BusTest, ARecordThatIsTooLargeIsInvalidAndTheNextOnePasses) {
  const auto producer = NewProducer();
  const absl::StatusOr<RecordPosition> refused = producer->ProduceAndWait(
      {.topic = topic_, .partition = 0, .key = "k", .value = std::string(5 << 20, 'x'), .headers = {}});
  EXPECT_TRUE(absl::IsInvalidArgument(refused.status())) << refused.status();
  EXPECT_NE(std::string(refused.status().message()).find(topic_), std::string::npos);
  EXPECT_TRUE(
      producer->ProduceAndWait({.topic = topic_, .partition = 0, .key = "k", .value = "v", .headers = {}}).ok());
}

// Goal: no size falls between what the client takes and what the broker takes in a way that looks retryable.
TEST_F(BusTest, SizesAroundTheLimitAreTakenOrInvalid) {
  const auto producer = NewProducer();
  int taken = 0;
  for (const int below : {65536, 200, 100, 60, 20, 0, -1}) {
    const absl::StatusOr<RecordPosition> position =
        producer->ProduceAndWait({.topic = topic_,
                                  .partition = 0,
                                  .key = "k",
                                  .value = std::string(static_cast<std::size_t>((4 << 20) - below), 'x'),
                                  .headers = {}});
    EXPECT_TRUE(position.ok() || absl::IsInvalidArgument(position.status())) << below << ": " << position.status();
    if (position.ok()) ++taken;
  }
  EXPECT_GE(taken, 1);
}

TEST_F(BusTest, LargeRecordsAreConsumed) {
  const auto producer = NewProducer();
  const std::string large(3 << 20, 'x');
  for (int i = 0; i < 8; ++i) {
    const auto position = producer->ProduceAndWait(
        {.topic = topic_, .partition = 0, .key = "k", .value = large + std::to_string(i), .headers = {}});
    ASSERT_TRUE(position.ok()) << position.status();
  }
  Member member(options_, GroupOf("large", topic_), FinishAll);
  member.consumer().Start();
  ASSERT_TRUE(WaitUntil([&] { return member.record_count() == 8; }));
  EXPECT_EQ(member.records()[7].value, large + "7");
}

TEST_F(BusTest, ADeadLetterHoldsTheRecordItWraps) {
  const auto producer = NewProducer();
  mesh::bus::v1::Turn turn;
  turn.mutable_conversation()->set_tenant("acme");
  turn.mutable_conversation()->set_user("u1");
  Record origin{.topic = topic_,
                .partition = 3,
                .offset = 77,
                .key = "conversation key",
                .value = turn.SerializeAsString(),
                .headers = {},
                .timestamp_ms = 1};
  Record huge = origin;
  huge.value = std::string(4 << 20, 'x');
  Record broken = origin;
  broken.value = "\xff\xff not a protobuf";
  int written = 0;
  const auto on_delivery = [&written](absl::StatusOr<RecordPosition> position) {
    EXPECT_TRUE(position.ok()) << position.status();
    ++written;
  };
  ProduceDeadLetter(*producer, options_, origin, DeadLetterReason::kDeadline, "retries \xff used up", 5, "worker",
                    on_delivery);
  ProduceDeadLetter(*producer, options_, huge, DeadLetterReason::kTooLarge, "", 1, "worker", on_delivery);
  ProduceDeadLetter(*producer, options_, broken, DeadLetterReason::kUndecodable, "", 1, "worker", on_delivery);
  ASSERT_TRUE(producer->Flush(In(std::chrono::seconds(20))).ok());
  ASSERT_EQ(written, 3);

  std::vector<mesh::bus::v1::DeadLetter> letters;
  std::vector<TopicPartition> partitions;
  for (std::int32_t i = 0; i < 3; ++i) partitions.push_back({TopicName(options_, kDeadLetter), i});
  const absl::Status read = ReadThrough(
      options_, "test", partitions,
      [&letters](const Record& record) {
        mesh::bus::v1::DeadLetter letter;
        EXPECT_TRUE(letter.ParseFromString(record.value));
        EXPECT_EQ(FindHeader(record.headers, "ce_type"), "mesh.bus.v1.DeadLetter");
        letters.push_back(letter);
        return true;
      },
      In(std::chrono::seconds(20)));
  ASSERT_TRUE(read.ok()) << read;
  ASSERT_EQ(letters.size(), 3u);
  EXPECT_EQ(letters[0].reason(), "deadline");
  EXPECT_EQ(letters[0].original_value(), origin.value);
  EXPECT_EQ(letters[0].original_key(), origin.key);
  EXPECT_EQ(letters[0].origin_topic(), topic_);
  EXPECT_EQ(letters[0].origin_partition(), 3);
  EXPECT_EQ(letters[0].origin_offset(), 77);
  EXPECT_EQ(letters[0].attempts(), 5u);
  EXPECT_EQ(letters[0].conversation().tenant(), "acme");
  EXPECT_EQ(letters[1].reason(), "too_large");
  EXPECT_EQ(letters[1].original_value().size(), 512u << 10);
  EXPECT_NE(letters[1].detail().find("cut from 4194304"), std::string::npos) << letters[1].detail();
  EXPECT_EQ(letters[2].original_value(), broken.value);
  EXPECT_FALSE(letters[2].has_conversation());
}

}  // namespace
}  // namespace bus
