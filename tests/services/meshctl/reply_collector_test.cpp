#include "services/meshctl/reply_collector.h"

#include <gtest/gtest.h>

#include "libs/base/hex.h"
#include "libs/json/writer.h"

namespace meshctl {
namespace {

constexpr char kTraceId[] = "0af7651916cd43dd8448eb211c80319c";

class ReplyCollectorTest : public ::testing::Test {
 protected:
  static mesh::bus::v1::ConversationId Conversation(mesh::bus::v1::Channel channel) {
    mesh::bus::v1::ConversationId conversation;
    conversation.set_tenant("t");
    conversation.set_channel(channel);
    conversation.set_account("100");
    conversation.set_user("u");
    return conversation;
  }

  std::string ReplyId(std::uint32_t part, std::uint32_t generation = 0,
                      mesh::bus::v1::ReplyKind kind = mesh::bus::v1::REPLY_KIND_ANSWER) const {
    return base::ToHex(identity::MakeReplyId(turn_, generation, kind, part).value());
  }

  static std::string Line(const std::string& reply_id, const std::string& text, const std::string& user = "u",
                          const std::string& trace_id = "", std::int64_t ts_ms = 1000) {
    json::Writer json;
    json.BeginObject();
    json.Field("ts_ms", ts_ms);
    json.Field("account", "100");
    json.Field("user", user);
    json.Field("text", text);
    json.Field("reply_id", reply_id);
    if (!trace_id.empty()) json.Field("traceparent", "00-" + trace_id + "-b7ad6b7169203331-01");
    json.EndObject();
    return std::move(json).Take();
  }

  const identity::TurnId turn_ = identity::MakeTurnId(Conversation(mesh::bus::v1::CHANNEL_WHATSAPP), "wamid.1");
  ReplyCollector whatsapp_{Conversation(mesh::bus::v1::CHANNEL_WHATSAPP), turn_, kTraceId};
};

TEST_F(ReplyCollectorTest, ShortReplyIsCompleteAtOnce) {
  EXPECT_FALSE(whatsapp_.IsSurelyComplete());
  whatsapp_.Offer(Line(ReplyId(0), "Paris."));
  EXPECT_TRUE(whatsapp_.IsSurelyComplete());
  EXPECT_EQ(whatsapp_.Text(), "Paris.");
  EXPECT_EQ(whatsapp_.last_ts_ms(), 1000);
}

TEST_F(ReplyCollectorTest, WhatIsNotOfThisTurnIsIgnored) {
  whatsapp_.Offer(Line(std::string(64, 'a'), "another turn's"));
  whatsapp_.Offer(Line(ReplyId(0), "another user's", "v"));
  whatsapp_.Offer("");
  whatsapp_.Offer("{\"reply_id\":5}");
  EXPECT_FALSE(whatsapp_.any());
}

TEST_F(ReplyCollectorTest, PartsAreOrderedAndALongOneMayBeFollowed) {
  const std::string longer(4000, 'x');
  whatsapp_.Offer(Line(ReplyId(1), "end", "u", "", 3000));
  EXPECT_FALSE(whatsapp_.IsSurelyComplete());  // part 0 is missing
  whatsapp_.Offer(Line(ReplyId(0), longer, "u", "", 2000));
  EXPECT_TRUE(whatsapp_.IsSurelyComplete());
  EXPECT_EQ(whatsapp_.Text(), longer + "\nend");
  EXPECT_EQ(whatsapp_.last_ts_ms(), 3000);

  ReplyCollector other(Conversation(mesh::bus::v1::CHANNEL_WHATSAPP), turn_, kTraceId);
  other.Offer(Line(ReplyId(0), longer));
  EXPECT_TRUE(other.any());
  EXPECT_FALSE(other.IsSurelyComplete());
}

TEST_F(ReplyCollectorTest, PartSentTwiceCountsOnce) {
  whatsapp_.Offer(Line(ReplyId(0), "Paris."));
  whatsapp_.Offer(Line(ReplyId(0), "Paris."));
  EXPECT_EQ(whatsapp_.Text(), "Paris.");
}

TEST_F(ReplyCollectorTest, NoticeAndRequeuedAnswerAreReplies) {
  whatsapp_.Offer(Line(ReplyId(0, 0, mesh::bus::v1::REPLY_KIND_FALLBACK), "Sorry."));
  EXPECT_EQ(whatsapp_.Text(), "Sorry.");
  whatsapp_.Offer(Line(ReplyId(0, 1), "Paris after all."));
  EXPECT_EQ(whatsapp_.Text(), "Paris after all.");
}

TEST_F(ReplyCollectorTest, InstagramIsFoundByItsTrace) {
  ReplyCollector instagram(Conversation(mesh::bus::v1::CHANNEL_INSTAGRAM), turn_, kTraceId);
  instagram.Offer(Line("", "another message's", "u", "1af7651916cd43dd8448eb211c80319c"));
  EXPECT_FALSE(instagram.any());
  instagram.Offer(Line("", std::string(900, 'x'), "u", kTraceId));
  EXPECT_FALSE(instagram.IsSurelyComplete());
  instagram.Offer(Line("", "end", "u", kTraceId));
  EXPECT_TRUE(instagram.IsSurelyComplete());
  EXPECT_EQ(instagram.Text(), std::string(900, 'x') + "\nend");
}

}  // namespace
}  // namespace meshctl
