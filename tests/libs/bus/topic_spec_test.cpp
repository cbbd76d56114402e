#include "libs/bus/internal/topic_spec.h"

#include <gtest/gtest.h>

#include <string>

#include "libs/bus/dead_letter.h"
#include "libs/bus/internal/topic_label.h"
#include "libs/bus/topics.h"

namespace bus::internal {
namespace {

TEST(TopicSpecTest, FiveOfSevenTopicsArePartitionedByConversation) {
  int per_conversation = 0;
  for (const TopicSpec& spec : TopicSpecs()) per_conversation += spec.per_conversation ? 1 : 0;
  EXPECT_EQ(TopicSpecs().size(), 7u);
  EXPECT_EQ(per_conversation, 5);
}

TEST(TopicSpecTest, ADifferenceNamesTopicSettingFoundAndWanted) {
  const TopicSetting setting{.name = "max.message.bytes", .wanted = "4194304", .rule = TopicSetting::Rule::kAtLeast};
  const absl::Status status = CheckSetting("mesh.turns", setting, "1048588");
  EXPECT_TRUE(absl::IsFailedPrecondition(status));
  const std::string text(status.message());
  EXPECT_EQ(text.find("topic mesh.turns: max.message.bytes is 1048588, wanted at least 4194304"), 0u) << text;
}

TEST(TopicSpecTest, MoreThanTheLeastIsFineAndRetentionMayBeUnlimited) {
  const TopicSetting retention{.name = "retention.ms", .wanted = "100", .rule = TopicSetting::Rule::kAtLeast};
  EXPECT_TRUE(CheckSetting("t", retention, "100").ok());
  EXPECT_TRUE(CheckSetting("t", retention, "101").ok());
  EXPECT_TRUE(CheckSetting("t", retention, "-1").ok());
  EXPECT_FALSE(CheckSetting("t", retention, "99").ok());
  EXPECT_FALSE(CheckSetting("t", retention, "unset").ok());
  const TopicSetting size{.name = "max.message.bytes", .wanted = "100", .rule = TopicSetting::Rule::kAtLeast};
  EXPECT_FALSE(CheckSetting("t", size, "-1").ok());
}

TEST(TopicSpecTest, CleanupPoliciesAreEqualInAnyOrder) {
  const TopicSetting policy{.name = "cleanup.policy", .wanted = "compact,delete"};
  EXPECT_TRUE(CheckSetting("t", policy, "delete,compact").ok());
  EXPECT_TRUE(CheckSetting("t", policy, "delete, compact").ok());
  EXPECT_FALSE(CheckSetting("t", policy, "compact").ok());
  EXPECT_FALSE(CheckSetting("t", policy, "").ok());
}

TEST(TopicLabelTest, IsOneOfTheSevenOrOther) {
  BusOptions bus;
  bus.topic_prefix = "acme.";
  EXPECT_EQ(TopicLabel(bus, "acme.turns"), "turns");
  EXPECT_EQ(TopicLabel(bus, "acme.dead-letter"), "dead-letter");
  EXPECT_EQ(TopicLabel(bus, "acme.turns2"), "other");
  EXPECT_EQ(TopicLabel(bus, "turns"), "other");
  EXPECT_EQ(TopicLabel(bus, ""), "other");
}

TEST(DeadLetterReasonTest, WordsAreDistinctAndStable) {
  EXPECT_EQ(ToString(DeadLetterReason::kUndecodable), "undecodable");
  EXPECT_EQ(ToString(DeadLetterReason::kKeyMismatch), "key_mismatch");
  EXPECT_EQ(ToString(DeadLetterReason::kUnknownAccount), "unknown_account");
  EXPECT_EQ(ToString(DeadLetterReason::kDeadline), "deadline");
  EXPECT_EQ(ToString(DeadLetterReason::kRefused), "refused");
  EXPECT_EQ(ToString(DeadLetterReason::kSendFailed), "send_failed");
  EXPECT_EQ(ToString(DeadLetterReason::kPoison), "poison");
  EXPECT_EQ(ToString(DeadLetterReason::kTooLarge), "too_large");
}

}  // namespace
}  // namespace bus::internal
