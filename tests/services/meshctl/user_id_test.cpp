#include "services/meshctl/user_id.h"

#include <gtest/gtest.h>

namespace meshctl {
namespace {

using mesh::bus::v1::CHANNEL_INSTAGRAM;
using mesh::bus::v1::CHANNEL_MESSENGER;
using mesh::bus::v1::CHANNEL_WHATSAPP;

// "+15557770009" paused a conversation that nobody has, and the bot went on answering the user.
TEST(UserIdTest, AWhatsAppNumberIsWrittenAsInWebhooks) {
  EXPECT_EQ(UserFrom(CHANNEL_WHATSAPP, "15557770009").value(), "15557770009");
  EXPECT_EQ(UserFrom(CHANNEL_WHATSAPP, "+15557770009").value(), "15557770009");
  EXPECT_EQ(UserFrom(CHANNEL_WHATSAPP, "US.13491208655302741918").value(), "US.13491208655302741918");
  EXPECT_EQ(UserFrom(CHANNEL_WHATSAPP, "US.ENT.11815799212886844830").value(), "US.ENT.11815799212886844830");
}

TEST(UserIdTest, WhatCanBeNoUserOfWhatsAppIsRefusedWithWhatIsMeant) {
  for (const char* text : {"", "+", "++1555", "+1 555 777 0009", "1555-777-0009", "ana", "+US.1349", "US.",
                           "15557770009 ", "00.1349", "us.1349", "Us.1349", "US.13\t49"}) {
    const auto user = UserFrom(CHANNEL_WHATSAPP, text);
    ASSERT_FALSE(user.ok()) << text;
    EXPECT_NE(user.status().message().find("15551234567"), std::string::npos) << user.status();
  }
}

TEST(UserIdTest, IdsOfTheOtherChannelsAreOpaque) {
  EXPECT_EQ(UserFrom(CHANNEL_MESSENGER, "1254459154682919").value(), "1254459154682919");
  EXPECT_EQ(UserFrom(CHANNEL_INSTAGRAM, "+1").value(), "+1");
  EXPECT_FALSE(UserFrom(CHANNEL_MESSENGER, "12 34").ok());
  EXPECT_FALSE(UserFrom(CHANNEL_INSTAGRAM, "").ok());
}

TEST(UserIdTest, AConversationIsKnownByWordsAPauseOrAnOptOut) {
  mesh::session::v1::GetSessionResponse words, paused, opted_out;
  EXPECT_FALSE(IsKnown({}));
  words.add_turns();
  paused.set_paused(true);
  opted_out.set_opted_out(true);
  EXPECT_TRUE(IsKnown(words));
  EXPECT_TRUE(IsKnown(paused));
  EXPECT_TRUE(IsKnown(opted_out));
}

}  // namespace
}  // namespace meshctl
