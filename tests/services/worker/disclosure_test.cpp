#include "services/worker/disclosure.h"

#include <gtest/gtest.h>

#include <cstdint>
#include <string>

namespace worker {
namespace {

constexpr std::int64_t kHourMs = 3'600'000;
constexpr std::int64_t kNowMs = 1'790'000'000'000;

class DisclosureTest : public testing::Test {
 protected:
  DisclosureTest() {
    account_.disclosure_text = "I am a machine.";
    account_.disclosure_gap_h = 24;
    turn_.set_accepted_at_ms(kNowMs);
  }
  std::string Said() const { return WithDisclosure(account_, turn_, loaded_, "Hello!"); }

  account::Account account_;
  mesh::bus::v1::Turn turn_;
  mesh::session::v1::LoadContextResponse loaded_;
};

TEST_F(DisclosureTest, StandsBeforeTheFirstThingThatIsSaid) { EXPECT_EQ(Said(), "I am a machine.\n\nHello!"); }

TEST_F(DisclosureTest, IsSaidAgainOnlyAfterTheGap) {
  loaded_.set_last_answer_at_ms(kNowMs - 24 * kHourMs + 1);
  EXPECT_EQ(Said(), "Hello!");
  loaded_.set_last_answer_at_ms(kNowMs - 24 * kHourMs);
  EXPECT_EQ(Said(), "I am a machine.\n\nHello!");
}

// Session knows of no answer since a person has answered.
TEST_F(DisclosureTest, IsSaidAfterAReturn) {
  loaded_.set_last_answer_at_ms(0);
  EXPECT_EQ(Said(), "I am a machine.\n\nHello!");
}

TEST_F(DisclosureTest, AClockThatWentBackSaysNothingTwice) {
  loaded_.set_last_answer_at_ms(kNowMs + kHourMs);
  EXPECT_EQ(Said(), "Hello!");
}

TEST_F(DisclosureTest, AnAccountWithoutATextSaysNothing) {
  account_.disclosure_text.clear();
  EXPECT_EQ(Said(), "Hello!");
  EXPECT_EQ(WithoutDisclosure(account_, "Hello!"), "Hello!");
}

TEST_F(DisclosureTest, AReplyWithoutTextGetsItAsItsText) {
  EXPECT_EQ(WithDisclosure(account_, turn_, loaded_, ""), "I am a machine.");
  EXPECT_EQ(WithoutDisclosure(account_, "I am a machine."), "");
}

TEST_F(DisclosureTest, TheModelSeesItsAnswersWithoutIt) {
  EXPECT_EQ(WithoutDisclosure(account_, Said()), "Hello!");
  EXPECT_EQ(WithoutDisclosure(account_, "Hello!"), "Hello!");
  EXPECT_EQ(WithoutDisclosure(account_, "I am a machine. What are you?"), "I am a machine. What are you?");
}

}  // namespace
}  // namespace worker
