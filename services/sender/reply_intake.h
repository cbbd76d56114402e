#pragma once

#include <cstddef>
#include <cstdint>
#include <map>
#include <memory>
#include <mutex>
#include <string>

#include "libs/app/event_loop.h"
#include "libs/bus/consumer.h"
#include "services/sender/reply_window.h"
#include "services/sender/sender_core.h"

namespace sender {

// Between the consumer of `replies` and the core: holds each partition's lease and window, pauses a partition that is
// not owned yet or has its window full, and marks records done.
//
// Threading: the ConsumerHandler methods run on the poll thread and only count, revoke leases and post; OnOwned and
//            MarkDone run on the loop.
class ReplyIntake final : public bus::ConsumerHandler {
 public:
  ReplyIntake(app::EventLoop* loop, SenderCore* core, std::string topic, const ReplyWindow& empty_window);

  void SetConsumer(bus::Consumer* consumer) { consumer_ = consumer; }  // before it polls

  void OnAssigned(const bus::TopicPartition& partition, std::int64_t next_offset,
                  std::string_view committed_metadata) override;
  void OnRevoked(const bus::TopicPartition& partition, bool lost) override;
  void OnRecord(bus::Record record) override;

  void OnOwned(std::int32_t partition);
  void MarkDone(std::int32_t partition, std::int64_t offset);

 private:
  struct Window {
    std::shared_ptr<Lease> lease;
    ReplyWindow in_hand;  // handed over and not done
    bool owned = false;
    bool full = false;
  };

  app::EventLoop* const loop_;
  SenderCore* const core_;
  const std::string topic_;
  const ReplyWindow empty_window_;
  bus::Consumer* consumer_ = nullptr;

  std::mutex mutex_;
  std::map<std::int32_t, Window> windows_;  // protected by mutex_; assigned partitions only
};

}  // namespace sender
