// How the log is read in slices; what is found in a real one: tests/integration/worker/reply_log_test.cpp.
#include "services/worker/reply_log.h"

#include <gtest/gtest.h>

#include <atomic>
#include <chrono>
#include <future>
#include <memory>
#include <string>
#include <thread>
#include <utility>

#include "libs/identity/identity.h"

namespace worker {
namespace {

using std::chrono::milliseconds;
using std::chrono::seconds;

std::string TurnIdOf(std::int64_t number) {
  std::string id = std::to_string(number);
  id.resize(32);
  return id;
}

// A partition whose record number n is the reply of turn n; each takes a while to come.
class SlowCursor final : public bus::LogCursor {
 public:
  SlowCursor(std::int64_t end, base::Duration each) : end_(end), each_(each) {}
  absl::StatusOr<const bus::Record*> Peek(base::MonotonicTime deadline) override {
    if (next_ == end_) return nullptr;
    if (base::Clock::Real().Now() + each_ > deadline) {
      std::this_thread::sleep_until(deadline);
      return absl::UnavailableError("nothing came");
    }
    std::this_thread::sleep_for(each_);
    mesh::bus::v1::ReplyRecord reply;
    reply.mutable_reply()->set_turn_id(TurnIdOf(next_));
    record_.offset = next_;
    record_.key = identity::KeyOf(reply.reply().conversation()).value();
    record_.value = reply.SerializeAsString();
    return &record_;
  }
  void Pop() override { ++next_; }
  std::int64_t first() const override { return 0; }
  std::int64_t next() const override { return next_; }
  std::int64_t end() const override { return end_; }

 private:
  const std::int64_t end_;
  const base::Duration each_;
  std::int64_t next_ = 0;
  bus::Record record_;
};

class ReplyLogSlicesTest : public testing::Test {
 protected:
  using Found = absl::StatusOr<std::optional<FirstReply>>;

  std::unique_ptr<KafkaReplyLog> Open(base::Duration each, const KafkaReplyLog::Times& times) {
    return std::make_unique<KafkaReplyLog>(
        [this, each](std::int32_t partition, std::int64_t,
                     base::MonotonicTime) -> absl::StatusOr<std::unique_ptr<bus::LogCursor>> {
          ++opened_;
          return std::make_unique<SlowCursor>(/*end=*/partition == 0 ? 100 : 1, each);
        },
        times);
  }
  static std::future<Found> Ask(KafkaReplyLog& log, std::int32_t partition, std::int64_t turn) {
    auto found = std::make_shared<std::promise<Found>>();
    log.FindFirst(
        {.partition = partition, .turn_id = TurnIdOf(turn), .generation = 0, .from_ms = 0, .before_offset = 1000},
        [found](Found first) { found->set_value(std::move(first)); });
    return found->get_future();
  }

  std::atomic<int> opened_ = 0;
};

// Goal: a backlog that takes many times a slice, and longer than the longest silence, is read to its end, from where
// the last slice ended, and another partition need not wait for it.
TEST_F(ReplyLogSlicesTest, ALongBacklogIsReadToItsEndAndHoldsUpNobody) {
  const auto log = Open(milliseconds(5), {.slice = milliseconds(20), .quiet_max = milliseconds(200)});
  auto last = Ask(*log, 0, 99);
  auto same = Ask(*log, 0, 98);
  auto elsewhere = Ask(*log, 1, 0);
  ASSERT_EQ(elsewhere.wait_for(seconds(10)), std::future_status::ready);
  EXPECT_NE(last.wait_for(seconds(0)), std::future_status::ready);
  const Found found = last.get();
  ASSERT_TRUE(found.ok() && found->has_value()) << found.status();
  EXPECT_EQ((*found)->offset, 99);
  EXPECT_TRUE(same.get()->has_value());
  EXPECT_LE(opened_, 3) << "not from the start again; the second query may have come too late for the first reading";
}

TEST_F(ReplyLogSlicesTest, AReadingIsLongButNotEndless) {
  const auto log =
      Open(milliseconds(5), {.slice = milliseconds(20), .quiet_max = seconds(10), .total_max = milliseconds(100)});
  EXPECT_TRUE(absl::IsDeadlineExceeded(Ask(*log, 0, 99).get().status()));
}

TEST_F(ReplyLogSlicesTest, APartitionThatBringsNothingIsAnError) {
  const auto log = Open(seconds(1), {.slice = milliseconds(20), .quiet_max = milliseconds(100)});
  EXPECT_TRUE(absl::IsUnavailable(Ask(*log, 0, 0).get().status()));
}

}  // namespace
}  // namespace worker
