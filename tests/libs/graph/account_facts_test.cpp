#include "libs/graph/account_facts.h"

#include <gtest/gtest.h>

#include <cmath>

#include "tests/libs/graph/scripted_graph.h"

namespace graph {
namespace {

TEST(AccountFactsTest, ReadsWhatANumberSays) {
  const AccountFacts facts = ReadAccountFacts(
      R"({"id":"1065","quality_rating":"RED","status":"RESTRICTED","messaging_limit_tier":"TIER_1K"})");
  EXPECT_EQ(facts.id, "1065");
  EXPECT_EQ(facts.quality, Quality::kRed);
  EXPECT_EQ(facts.state, NumberState::kRestricted);
  EXPECT_EQ(facts.messaging_limit_users, 1000);
}

TEST(AccountFactsTest, LimitsAreTiersNumbersOrUnlimited) {
  const auto limit = [](const std::string& value) {
    return ReadAccountFacts(R"({"id":"1","whatsapp_business_manager_messaging_limit":)" + value + "}")
        .messaging_limit_users;
  };
  EXPECT_EQ(limit(R"("TIER_250")"), 250);
  EXPECT_EQ(limit(R"("TIER_2K")"), 2000);
  EXPECT_EQ(limit(R"("TIER_100K")"), 100'000);
  EXPECT_EQ(limit("2000"), 2000);
  EXPECT_TRUE(std::isinf(limit(R"("TIER_UNLIMITED")").value()));
  for (const char* unsaid : {R"("TIER_NOT_SET")", R"("")", "null", "{}", R"("TIER_-1")", R"("K")"}) {
    EXPECT_EQ(limit(unsaid), std::nullopt) << unsaid;
  }
}

TEST(AccountFactsTest, WordsNotSeenBeforeAreUnknownAndWhatIsAbsentWasNotSaid) {
  const AccountFacts odd = ReadAccountFacts(R"({"id":7,"quality_rating":"BLUE","status":"NAPPING"})");
  EXPECT_EQ(odd.id, "7");
  EXPECT_EQ(odd.quality, Quality::kUnknown);
  EXPECT_EQ(odd.state, NumberState::kUnknown);
  for (const char* body : {"", "[]", "{}", "<html>", R"({"quality_rating":3})"}) {
    const AccountFacts none = ReadAccountFacts(body);
    EXPECT_EQ(none.id, "") << body;
    EXPECT_EQ(none.quality, std::nullopt) << body;
  }
}

TEST(AccountFactsTest, QuestionsGetNarrowerAndAllAskForTheId) {
  const account::Account number = AccountOf(mesh::bus::v1::CHANNEL_WHATSAPP);
  ASSERT_GT(AccountQuestions(number), 1u);
  std::size_t shorter_than = 1000;
  for (std::size_t i = 0; i < AccountQuestions(number); ++i) {
    const std::string question = AccountQuestion(number, i);
    EXPECT_TRUE(question.starts_with("1065?fields=id")) << question;
    EXPECT_LT(question.size(), shorter_than);
    shorter_than = question.size();
  }
  const account::Account page = AccountOf(mesh::bus::v1::CHANNEL_MESSENGER);
  EXPECT_EQ(AccountQuestions(page), 1u);
  EXPECT_EQ(AccountQuestion(page, 0), "1065?fields=id");
}

}  // namespace
}  // namespace graph
