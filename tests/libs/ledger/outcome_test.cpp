#include "libs/ledger/outcome.h"

#include <gtest/gtest.h>

#include <string>
#include <vector>

namespace ledger {
namespace {

using mesh::bus::v1::DeliveryState;
using namespace mesh::session::v1;  // the outcomes

struct Fate {
  PartState state = PartState::kSent;
  DeliveryState delivery = mesh::bus::v1::DELIVERY_STATE_UNSPECIFIED;
};
constexpr Fate kSent{.state = PartState::kSent};
constexpr Fate kFailed{.state = PartState::kFailed};
constexpr Fate kSuperseded{.state = PartState::kSuperseded};
constexpr Fate kParked{.state = PartState::kParked};
constexpr Fate kArrived{.delivery = mesh::bus::v1::DELIVERY_STATE_DELIVERED};
constexpr Fate kRead{.delivery = mesh::bus::v1::DELIVERY_STATE_READ};
constexpr Fate kLost{.delivery = mesh::bus::v1::DELIVERY_STATE_FAILED};
constexpr Fate kEchoed{.delivery = mesh::bus::v1::DELIVERY_STATE_ECHO};

PlannedTurn Turn(const std::vector<Fate>& fates) {
  PlannedTurn turn;
  for (const Fate& fate : fates) {
    Part& part = turn.parts.emplace_back();
    part.state = fate.state;
    part.delivery = fate.delivery;
  }
  return turn;
}

TEST(OutcomeTest, AReplyIsWhatItsLastPartIs) {
  EXPECT_EQ(OutcomeOf(Turn({kSent})), OUTCOME_SENT);
  EXPECT_EQ(OutcomeOf(Turn({kArrived, kSent})), OUTCOME_SENT);
  EXPECT_EQ(OutcomeOf(Turn({kSent, kArrived})), OUTCOME_DELIVERED);
  EXPECT_EQ(OutcomeOf(Turn({kSent, kRead})), OUTCOME_READ);
  EXPECT_EQ(OutcomeOf(Turn({kSent, kEchoed})), OUTCOME_SENT);
}

TEST(OutcomeTest, ARefusedPartLeavesTheWordToThoseThatWereNot) {
  EXPECT_EQ(OutcomeOf(Turn({kArrived, kFailed})), OUTCOME_DELIVERED);
  EXPECT_EQ(OutcomeOf(Turn({kFailed, kRead})), OUTCOME_READ);
  EXPECT_EQ(OutcomeOf(Turn({kSent, kLost})), OUTCOME_SENT) << "some of it was seen";
}

TEST(OutcomeTest, AReplyFailedWhenNoPartArrived) {
  EXPECT_EQ(OutcomeOf(Turn({kFailed})), OUTCOME_FAILED);
  EXPECT_EQ(OutcomeOf(Turn({kLost, kFailed})), OUTCOME_FAILED);
  EXPECT_EQ(OutcomeOf(Turn({kLost})), OUTCOME_FAILED);
}

TEST(OutcomeTest, OneDroppedPartOrNoneMeansThatItWasWithdrawn) {
  EXPECT_EQ(OutcomeOf(Turn({})), OUTCOME_SUPERSEDED);
  EXPECT_EQ(OutcomeOf(Turn({kArrived, kSuperseded})), OUTCOME_SUPERSEDED);
}

TEST(OutcomeTest, NobodyKnowsOfAParkedReply) {
  EXPECT_EQ(OutcomeOf(Turn({kArrived, kParked})), OUTCOME_UNSPECIFIED);
  EXPECT_EQ(OutcomeOf(Turn({kFailed, kParked})), OUTCOME_UNSPECIFIED);
}

TEST(OutcomeTest, EvidenceAboutOnePartAddsWhatIsTheLastOnesToTell) {
  EXPECT_EQ(OutcomeOfEvidence(Turn({kRead, kSent}), 0), OUTCOME_UNSPECIFIED);
  EXPECT_EQ(OutcomeOfEvidence(Turn({kRead, kFailed}), 0), OUTCOME_READ);
  EXPECT_EQ(OutcomeOfEvidence(Turn({kSent, kArrived}), 1), OUTCOME_DELIVERED);
  EXPECT_EQ(OutcomeOfEvidence(Turn({kSent, kLost}), 1), OUTCOME_UNSPECIFIED);
  EXPECT_EQ(OutcomeOfEvidence(Turn({kLost, kLost}), 0), OUTCOME_FAILED);
}

TEST(OutcomeTest, AReportNamesTheReplyAndNoWords) {
  PlannedTurn turn = Turn({kSent});
  turn.key = {.turn_id = std::string(32, 't'), .generation = 2, .fallback = false};
  turn.conversation.set_user("ann");
  const SetOutcomeRequest report = ReportWithoutText(turn, OUTCOME_SENT);
  EXPECT_EQ(report.turn_id(), std::string(32, 't'));
  EXPECT_EQ(report.generation(), 2u);
  EXPECT_EQ(report.conversation().user(), "ann");
  EXPECT_EQ(report.outcome(), OUTCOME_SENT);
  EXPECT_TRUE(report.reply_text().empty());
}

}  // namespace
}  // namespace ledger
