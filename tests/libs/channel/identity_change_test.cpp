#include "libs/channel/identity_change.h"

#include <gtest/gtest.h>

#include <string>

#include "libs/channel/codec.h"
#include "tests/libs/channel/webhook_files.h"

namespace channel {
namespace {

Event Only(const char* file) {
  const auto events = FindCodec(mesh::bus::v1::CHANNEL_WHATSAPP)->Decode(WebhookBody(file));
  EXPECT_TRUE(events.ok() && events->size() == 1) << file;
  return events->front();
}

mesh::bus::v1::Turn TurnOf(const Event& event,
                           mesh::bus::v1::TurnKind kind = mesh::bus::v1::TURN_KIND_IDENTITY_CHANGE) {
  mesh::bus::v1::Turn turn;
  turn.mutable_conversation()->set_tenant("acme");
  turn.mutable_conversation()->set_channel(event.channel);
  turn.mutable_conversation()->set_account(event.account);
  turn.mutable_conversation()->set_user(event.user);
  turn.set_kind(kind);
  turn.set_type(event.type);
  turn.set_original(event.original);
  return turn;
}

std::string Change(const mesh::bus::v1::Turn& turn) {
  const auto change = FindIdentityChange(turn);
  if (!change) return "none";
  EXPECT_EQ(change->new_conversation.tenant(), "acme");
  EXPECT_EQ(change->new_conversation.account(), change->old_conversation.account());
  return change->old_conversation.user() + " to " + change->new_conversation.user();
}

TEST(IdentityChangeTest, EachWayInWhichWhatsAppTellsOfOne) {
  const auto change_in = [](const char* file) { return Change(TurnOf(Only(file))); };
  EXPECT_EQ(change_in("whatsapp/system_user_changed_number"), "16505551234 to 12195555358");
  EXPECT_EQ(change_in("whatsapp/system_without_from"), "US.13491208655302741918 to US.NEW");
  EXPECT_EQ(change_in("whatsapp/user_id_update"), "US.13491208655302741918 to US.NEW");
  EXPECT_EQ(change_in("whatsapp/user_id_update_without_number"), "US.13491208655302741918 to US.NEW");
}

// In its lane the change comes after what the user said before; on the new key it would not.
TEST(IdentityChangeTest, OfAUserWithoutANumberItStandsOnTheOldId) {
  for (const char* file : {"whatsapp/system_without_from", "whatsapp/user_id_update_without_number",
                           "whatsapp/user_id_update_new_id_in_contacts"}) {
    const mesh::bus::v1::Turn turn = TurnOf(Only(file));
    EXPECT_EQ(turn.conversation().user(), "US.13491208655302741918") << file;
    EXPECT_EQ(FindIdentityChange(turn)->old_conversation.user(), turn.conversation().user()) << file;
  }
}

TEST(IdentityChangeTest, ItsTimeIsTheChannelsSoThatARetryIsNoLaterChange) {
  mesh::bus::v1::Turn turn = TurnOf(Only("whatsapp/system_user_changed_number"));
  turn.set_accepted_at_ms(2000);
  EXPECT_EQ(FindIdentityChange(turn)->changed_at_ms, 2000);
  turn.set_sent_at_ms(1000);
  EXPECT_EQ(FindIdentityChange(turn)->changed_at_ms, 1000);
}

TEST(IdentityChangeTest, WhatNamesNoTwoIdsChangesNothing) {
  Event event = Only("whatsapp/system_user_changed_number");
  EXPECT_EQ(Change(TurnOf(event, mesh::bus::v1::TURN_KIND_EVENT)), "none");
  for (const char* original :
       {"", "not json", "[]", "{}", R"({"system":{"type":"customer_identity_changed","wa_id":"1"}})",
        R"({"system":{"type":"user_changed_number"}})",
        R"({"system":{"type":"user_changed_number","wa_id":"16505551234"}})"}) {
    event.original = original;
    EXPECT_EQ(Change(TurnOf(event)), "none") << original;
  }
}

}  // namespace
}  // namespace channel
