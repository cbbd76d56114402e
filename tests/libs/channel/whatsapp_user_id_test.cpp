#include "libs/channel/whatsapp_user_id.h"

#include <gtest/gtest.h>

namespace channel::whatsapp {
namespace {

using Kind = UserId::Kind;

TEST(WhatsAppUserIdTest, ANumberIsItsDigitsWithOrWithoutAPlus) {
  for (const char* user : {"393331234567", "+393331234567"}) {
    const UserId id = ReadUserId(user);
    EXPECT_EQ(id.kind, Kind::kNumber) << user;
    EXPECT_EQ(id.number, "393331234567");
    EXPECT_EQ(id.country, "");
  }
}

TEST(WhatsAppUserIdTest, AScopedIdTellsItsCountryAndNothingElse) {
  for (const char* user : {"IT.1349000000000001", "IT.ENT.1349000000000001", "IT.x"}) {
    const UserId id = ReadUserId(user);
    EXPECT_EQ(id.kind, Kind::kScoped) << user;
    EXPECT_EQ(id.country, "IT");
    EXPECT_EQ(id.number, "");
  }
}

TEST(WhatsAppUserIdTest, EverythingElseIsNeither) {
  for (const char* user : {"", "+", "++39333", "+39 333", "39x", "ana", "+IT.1349", "IT", "IT.", "IT1349", "it.1349",
                           "It.1349", "00.1349", "..1349", "ITA.1349", "\xC3\xA9.1349"}) {
    EXPECT_EQ(ReadUserId(user).kind, Kind::kNeither) << user;
  }
}

}  // namespace
}  // namespace channel::whatsapp
