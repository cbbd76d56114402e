#include "services/meshctl/requeue_check.h"

#include <gmock/gmock.h>
#include <gtest/gtest.h>

#include <string>

namespace meshctl {
namespace {

using mesh::session::v1::GetSessionResponse;
using mesh::session::v1::Outcome;
using testing::HasSubstr;
using testing::IsEmpty;

std::string Against(const GetSessionResponse& stored) {
  mesh::bus::v1::Reply reply;
  reply.set_turn_id(std::string(32, 't'));
  return ReasonAgainstRequeue(reply, stored);
}

GetSessionResponse WithOutcome(char turn, Outcome outcome) {
  GetSessionResponse stored;
  stored.add_turns()->set_turn_id(std::string(32, turn));
  stored.mutable_turns(0)->set_outcome(outcome);
  return stored;
}

TEST(RequeueCheckTest, WhatWasNeverShownMayBeSaid) {
  EXPECT_THAT(Against({}), IsEmpty()) << "the history may have let go of it";
  EXPECT_THAT(Against(WithOutcome('t', mesh::session::v1::OUTCOME_FAILED)), IsEmpty());
  EXPECT_THAT(Against(WithOutcome('t', mesh::session::v1::OUTCOME_UNSPECIFIED)), IsEmpty());
  EXPECT_THAT(Against(WithOutcome('o', mesh::session::v1::OUTCOME_SENT)), IsEmpty()) << "another turn was";
}

TEST(RequeueCheckTest, WhatWasShownInPartIsNotSaidAgain) {
  for (const Outcome outcome :
       {mesh::session::v1::OUTCOME_SENT, mesh::session::v1::OUTCOME_DELIVERED, mesh::session::v1::OUTCOME_READ}) {
    EXPECT_THAT(Against(WithOutcome('t', outcome)), HasSubstr("shown"));
  }
}

TEST(RequeueCheckTest, WhoIsToHearNothingHearsNothing) {
  GetSessionResponse stored;
  stored.set_opted_out(true);
  EXPECT_THAT(Against(stored), HasSubstr("no messages"));
  stored.set_opted_out(false);
  stored.set_paused(true);
  EXPECT_THAT(Against(stored), HasSubstr("a person"));
}

}  // namespace
}  // namespace meshctl
