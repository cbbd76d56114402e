#include "services/worker/answer_policy.h"

#include <gtest/gtest.h>

#include <cstdint>
#include <optional>
#include <string>

#include "services/worker/calling_codes.h"

namespace worker {
namespace {

using mesh::bus::v1::CONTROL_ACTION_OPT_IN;
using mesh::bus::v1::CONTROL_ACTION_OPT_OUT;
using mesh::bus::v1::CONTROL_ACTION_PAUSE;
using mesh::bus::v1::CONTROL_ACTION_RESUME;
using mesh::bus::v1::CONTROL_ACTION_UNSPECIFIED;

class AnswerPolicyTest : public testing::Test {
 protected:
  AnswerPolicyTest() {
    account_.handoff_text = "A person comes.";
    account_.return_text = "The bot is back.";
    account_.opt_out_text = "Goodbye.";
    account_.opt_in_text = "Hello again.";
    turn_.mutable_conversation()->set_channel(mesh::bus::v1::CHANNEL_WHATSAPP);
    turn_.mutable_conversation()->set_user("491700000001");
  }

  // The ruling in short: "model", "say TEXT", "drop REASON", "drop REASON saying TEXT".
  std::string Of(mesh::bus::v1::ControlAction word) {
    turn_.set_control(word);
    const std::optional<Ruling> ruling = RuleOn(account_, turn_, loaded_);
    if (!ruling) return "model";
    if (!ruling->drops) return "say " + ruling->text;
    return "drop " + std::string(ToString(*ruling->drops)) + (ruling->text.empty() ? "" : " saying " + ruling->text);
  }
  std::string Of() { return Of(CONTROL_ACTION_UNSPECIFIED); }

  account::Account account_;
  mesh::bus::v1::Turn turn_;
  mesh::session::v1::LoadContextResponse loaded_;
};

TEST_F(AnswerPolicyTest, WithoutARuleTheModelAnswers) { EXPECT_EQ(Of(), "model"); }

TEST_F(AnswerPolicyTest, WhileAPersonAnswersTheBotIsSilentUntilItsWord) {
  EXPECT_EQ(Of(CONTROL_ACTION_PAUSE), "say A person comes.");
  loaded_.set_paused(true);
  EXPECT_EQ(Of(), "drop handoff");
  EXPECT_EQ(Of(CONTROL_ACTION_PAUSE), "say A person comes.") << "asked again, and after a crash that came between";
  EXPECT_EQ(Of(CONTROL_ACTION_RESUME), "say The bot is back.");
}

TEST_F(AnswerPolicyTest, WhoOptedOutIsAnsweredNothingButTheWordsForThat) {
  EXPECT_EQ(Of(CONTROL_ACTION_OPT_OUT), "say Goodbye.");
  loaded_.set_opted_out(true);
  EXPECT_EQ(Of(), "drop opted_out");
  EXPECT_EQ(Of(CONTROL_ACTION_PAUSE), "drop opted_out");
  EXPECT_EQ(Of(CONTROL_ACTION_RESUME), "drop opted_out");
  EXPECT_EQ(Of(CONTROL_ACTION_OPT_OUT), "say Goodbye.");
  EXPECT_EQ(Of(CONTROL_ACTION_OPT_IN), "say Hello again.");
}

TEST_F(AnswerPolicyTest, ConsentIsAlsoTakenAndGivenWhileAPersonAnswers) {
  loaded_.set_paused(true);
  EXPECT_EQ(Of(CONTROL_ACTION_OPT_OUT), "say Goodbye.");
  loaded_.set_opted_out(true);
  EXPECT_EQ(Of(), "drop opted_out");
  EXPECT_EQ(Of(CONTROL_ACTION_OPT_IN), "say Hello again.");
}

TEST_F(AnswerPolicyTest, AWordThatHasNothingToTakeBackIsAMessageLikeAnyOther) {
  EXPECT_EQ(Of(CONTROL_ACTION_OPT_IN), "model") << "users begin with START";
  EXPECT_EQ(Of(CONTROL_ACTION_RESUME), "model");
  loaded_.set_paused(true);
  EXPECT_EQ(Of(CONTROL_ACTION_OPT_IN), "drop handoff");
}

TEST_F(AnswerPolicyTest, WithoutATextAWordIsSilent) {
  account_.handoff_text = account_.return_text = account_.opt_out_text = account_.opt_in_text = "";
  EXPECT_EQ(Of(CONTROL_ACTION_PAUSE), "drop handoff");
  EXPECT_EQ(Of(CONTROL_ACTION_OPT_OUT), "drop opted_out");
  loaded_.set_paused(true);
  EXPECT_EQ(Of(CONTROL_ACTION_RESUME), "drop handoff");
  loaded_.set_opted_out(true);
  EXPECT_EQ(Of(CONTROL_ACTION_OPT_IN), "drop opted_out");
}

TEST_F(AnswerPolicyTest, ACountryThatIsOffComesBeforeEverythingElse) {
  account_.country_prefixes_off = {"49"};
  EXPECT_EQ(Of(), "drop country");
  EXPECT_EQ(Of(CONTROL_ACTION_PAUSE), "drop country");
  account_.country_off_text = "Not here.";
  loaded_.set_paused(true);
  EXPECT_EQ(Of(), "drop country saying Not here.");
}

class UnreadableTest : public AnswerPolicyTest {
 protected:
  UnreadableTest() {
    account_.unreadable_text = "I cannot read that.";
    turn_.set_unreadable(true);
    turn_.set_accepted_at_ms(kNowMs);
  }
  void Said(const std::string& text, std::int64_t at_ms = kNowMs - 1000) {
    loaded_.add_history()->set_reply_text(text);
    loaded_.mutable_history()->rbegin()->set_accepted_at_ms(at_ms);
  }

  static constexpr std::int64_t kHourMs = 3'600'000;
  static constexpr std::int64_t kNowMs = 1'800'000'000'000;
};

TEST_F(UnreadableTest, WhoSendsWhatCannotBeReadIsToldSo) {
  EXPECT_EQ(Of(), "say I cannot read that.");
  account_.unreadable_text = "";
  EXPECT_EQ(Of(), "drop unreadable");
}

TEST_F(UnreadableTest, OnceUntilSomethingElseIsSaid) {
  Said("I cannot read that.");
  EXPECT_EQ(Of(), "drop unreadable");
  Said("");  // this one
  EXPECT_EQ(Of(), "drop unreadable");
  Said("An answer.");
  EXPECT_EQ(Of(), "say I cannot read that.");
}

TEST_F(UnreadableTest, AndAgainAfterADay) {
  Said("I cannot read that.", kNowMs - 24 * kHourMs + 1);
  EXPECT_EQ(Of(), "drop unreadable");
  turn_.set_accepted_at_ms(kNowMs + 1);
  EXPECT_EQ(Of(), "say I cannot read that.");
}

TEST_F(UnreadableTest, TheDisclosureBeforeItMakesItNoOtherText) {
  account_.disclosure_text = "I am a machine.";
  Said("I am a machine.\n\nI cannot read that.");
  EXPECT_EQ(Of(), "drop unreadable");
}

TEST_F(UnreadableTest, WhomNoBotAnswersIsNotToldEither) {
  loaded_.set_paused(true);
  EXPECT_EQ(Of(), "drop handoff");
  loaded_.set_opted_out(true);
  EXPECT_EQ(Of(), "drop opted_out");
  account_.country_prefixes_off = {"49"};
  EXPECT_EQ(Of(), "drop country");
}

class CountryTest : public testing::Test {
 protected:
  bool IsOff(const std::string& user) const {
    mesh::bus::v1::ConversationId conversation;
    conversation.set_channel(channel_);
    conversation.set_user(user);
    return IsCountryOff(account_, conversation);
  }

  account::Account account_;
  mesh::bus::v1::Channel channel_ = mesh::bus::v1::CHANNEL_WHATSAPP;
};

TEST_F(CountryTest, ANumberTellsItsCountryByItsDigits) {
  account_.country_prefixes_off = {"39", "55", "1242"};
  EXPECT_TRUE(IsOff("393331234567"));
  EXPECT_TRUE(IsOff("5511912345678"));
  EXPECT_TRUE(IsOff("12425551234"));
  EXPECT_FALSE(IsOff("12125551234")) << "New York is not the Bahamas";
  EXPECT_FALSE(IsOff("380501234567")) << "380 is not 39";
  EXPECT_FALSE(IsOff("491700000001"));
  EXPECT_TRUE(IsOff("+393331234567")) << "a plus names the same user";
  EXPECT_FALSE(IsOff("+491700000001"));
}

TEST_F(CountryTest, AScopedIdTellsItByItsLetters) {
  account_.country_prefixes_off = {"39", "1242"};
  EXPECT_TRUE(IsOff("IT.1349000000000001"));
  EXPECT_TRUE(IsOff("IT.ENT.1349000000000001"));
  EXPECT_TRUE(IsOff("BS.1349000000000001"));
  EXPECT_FALSE(IsOff("US.1349000000000001"));
  EXPECT_FALSE(IsOff("DE.1349000000000001"));
}

TEST_F(CountryTest, APrefixThatCountriesShareIsOffInAllOfThem) {
  account_.country_prefixes_off = {"1"};
  for (const char* country : {"US", "CA", "BS", "JM", "DO"}) EXPECT_TRUE(IsOff(country + std::string(".1"))) << country;
  account_.country_prefixes_off = {"7"};
  EXPECT_TRUE(IsOff("RU.1"));
  EXPECT_TRUE(IsOff("KZ.1"));
  account_.country_prefixes_off = {"77"};
  EXPECT_FALSE(IsOff("RU.1"));
  EXPECT_TRUE(IsOff("KZ.1"));
  account_.country_prefixes_off = {"1829"};
  EXPECT_TRUE(IsOff("DO.1")) << "one of the country's codes is enough";
  EXPECT_FALSE(IsOff("18095551234"));
}

TEST_F(CountryTest, WhoTellsNoCountryIsAnswered) {
  account_.country_prefixes_off = {"39"};
  for (const char* user :
       {"", "39x", "it.1", "IT", "IT1349", "XX.1349", "..39", "ITA.39", "0039333", "+", "+39x", "++39333"}) {
    EXPECT_FALSE(IsOff(user)) << user;
  }
}

TEST_F(CountryTest, OtherChannelsTellNoCountry) {
  account_.country_prefixes_off = {"39"};
  channel_ = mesh::bus::v1::CHANNEL_MESSENGER;
  EXPECT_FALSE(IsOff("393331234567"));
}

TEST(CallingCodesTest, KnowsTheEndsOfItsTable) {
  EXPECT_EQ(CallingCodesOf("AC"), "247");
  EXPECT_EQ(CallingCodesOf("ZW"), "263");
  EXPECT_EQ(CallingCodesOf("DO"), "1809 1829 1849");
  EXPECT_EQ(CallingCodesOf("AA"), "");
  EXPECT_EQ(CallingCodesOf("ZZ"), "");
  EXPECT_EQ(CallingCodesOf(""), "");
}

}  // namespace
}  // namespace worker
