#include "libs/channel/account_event.h"

#include <gmock/gmock.h>
#include <gtest/gtest.h>

#include <set>
#include <string>

#include "libs/channel/codec.h"
#include "tests/libs/channel/webhook_files.h"

namespace channel {
namespace {

using mesh::bus::v1::CHANNEL_MESSENGER;
using mesh::bus::v1::CHANNEL_WHATSAPP;

Event Only(mesh::bus::v1::Channel channel, const std::string& body) {
  const auto events = FindCodec(channel)->Decode(body);
  EXPECT_TRUE(events.ok() && events->size() == 1) << body;
  return events->front();
}

// One change of a WhatsApp Business Account.
AccountEvent Change(const std::string& field, const std::string& value) {
  const Event event = Only(CHANNEL_WHATSAPP, R"({"object":"whatsapp_business_account","entry":[{"id":"900","time":1,)"
                                             R"("changes":[{"value":)" +
                                                 value + R"(,"field":")" + field + R"("}]}]})");
  EXPECT_EQ(event.account, "900");
  EXPECT_EQ(event.user, "");
  const auto facts = ReadAccountEvent(event);
  EXPECT_TRUE(facts) << field;
  return facts.value_or(AccountEvent{});
}

TEST(AccountEventTest, QualityAndLimitOfANumber) {
  const AccountEvent flagged =
      Change("phone_number_quality_update",
             R"({"display_phone_number":"15550783881","event":"FLAGGED","current_limit":"TIER_1K"})");
  EXPECT_EQ(flagged.type, "phone_number_quality_update");
  EXPECT_EQ(flagged.event, "FLAGGED");
  EXPECT_EQ(flagged.limit, "TIER_1K");
  EXPECT_EQ(flagged.subject, "15550783881");
  const AccountEvent limit = Change("business_capability_update", R"({"max_daily_conversations_per_business":2000})");
  EXPECT_EQ(limit.limit, "2000") << "numbers where strings were expected";
}

TEST(AccountEventTest, WhatStopsAnAccountHasATypeOfItsOwn) {
  const AccountEvent banned = Change(
      "account_update", R"({"event":"DISABLED_UPDATE","ban_info":{"waba_ban_state":"DISABLE","waba_ban_date":"x"}})");
  EXPECT_EQ(banned.type, "account_disabled");
  EXPECT_EQ(banned.state, "DISABLE");
  EXPECT_EQ(Change("account_update", R"({"event":"DISABLED_UPDATE","ban_info":{"waba_ban_state":"REINSTATE"}})").type,
            "account_update")
      << "good news";
  const AccountEvent restricted =
      Change("account_update", R"({"event":"ACCOUNT_RESTRICTION","restriction_info":[)"
                               R"({"restriction_type":"RESTRICTED_BIZ_INITIATED_MESSAGING","expiration":1}]})");
  EXPECT_EQ(restricted.type, "account_restriction");
  EXPECT_EQ(restricted.state, "RESTRICTED_BIZ_INITIATED_MESSAGING");
  const AccountEvent violation =
      Change("account_update", R"({"event":"ACCOUNT_VIOLATION","violation_info":{"violation_type":"SCAM"}})");
  EXPECT_EQ(violation.type, "account_violation");
  EXPECT_EQ(violation.state, "SCAM");
  EXPECT_EQ(Change("account_update", R"({"event":"VERIFIED_ACCOUNT"})").type, "account_update");
}

TEST(AccountEventTest, TemplatesAlertsAndReviews) {
  const AccountEvent paused =
      Change("message_template_status_update",
             R"({"event":"PAUSED","message_template_id":7,"message_template_name":"order","reason":"FIRST_PAUSE"})");
  EXPECT_EQ(paused.event, "PAUSED");
  EXPECT_EQ(paused.subject, "order");
  EXPECT_EQ(paused.reason, "FIRST_PAUSE");
  EXPECT_EQ(Change("message_template_quality_update", R"({"new_quality_score":"RED"})").quality, "RED");
  const AccountEvent alert = Change("account_alerts", R"({"entity_type":"BUSINESS","entity_id":"1","alert_info":)"
                                                      R"({"alert_severity":"CRITICAL","alert_type":"OBA_REJECTED"}})");
  EXPECT_EQ(alert.event, "OBA_REJECTED");
  EXPECT_EQ(alert.state, "CRITICAL");
  EXPECT_EQ(Change("account_review_update", R"({"decision":"REJECTED"})").event, "REJECTED");
}

TEST(AccountEventTest, ErrorsOfANumberCarryTheirCode) {
  const auto facts = ReadAccountEvent(Only(CHANNEL_WHATSAPP, WebhookBody("whatsapp/value_errors")));
  ASSERT_TRUE(facts);
  EXPECT_EQ(facts->type, "errors");
  EXPECT_EQ(facts->code, 130429);
  EXPECT_EQ(facts->reason, "Rate limit hit");
}

TEST(AccountEventTest, MessengersPolicyEnforcementCountsBesideItsUser) {
  const Event event = Only(CHANNEL_MESSENGER, WebhookBody("messenger/policy_enforcement"));
  EXPECT_NE(event.user, "") << "the record is kept as before";
  const auto facts = ReadAccountEvent(event);
  ASSERT_TRUE(facts);
  EXPECT_EQ(facts->type, "policy_enforcement");
  EXPECT_EQ(facts->event, "block");
  EXPECT_EQ(facts->reason, "spam");
}

TEST(AccountEventTest, WhatIsAboutAConversationIsNone) {
  for (const char* file : {"whatsapp/text", "whatsapp/reaction", "whatsapp/status_sent",
                           "whatsapp/user_preferences_stop", "whatsapp/system_user_changed_number"}) {
    EXPECT_FALSE(ReadAccountEvent(Only(CHANNEL_WHATSAPP, WebhookBody(file)))) << file;
  }
}

TEST(AccountEventTest, TypesNotSeenBeforeAreOtherAndFactsAreBounded) {
  EXPECT_EQ(Change("brand_new_update", R"({"event":"X"})").type, "other");
  EXPECT_EQ(AccountEventTypes().back(), "other");
  EXPECT_EQ(std::set<std::string_view>(AccountEventTypes().begin(), AccountEventTypes().end()).size(),
            AccountEventTypes().size());
  const AccountEvent odd = Change("account_update", R"({"event":")" + std::string(5000, 'x') +
                                                        R"(","ban_info":[],"restriction_info":{},"reason":{"a":1}})");
  EXPECT_EQ(odd.event.size(), AccountEvent::kFactBytesMax);
  EXPECT_EQ(odd.reason, "");
  EXPECT_EQ(odd.state, "");
}

}  // namespace
}  // namespace channel
