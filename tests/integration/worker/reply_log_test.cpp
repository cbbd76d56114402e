// What was said first of a turn, asked of a real log.
#include "services/worker/reply_log.h"

#include <gtest/gtest.h>

#include <chrono>
#include <future>
#include <limits>
#include <memory>
#include <optional>
#include <string>
#include <utility>
#include <vector>

#include "libs/identity/identity.h"
#include "tests/integration/bus/bus_fixture.h"

namespace worker {
namespace {

using mesh::bus::v1::ReplyRecord;

constexpr std::int64_t kToTheEnd = std::numeric_limits<std::int64_t>::max();

class ReplyLogTest : public bus::BusTest {
 protected:
  // Appends to partition 1 of `replies`; the offset.
  std::int64_t Append(const std::string& value, const std::string& key = identity::KeyOf({}).value()) {
    std::promise<std::int64_t> offset;
    producer_->Produce(
        {.topic = bus::TopicName(options_, bus::kReplies), .partition = 1, .key = key, .value = value, .headers = {}},
        [&](absl::StatusOr<bus::RecordPosition> position) {
          EXPECT_TRUE(position.ok()) << position.status();
          offset.set_value(position.ok() ? position->offset : -1);
        });
    return offset.get_future().get();
  }
  static std::string TurnIdOf(std::string name) {
    name.resize(32);
    return name;
  }
  static std::string Reply(const std::string& turn, const std::string& text, std::uint32_t generation = 0,
                           mesh::bus::v1::ReplyKind kind = mesh::bus::v1::REPLY_KIND_ANSWER) {
    ReplyRecord record;
    record.mutable_reply()->set_turn_id(TurnIdOf(turn));
    record.mutable_reply()->set_text(text);
    record.mutable_reply()->set_generation(generation);
    record.mutable_reply()->set_kind(kind);
    return record.SerializeAsString();
  }
  static std::string Supersede(const std::string& turn) {
    ReplyRecord record;
    record.mutable_supersede()->set_turn_id(TurnIdOf(turn));
    return record.SerializeAsString();
  }

  using Found = absl::StatusOr<std::optional<FirstReply>>;
  static std::future<Found> Ask(KafkaReplyLog& log, ReplyQuery query) {
    auto found = std::make_shared<std::promise<Found>>();
    query.turn_id = TurnIdOf(query.turn_id);
    log.FindFirst(std::move(query), [found](Found first) { found->set_value(std::move(first)); });
    return found->get_future();
  }
  static std::string TextOf(const Found& found) {
    if (!found.ok()) return std::string(found.status().message());
    return found->has_value() ? (*found)->record.reply().text() : "none";
  }

  void SetUp() override {
    BusTest::SetUp();
    producer_ = NewProducer();
  }
  std::unique_ptr<bus::Producer> producer_;
};

TEST_F(ReplyLogTest, TheFirstRecordOfTurnAndGenerationIsFound) {
  Append("no record of ours");
  Append(Reply("a", "of a key that is not its own, so no sender says it"), "another conversation");
  Append(Reply("b", "of another turn"));
  Append(Reply("a", "a fallback", 0, mesh::bus::v1::REPLY_KIND_FALLBACK));
  const std::int64_t first = Append(Reply("a", "said first"));
  Append(Reply("a", "said later"));
  Append(Reply("a", "of the next generation", 1));
  const std::int64_t withdrawn = Append(Supersede("c"));
  Append(Reply("c", "too late"));

  KafkaReplyLog log(options_);
  // Together, as they come when many turns are given up.
  auto a = Ask(log, {.partition = 1, .turn_id = "a", .generation = 0, .from_ms = 0, .before_offset = kToTheEnd});
  auto same = Ask(log, {.partition = 1, .turn_id = "a", .generation = 0, .from_ms = 0, .before_offset = kToTheEnd});
  auto next = Ask(log, {.partition = 1, .turn_id = "a", .generation = 1, .from_ms = 0, .before_offset = kToTheEnd});
  auto before = Ask(log, {.partition = 1, .turn_id = "a", .generation = 0, .from_ms = 0, .before_offset = first});
  auto c = Ask(log, {.partition = 1, .turn_id = "c", .generation = 5, .from_ms = 0, .before_offset = kToTheEnd});
  auto unknown = Ask(log, {.partition = 1, .turn_id = "x", .generation = 0, .from_ms = 0, .before_offset = kToTheEnd});
  auto elsewhere =
      Ask(log, {.partition = 0, .turn_id = "a", .generation = 0, .from_ms = 0, .before_offset = kToTheEnd});

  const Found found = a.get();
  EXPECT_EQ(TextOf(found), "said first");
  ASSERT_TRUE(found.ok() && found->has_value());
  EXPECT_EQ((*found)->offset, first);
  EXPECT_EQ(TextOf(same.get()), "said first");
  EXPECT_EQ(TextOf(next.get()), "of the next generation");
  EXPECT_EQ(TextOf(before.get()), "none") << "only what stands before the offset counts";
  const Found of_c = c.get();
  ASSERT_TRUE(of_c.ok() && of_c->has_value());
  EXPECT_TRUE((*of_c)->record.has_supersede());
  EXPECT_EQ((*of_c)->offset, withdrawn);
  EXPECT_EQ(TextOf(unknown.get()), "none");
  EXPECT_EQ(TextOf(elsewhere.get()), "none");
}

TEST_F(ReplyLogTest, APartitionThatDoesNotExistIsAnErrorAndNoAnswer) {
  KafkaReplyLog log(options_);
  auto found = Ask(log, {.partition = 999, .turn_id = "a", .generation = 0, .from_ms = 0, .before_offset = kToTheEnd});
  EXPECT_FALSE(found.get().ok());
}

}  // namespace
}  // namespace worker
