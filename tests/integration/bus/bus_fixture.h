#pragma once

#include <gtest/gtest.h>

#include <atomic>
#include <functional>
#include <map>
#include <memory>
#include <mutex>
#include <string>
#include <vector>

#include "libs/bus/consumer.h"
#include "libs/bus/options.h"
#include "libs/bus/producer.h"
#include "libs/bus/topics.h"
#include "libs/telemetry/metrics.h"
#include "tests/integration/harness/kafka_broker.h"

namespace bus {

constexpr std::int32_t kPartitions = 4;

base::MonotonicTime In(base::Duration duration);

// One real broker for all cases of the binary, topics of its own (by prefix) for each case.
class BusTest : public ::testing::Test {
 protected:
  static harness::KafkaBroker& broker();

  void SetUp() override;

  std::unique_ptr<Producer> NewProducer(ProducerOptions options = {});
  // Produces values "0", "1", ... with the given key and waits for all reports. The positions in that order.
  std::vector<RecordPosition> ProduceNumbers(Producer& producer, const std::string& topic, const std::string& key,
                                             int count, int first = 0);
  // Topic, partition and number of "<number>" records spread over all partitions by their keys.
  void ProduceSpread(Producer& producer, const std::string& topic, int count, int first = 0);

  BusOptions options_;
  std::string topic_;  // the case's `turns`
  telemetry::Registry metrics_;
};

// A group member under test: keeps what it is given, and marks records done as `finish` says.
class Member final : public ConsumerHandler {
 public:
  // `finish` runs on the poll thread for each record; true: mark it done at once.
  using Finish = std::function<bool(const Record&)>;

  Member(const BusOptions& options, const ConsumerOptions& consumer_options, Finish finish);
  ~Member() override;

  void OnAssigned(const TopicPartition& partition, std::int64_t next_offset,
                  std::string_view committed_metadata) override;
  void OnRevoked(const TopicPartition& partition, bool lost) override;
  void OnRecord(Record record) override;

  Consumer& consumer() { return *consumer_; }
  void Stop() { consumer_->Stop(); }
  void MarkDone(const Record& record) { consumer_->MarkDone({record.topic, record.partition}, record.offset); }

  std::vector<Record> records() const;
  std::vector<std::string> values() const;
  std::size_t record_count() const { return record_count_; }
  std::size_t assigned_count() const { return consumer_->assignment().size(); }
  int lost_count() const { return lost_count_; }
  std::string MetadataAt(const TopicPartition& partition) const;

  std::function<void(const TopicPartition&)> on_assigned;  // set before any assignment: by the constructor's caller

 private:
  const Finish finish_;
  telemetry::Registry metrics_;
  mutable std::mutex mutex_;
  std::vector<Record> records_;                     // protected by mutex_
  std::map<TopicPartition, std::string> metadata_;  // protected by mutex_
  std::atomic<std::size_t> record_count_{0};
  std::atomic<int> lost_count_{0};
  std::unique_ptr<Consumer> consumer_;
};

ConsumerOptions GroupOf(const std::string& group, const std::string& topic);

inline bool FinishAll(const Record&) { return true; }
inline bool FinishNone(const Record&) { return false; }

}  // namespace bus
