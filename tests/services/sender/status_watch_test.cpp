#include "services/sender/status_watch.h"

#include <gtest/gtest.h>
#include <librdkafka/rdkafka.h>
#include <librdkafka/rdkafka_mock.h>

#include <chrono>
#include <memory>
#include <thread>

namespace sender {
namespace {

using std::chrono::milliseconds;
using std::chrono::seconds;

constexpr const char* kTopic = "mesh.statuses";

// Three brokers inside this process, of which any can be made a partition's leader.
class MockBrokers {
 public:
  MockBrokers()
      : owner_(rd_kafka_new(RD_KAFKA_PRODUCER, rd_kafka_conf_new(), nullptr, 0)),
        cluster_(rd_kafka_mock_cluster_new(owner_, /*broker_cnt=*/3)) {
    rd_kafka_mock_topic_create(cluster_, kTopic, /*partition_cnt=*/1, /*replication_factor=*/3);
  }
  ~MockBrokers() {
    rd_kafka_mock_cluster_destroy(cluster_);
    rd_kafka_destroy(owner_);
  }
  bus::BusOptions options() const {
    bus::BusOptions bus;
    bus.brokers = rd_kafka_mock_cluster_bootstraps(cluster_);
    return bus;
  }
  void Lead(std::int32_t broker) { rd_kafka_mock_partition_set_leader(cluster_, kTopic, 0, broker); }

 private:
  rd_kafka_t* const owner_;
  rd_kafka_mock_cluster_t* const cluster_;
};

// Whether time after now is covered within the patience.
bool CoversTimeFromNowOn(StatusWatch& watch) {
  const base::MonotonicTime begin = base::Clock::Real().Now();
  while (base::Clock::Real().Now() < begin + seconds(20)) {
    if (watch.CoveredSince(0, begin) > base::Duration::zero()) return true;
    std::this_thread::sleep_for(milliseconds(20));
  }
  return false;
}

// The metadata of the client that asks stays as it was until it is renewed by itself, minutes later.
TEST(StatusWatchTest, FindsAPartitionThatHasMovedToAnotherBroker) {
  MockBrokers brokers;
  brokers.Lead(1);
  StatusWatch watch(brokers.options(), "sender-statuses", kTopic, milliseconds(100), &base::Clock::Real());
  ASSERT_TRUE(CoversTimeFromNowOn(watch));
  brokers.Lead(2);
  EXPECT_TRUE(CoversTimeFromNowOn(watch));
  brokers.Lead(3);
  EXPECT_TRUE(CoversTimeFromNowOn(watch));
}

}  // namespace
}  // namespace sender
