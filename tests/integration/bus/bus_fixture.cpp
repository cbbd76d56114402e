#include "tests/integration/bus/bus_fixture.h"

#include <chrono>
#include <utility>

#include "libs/base/check.h"
#include "libs/base/str_cat.h"
#include "tests/integration/harness/wait.h"

namespace bus {
namespace {

// Started before the first case and stopped after the last, on the main thread, as child processes want it.
class BrokerEnvironment final : public ::testing::Environment {
 public:
  void SetUp() override {
    auto started = harness::KafkaBroker::StartNew();
    ASSERT_TRUE(started.ok()) << started.status();
    broker = *std::move(started);
  }
  void TearDown() override { broker.reset(); }

  std::unique_ptr<harness::KafkaBroker> broker;
};

BrokerEnvironment* const g_environment = [] {
  auto* environment = new BrokerEnvironment;  // owned by GoogleTest
  ::testing::AddGlobalTestEnvironment(environment);
  return environment;
}();

}  // namespace

base::MonotonicTime In(base::Duration duration) { return base::Clock::Real().Now() + duration; }

harness::KafkaBroker& BusTest::broker() { return *g_environment->broker; }

void BusTest::SetUp() {
  static int case_number = 0;
  options_.brokers = broker().address();
  options_.topic_prefix = base::StrCat("case", ++case_number, ".");
  options_.partitions = kPartitions;
  topic_ = TopicName(options_, kTurns);
  const absl::StatusOr<std::int32_t> partitions = EnsureTopics(options_, In(std::chrono::seconds(30)));
  ASSERT_TRUE(partitions.ok()) << partitions.status();
  ASSERT_EQ(*partitions, kPartitions);
}

std::unique_ptr<Producer> BusTest::NewProducer(ProducerOptions options) {
  absl::StatusOr<std::unique_ptr<Producer>> producer = Producer::Create(options_, options, "test", metrics_);
  CHECK_MSG(producer.ok(), std::string(producer.status().message()));
  return *std::move(producer);
}

std::vector<RecordPosition> BusTest::ProduceNumbers(Producer& producer, const std::string& topic,
                                                    const std::string& key, int count, int first) {
  std::vector<RecordPosition> positions(static_cast<std::size_t>(count));
  for (int i = 0; i < count; ++i) {
    producer.Produce({.topic = topic, .partition = -1, .key = key, .value = std::to_string(first + i), .headers = {}},
                     [&positions, i](absl::StatusOr<RecordPosition> position) {
                       EXPECT_TRUE(position.ok()) << position.status();
                       if (position.ok()) positions[static_cast<std::size_t>(i)] = *position;
                     });
  }
  const absl::Status flushed = producer.Flush(In(std::chrono::seconds(20)));
  EXPECT_TRUE(flushed.ok()) << flushed;
  return positions;
}

void BusTest::ProduceSpread(Producer& producer, const std::string& topic, int count, int first) {
  for (int i = first; i < first + count; ++i) {
    producer.Produce({.topic = topic,
                      .partition = i % kPartitions,
                      .key = std::to_string(i),
                      .value = std::to_string(i),
                      .headers = {}},
                     [](absl::StatusOr<RecordPosition> position) { EXPECT_TRUE(position.ok()) << position.status(); });
  }
  const absl::Status flushed = producer.Flush(In(std::chrono::seconds(20)));
  EXPECT_TRUE(flushed.ok()) << flushed;
}

ConsumerOptions GroupOf(const std::string& group, const std::string& topic) {
  ConsumerOptions options;
  options.group = group;
  options.topics = {topic};
  options.session_timeout = std::chrono::seconds(6);  // the least that the broker allows
  options.commit_interval = std::chrono::milliseconds(50);
  return options;
}

Member::Member(const BusOptions& options, const ConsumerOptions& consumer_options, Finish finish)
    : finish_(std::move(finish)) {
  absl::StatusOr<std::unique_ptr<Consumer>> consumer =
      Consumer::Create(options, consumer_options, this, "test", metrics_);
  CHECK_MSG(consumer.ok(), std::string(consumer.status().message()));
  consumer_ = *std::move(consumer);
}

Member::~Member() { consumer_->Stop(); }

void Member::OnAssigned(const TopicPartition& partition, std::int64_t, std::string_view committed_metadata) {
  {
    std::lock_guard lock(mutex_);
    metadata_[partition] = committed_metadata;
  }
  if (on_assigned) on_assigned(partition);
}

void Member::OnRevoked(const TopicPartition&, bool lost) {
  if (lost) ++lost_count_;
}

void Member::OnRecord(Record record) {
  const bool done = finish_(record);
  {
    std::lock_guard lock(mutex_);
    records_.push_back(record);
  }
  if (done) MarkDone(record);
  ++record_count_;
}

std::vector<Record> Member::records() const {
  std::lock_guard lock(mutex_);
  return records_;
}

std::vector<std::string> Member::values() const {
  std::vector<std::string> values;
  for (const Record& record : records()) values.push_back(record.value);
  return values;
}

std::string Member::MetadataAt(const TopicPartition& partition) const {
  std::lock_guard lock(mutex_);
  const auto it = metadata_.find(partition);
  return it == metadata_.end() ? "" : it->second;
}

}  // namespace bus
