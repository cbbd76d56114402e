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

// An acknowledged record that stands on one of three brokers is lost with it.
TEST(TopicSpecTest, ThreeCopiesNeedTwoInSyncAndTheErrorSaysWhatToDo) {
  for (const TopicSpec& spec : TopicSpecs()) {
    for (const std::int32_t copies : {1, 2, 3, 5}) {
      bool wanted = false;
      for (const TopicSetting& setting : SettingsOf(spec, copies)) {
        if (setting.name != "min.insync.replicas") continue;
        wanted = true;
        EXPECT_EQ(setting.wanted, "2") << "as the topic is created";
        EXPECT_TRUE(CheckSetting("mesh.turns", setting, "2").ok());
        EXPECT_TRUE(CheckSetting("mesh.turns", setting, "3").ok());
        const std::string text(CheckSetting("mesh.turns", setting, "1").message());
        EXPECT_NE(text.find("topic mesh.turns: min.insync.replicas is 1, wanted at least 2"), std::string::npos)
            << text;
        EXPECT_NE(text.find("--entity-name mesh.turns --add-config min.insync.replicas=2"), std::string::npos) << text;
      }
      EXPECT_EQ(wanted, copies >= 3) << spec.topic << " with " << copies;
      EXPECT_EQ(SettingsOf(spec, copies).size(), spec.settings.size() + (copies >= 3 ? 1 : 0));
    }
  }
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
  EXPECT_EQ(ToString(DeadLetterReason::kUnknownSchema), "unknown_schema");
  EXPECT_EQ(ToString(DeadLetterReason::kKeyMismatch), "key_mismatch");
  EXPECT_EQ(ToString(DeadLetterReason::kUnknownAccount), "unknown_account");
  EXPECT_EQ(ToString(DeadLetterReason::kDeadline), "deadline");
  EXPECT_EQ(ToString(DeadLetterReason::kRefused), "refused");
  EXPECT_EQ(ToString(DeadLetterReason::kSendFailed), "send_failed");
  EXPECT_EQ(ToString(DeadLetterReason::kPoison), "poison");
  EXPECT_EQ(ToString(DeadLetterReason::kTooLarge), "too_large");
  EXPECT_EQ(ToString(DeadLetterReason::kPromptTooLong), "prompt_too_long");
  EXPECT_EQ(ToString(DeadLetterReason::kEmptyAnswer), "empty_answer");
}

}  // namespace
}  // namespace bus::internal
