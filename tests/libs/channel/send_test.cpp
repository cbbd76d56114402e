#include <gmock/gmock.h>
#include <gtest/gtest.h>

#include <string>
#include <string_view>
#include <vector>

#include "libs/account/account.h"
#include "libs/channel/codec.h"

namespace channel {
namespace {

using mesh::bus::v1::CHANNEL_INSTAGRAM;
using mesh::bus::v1::CHANNEL_MESSENGER;
using mesh::bus::v1::CHANNEL_WHATSAPP;
using testing::ElementsAre;
using testing::IsEmpty;

const std::string kReplyId(64, 'a');  // NOLINT: a constant of the tests

account::Account MakeAccount() {
  account::Account account;
  account.account_id = "106540352242922";
  account.graph_base_url = "http://127.0.0.1:8090/";
  account.access_token = crypto::Secret("token-1");
  return account;
}

mesh::bus::v1::OutboundPart Text(const std::string& text) {
  mesh::bus::v1::OutboundPart part;
  part.set_text(text);
  return part;
}

TEST(EncodePartTest, WhatsAppNumber) {
  const OutboundRequest request =
      FindCodec(CHANNEL_WHATSAPP)->EncodePart(MakeAccount(), "16505551234", Text("Pa\"ris\n"), "wamid.Q", kReplyId);
  EXPECT_EQ(request.url, "http://127.0.0.1:8090/v25.0/106540352242922/messages");
  EXPECT_EQ(request.authorization, "Bearer token-1");
  EXPECT_EQ(request.body,
            R"({"messaging_product":"whatsapp","recipient_type":"individual","to":"16505551234","type":"text",)"
            R"("text":{"body":"Pa\"ris\n"},"context":{"message_id":"wamid.Q"},"biz_opaque_callback_data":")" +
                kReplyId + R"("})");
}

TEST(EncodePartTest, WhatsAppNumberWithAPlusIsANumber) {
  const std::string body =
      FindCodec(CHANNEL_WHATSAPP)->EncodePart(MakeAccount(), "+393331234567", Text("hi"), "derived:00", "").body;
  EXPECT_NE(body.find(R"("to":"+393331234567")"), std::string::npos) << body;
}

TEST(EncodePartTest, WhatsAppBusinessScopedIdGoesIntoRecipient) {
  const std::string body = FindCodec(CHANNEL_WHATSAPP)
                               ->EncodePart(MakeAccount(), "US.13491208655302741918", Text("hi"), "derived:00", "")
                               .body;
  EXPECT_EQ(body,
            R"({"messaging_product":"whatsapp","recipient_type":"individual","recipient":"US.13491208655302741918",)"
            R"("type":"text","text":{"body":"hi"}})");
}

TEST(EncodePartTest, Messenger) {
  EXPECT_EQ(FindCodec(CHANNEL_MESSENGER)->EncodePart(MakeAccount(), "1254", Text("hi"), "m_1", kReplyId).body,
            R"({"recipient":{"id":"1254"},"messaging_type":"RESPONSE","message":{"text":"hi","metadata":")" + kReplyId +
                R"("}})");
}

TEST(EncodePartTest, Instagram) {
  EXPECT_EQ(FindCodec(CHANNEL_INSTAGRAM)->EncodePart(MakeAccount(), "8253", Text("hi"), "m_1", kReplyId).body,
            R"({"recipient":{"id":"8253"},"message":{"text":"hi"}})");
}

// Both logins name the sender by the token. By the account id, graph.facebook.com would be asked to post as an
// Instagram account, which it cannot: there the page posts.
TEST(EncodePartTest, InstagramPostsAsWhomTheTokenNamesWithEitherLogin) {
  account::Account account = MakeAccount();
  account.channel = CHANNEL_INSTAGRAM;
  for (const char* base : {"https://graph.facebook.com", "https://graph.instagram.com"}) {
    account.graph_base_url = base;
    const OutboundRequest request = FindCodec(CHANNEL_INSTAGRAM)->EncodePart(account, "1", Text("hi"), "", "");
    EXPECT_EQ(request.url, std::string(base) + "/v25.0/me/messages");
    EXPECT_EQ(request.authorization, "Bearer token-1");
  }
}

TEST(EncodePartTest, AccountIdCannotLeaveItsPathSegment) {
  account::Account account = MakeAccount();
  account.account_id = "../me?x=";
  EXPECT_EQ(FindCodec(CHANNEL_MESSENGER)->EncodePart(account, "1", Text("hi"), "", "").url,
            "http://127.0.0.1:8090/v25.0/..%2Fme%3Fx%3D/messages");
}

std::vector<std::string> PresenceBodies(mesh::bus::v1::Channel channel, std::string_view message_id,
                                        PresenceKind kind) {
  std::vector<std::string> bodies;
  for (const OutboundRequest& request : FindCodec(channel)->EncodePresence(MakeAccount(), "1254", message_id, kind)) {
    EXPECT_EQ(request.url, "http://127.0.0.1:8090/v25.0/106540352242922/messages");
    EXPECT_EQ(request.authorization, "Bearer token-1");
    bodies.push_back(request.body);
  }
  return bodies;
}

TEST(EncodePresenceTest, WhatsAppSaysBothOfAMessageInOneRequest) {
  const std::string read = R"({"messaging_product":"whatsapp","status":"read","message_id":"wamid.\"Q")";
  const std::string typing = read + R"(,"typing_indicator":{"type":"text"}})";
  const std::string id = "wamid.\"Q";
  EXPECT_THAT(PresenceBodies(CHANNEL_WHATSAPP, id, PresenceKind::kRead), ElementsAre(read + "}"));
  EXPECT_THAT(PresenceBodies(CHANNEL_WHATSAPP, id, PresenceKind::kTyping), ElementsAre(typing));
  EXPECT_THAT(PresenceBodies(CHANNEL_WHATSAPP, id, PresenceKind::kReadAndTyping), ElementsAre(typing));
}

TEST(EncodePresenceTest, WhatsAppSaysNothingOfAMessageWithoutAnIdOfItsOwn) {
  EXPECT_THAT(PresenceBodies(CHANNEL_WHATSAPP, "derived:00", PresenceKind::kReadAndTyping), IsEmpty());
  EXPECT_THAT(PresenceBodies(CHANNEL_WHATSAPP, "", PresenceKind::kRead), IsEmpty());
}

TEST(EncodePresenceTest, MessengerAndInstagramTakeOneActionARequestWhateverTheMessagesId) {
  const std::string seen = R"({"recipient":{"id":"1254"},"sender_action":"mark_seen"})";
  const std::string typing = R"({"recipient":{"id":"1254"},"sender_action":"typing_on"})";
  for (const auto channel : {CHANNEL_MESSENGER, CHANNEL_INSTAGRAM}) {
    EXPECT_THAT(PresenceBodies(channel, "m_1", PresenceKind::kRead), ElementsAre(seen));
    EXPECT_THAT(PresenceBodies(channel, "derived:00", PresenceKind::kTyping), ElementsAre(typing));
    EXPECT_THAT(PresenceBodies(channel, "m_1", PresenceKind::kReadAndTyping), ElementsAre(seen, typing));
  }
}

std::string ErrorBody(int code, std::string_view more = "") {
  return R"({"error":{"message":"(#0) No","type":"OAuthException","code":)" + std::to_string(code) + std::string(more) +
         R"(,"fbtrace_id":"AbC"}})";
}

TEST(DecodeAnswerTest, AcceptedSendsHaveAnId) {
  const SendAnswer whatsapp =
      FindCodec(CHANNEL_WHATSAPP)
          ->DecodeAnswer(200, R"({"messaging_product":"whatsapp","contacts":[{"input":"1","wa_id":"1"}],)"
                              R"("messages":[{"id":"wamid.X","message_status":"accepted"}]})");
  EXPECT_EQ(whatsapp.verdict, SendVerdict::kAccepted);
  EXPECT_EQ(whatsapp.message_id, "wamid.X");
  for (const auto channel : {CHANNEL_MESSENGER, CHANNEL_INSTAGRAM}) {
    const SendAnswer answer = FindCodec(channel)->DecodeAnswer(200, R"({"recipient_id":"1","message_id":"m_1"})");
    EXPECT_EQ(answer.verdict, SendVerdict::kAccepted);
    EXPECT_EQ(answer.message_id, "m_1");
  }
}

// The rows of channels.md 3.2.
TEST(DecodeAnswerTest, ErrorCodesDecide) {
  const Codec* codec = FindCodec(CHANNEL_WHATSAPP);
  const auto verdict = [&](int code) { return codec->DecodeAnswer(400, ErrorBody(code)).verdict; };
  for (const int code :
       {1, 2, 4, 17, 32, 613, 1200, 80007, 130429, 131000, 131016, 131053, 131056, 131057, 133016, 135000}) {
    EXPECT_EQ(verdict(code), SendVerdict::kRetry) << code;
  }
  for (const int code : {0, 190, 458, 467, 368, 131031, 131037, 131042, 131045, 131048, 131064, 133010}) {
    EXPECT_EQ(verdict(code), SendVerdict::kPark) << code;
  }
  for (const int code : {3,      10,     33,     100,    200,    299,    551,    130472, 130497, 131005, 131008, 131009,
                         131021, 131026, 131030, 131047, 131049, 131050, 131051, 131052, 131062, 132000, 132015}) {
    EXPECT_EQ(verdict(code), SendVerdict::kFail) << code;
  }
}

TEST(DecodeAnswerTest, RetriesHoldBackThoseWhomTheLimitIsAbout) {
  const Codec* codec = FindCodec(CHANNEL_WHATSAPP);
  EXPECT_EQ(codec->DecodeAnswer(400, ErrorBody(131056)).backoff_scope, BackoffScope::kUser);
  EXPECT_EQ(codec->DecodeAnswer(400, ErrorBody(130429)).backoff_scope, BackoffScope::kAccount);
  EXPECT_EQ(codec->DecodeAnswer(500, ErrorBody(131000)).backoff_scope, BackoffScope::kReply);
}

TEST(DecodeAnswerTest, UnknownCodeFollowsMetasHintThenTheStatus) {
  const Codec* codec = FindCodec(CHANNEL_MESSENGER);
  EXPECT_EQ(codec->DecodeAnswer(400, ErrorBody(999999)).verdict, SendVerdict::kFail);
  EXPECT_EQ(codec->DecodeAnswer(400, ErrorBody(999999, R"(,"is_transient":true)")).verdict, SendVerdict::kRetry);
  EXPECT_EQ(codec->DecodeAnswer(500, ErrorBody(999999)).verdict, SendVerdict::kRetry);
  EXPECT_EQ(codec->DecodeAnswer(429, ErrorBody(999999)).backoff_scope, BackoffScope::kAccount);
}

// What callers ask for instead of codes.
TEST(DecodeAnswerTest, EachErrorIsOfAClass) {
  const auto of = [](int code, std::string_view more = "") {
    return FindCodec(CHANNEL_MESSENGER)->DecodeAnswer(400, ErrorBody(code, more)).error_class;
  };
  for (const int code : {0, 190, 458, 467}) EXPECT_EQ(of(code), GraphErrorClass::kToken) << code;
  for (const int code : {3, 10, 200, 299, 131005}) EXPECT_EQ(of(code), GraphErrorClass::kPermission) << code;
  for (const int code : {4, 17, 32, 613, 80007, 130429, 131056, 133016}) {
    EXPECT_EQ(of(code), GraphErrorClass::kRate) << code;
  }
  for (const int code : {368, 131031, 131042, 131048, 133010}) EXPECT_EQ(of(code), GraphErrorClass::kBlocked) << code;
  for (const int code : {33, 100}) EXPECT_EQ(of(code), GraphErrorClass::kUnknownId) << code;
  EXPECT_EQ(of(1), GraphErrorClass::kTemporary);
  EXPECT_EQ(of(131026), GraphErrorClass::kRecipient);
  EXPECT_EQ(of(10, R"(,"error_subcode":2018108)"), GraphErrorClass::kRecipient) << "with a subcode it is about a user";
  EXPECT_EQ(of(132001), GraphErrorClass::kContent);
  EXPECT_EQ(of(999999), GraphErrorClass::kUnknown);
  EXPECT_EQ(ClassOfGraphError(-1), GraphErrorClass::kUnknown) << "no code at all";
}

TEST(DecodeAnswerTest, AClosedWindowIsKnownByItsCodes) {
  const auto closed = [](auto channel, const std::string& body) {
    const SendAnswer answer = FindCodec(channel)->DecodeAnswer(400, body);
    EXPECT_EQ(answer.verdict, SendVerdict::kFail);
    return answer.error_class == GraphErrorClass::kWindow;
  };
  EXPECT_TRUE(closed(CHANNEL_WHATSAPP, ErrorBody(131047)));
  EXPECT_TRUE(closed(CHANNEL_MESSENGER, ErrorBody(10, R"(,"error_subcode":2018278)")));
  EXPECT_TRUE(closed(CHANNEL_INSTAGRAM, ErrorBody(10, R"(,"error_subcode":2534022)")));
  EXPECT_FALSE(closed(CHANNEL_MESSENGER, ErrorBody(10)));
  EXPECT_FALSE(closed(CHANNEL_MESSENGER, ErrorBody(100, R"(,"error_subcode":2018278)")));
  EXPECT_FALSE(closed(CHANNEL_WHATSAPP, ErrorBody(131026)));
}

TEST(DecodeAnswerTest, ErrorObjectIsReadWhole) {
  const SendAnswer answer =
      FindCodec(CHANNEL_MESSENGER)->DecodeAnswer(403, ErrorBody(10, R"(,"error_subcode":2018278)"));
  EXPECT_EQ(answer.error_code, 10);
  EXPECT_EQ(answer.error_subcode, 2018278);
  EXPECT_EQ(answer.error_title, "(#0) No");
  EXPECT_EQ(answer.fbtrace_id, "AbC");
}

// Only Graph's error object says for certain that nothing was sent. A 408 or a 404 page may be a proxy's, which had
// given the request to Graph before.
TEST(DecodeAnswerTest, WithoutAGraphErrorObjectOnlyAGatesRefusalIsCertain) {
  const Codec* codec = FindCodec(CHANNEL_WHATSAPP);
  for (const char* body :
       {"", "<html>Bad gateway</html>", "{}", "[]", R"({"error":"x"})", R"({"messages":[{"id":5.5}]})"}) {
    for (const int status : {200, 302, 400, 404, 408, 499, 500, 503}) {
      EXPECT_EQ(codec->DecodeAnswer(status, body).verdict, SendVerdict::kInDoubt) << status << " " << body;
    }
    EXPECT_EQ(codec->DecodeAnswer(407, body).verdict, SendVerdict::kRetry) << body;
    EXPECT_EQ(codec->DecodeAnswer(429, body).verdict, SendVerdict::kRetry) << body;
    EXPECT_EQ(codec->DecodeAnswer(429, body).backoff_scope, BackoffScope::kAccount) << body;
  }
}

TEST(DecodeAnswerTest, ErrorCodesOfAnotherTypeAreUnknownCodes) {
  const Codec* codec = FindCodec(CHANNEL_WHATSAPP);
  EXPECT_EQ(codec->DecodeAnswer(400, R"({"error":{"code":"190"}})").verdict, SendVerdict::kPark);  // digits as text
  EXPECT_EQ(codec->DecodeAnswer(400, R"({"error":{"code":null}})").verdict, SendVerdict::kFail);
  EXPECT_EQ(codec->DecodeAnswer(400, R"({"error":{"code":99999999999}})").verdict, SendVerdict::kFail);
}

}  // namespace
}  // namespace channel
