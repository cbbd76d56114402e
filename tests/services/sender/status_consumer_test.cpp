#include "services/sender/status_consumer.h"

#include <gtest/gtest.h>

#include <chrono>
#include <cstdint>
#include <functional>
#include <mutex>
#include <set>

#include "libs/bus/topics.h"
#include "libs/telemetry/metrics.h"
#include "tests/fakes/fake_producer.h"

namespace sender {
namespace {

class DoneList final : public bus::Consumer {
 public:
  void Start() override {}
  void MarkDone(const bus::TopicPartition&, std::int64_t offset) override {
    std::lock_guard lock(mutex_);
    done_.insert(offset);
  }
  void Note(const bus::TopicPartition&, std::int64_t, std::uint32_t, std::function<void(bool)> on_durable) override {
    if (on_durable) on_durable(true);
  }
  void Pause(const bus::TopicPartition&) override {}
  void Resume(const bus::TopicPartition&) override {}
  absl::Status CommitNow(base::MonotonicTime) override { return absl::OkStatus(); }
  void Stop(base::MonotonicTime) override {}
  std::vector<bus::TopicPartition> assignment() const override { return {}; }
  bool polling() const override { return true; }
  absl::Status broker_status() const override { return absl::OkStatus(); }

  std::set<std::int64_t> done() const {
    std::lock_guard lock(mutex_);
    return done_;
  }

 private:
  mutable std::mutex mutex_;
  std::set<std::int64_t> done_;  // protected by mutex_
};

class StatusConsumerTest : public testing::Test {
 protected:
  StatusConsumerTest() {
    statuses_.SetConsumer(&consumer_);
    statuses_.OnAssigned({"mesh.statuses", 0}, 0, "");
  }
  ~StatusConsumerTest() override { loop_.Stop(); }

  static bus::Record Status(std::int64_t offset) {
    mesh::bus::v1::DeliveryStatus status;
    status.mutable_conversation()->set_tenant("acme");
    status.mutable_conversation()->set_user("ann");
    status.set_message_id("wamid.1");
    status.set_state(mesh::bus::v1::DELIVERY_STATE_DELIVERED);
    bus::Record record;
    record.topic = "mesh.statuses";
    record.offset = offset;
    record.key = identity::KeyOf(status.conversation()).value();
    record.value = status.SerializeAsString();
    return record;
  }
  bool WaitUntilDone(std::int64_t offset) const {
    for (int tries = 0; tries < 1000; ++tries) {
      if (consumer_.done().contains(offset)) return true;
      std::this_thread::sleep_for(std::chrono::milliseconds(5));
    }
    return false;
  }

  telemetry::Registry registry_;
  Metrics metrics_{registry_};
  bus::BusOptions bus_;
  app::EventLoop loop_{1024};
  fakes::FakeProducer producer_;
  DoneList consumer_;
  StatusConsumer statuses_{bus_, /*partitions=*/12, &loop_, &producer_, &metrics_, &base::Clock::Real()};
};

TEST_F(StatusConsumerTest, AStatusIsDoneOnceItsEvidenceIsInTheLedger) {
  statuses_.OnRecord(Status(3));
  ASSERT_TRUE(WaitUntilDone(3));
  ASSERT_EQ(producer_.log().size(), 1u);
  EXPECT_EQ(producer_.log()[0].topic, bus::TopicName(bus_, bus::kSendLedger));
}

// Bug 6 of the audit: it was appended again for ever, and the commits stood still behind it.
TEST_F(StatusConsumerTest, EvidenceThatTheLedgerNeverTakesIsADeadLetter) {
  producer_.FailWhen([this](const bus::OutgoingRecord& record) {
    return record.topic == bus::TopicName(bus_, bus::kSendLedger) ? absl::InvalidArgumentError("too large")
                                                                  : absl::OkStatus();
  });
  statuses_.OnRecord(Status(3));
  ASSERT_TRUE(WaitUntilDone(3));
  ASSERT_EQ(producer_.log().size(), 1u);
  EXPECT_EQ(producer_.log()[0].topic, bus::TopicName(bus_, bus::kDeadLetter));
  mesh::bus::v1::DeadLetter letter;
  ASSERT_TRUE(letter.ParseFromString(producer_.log()[0].value));
  EXPECT_EQ(letter.reason(), "too_large");
}

}  // namespace
}  // namespace sender
