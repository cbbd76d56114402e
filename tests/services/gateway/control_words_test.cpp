#include "services/gateway/control_words.h"

#include <gtest/gtest.h>

#include <string>

namespace gateway {
namespace {

using mesh::bus::v1::ControlAction;

class ControlWordsTest : public testing::Test {
 protected:
  ControlWordsTest() {
    account_.handoff_words = {"human", "talk to a human"};
    account_.return_words = {"bot"};
    event_.kind = channel::EventKind::kMessage;
  }
  ControlAction Of(const std::string& text) {
    event_.text = text;
    return ControlAskedFor(event_, account_);
  }

  account::Account account_;
  channel::Event event_;
};

TEST_F(ControlWordsTest, EachListAsksForItsChange) {
  EXPECT_EQ(Of("human"), mesh::bus::v1::CONTROL_ACTION_PAUSE);
  EXPECT_EQ(Of("bot"), mesh::bus::v1::CONTROL_ACTION_RESUME);
  EXPECT_EQ(Of("stop"), mesh::bus::v1::CONTROL_ACTION_OPT_OUT) << "by default";
  EXPECT_EQ(Of("unsubscribe"), mesh::bus::v1::CONTROL_ACTION_OPT_OUT);
  EXPECT_EQ(Of("start"), mesh::bus::v1::CONTROL_ACTION_OPT_IN);
}

TEST_F(ControlWordsTest, HoweverTheWordIsWritten) {
  for (const char* text : {"STOP", " Stop! ", "*stop*", "stop 🙏"}) {
    EXPECT_EQ(Of(text), mesh::bus::v1::CONTROL_ACTION_OPT_OUT) << text;
  }
  EXPECT_EQ(Of("Talk  to a HUMAN."), mesh::bus::v1::CONTROL_ACTION_PAUSE);
}

// A word that is taken for a request by mistake silences a conversation.
TEST_F(ControlWordsTest, OnlyTheWholeMessageCounts) {
  for (const char* text :
       {"How do I stop the alarm?", "stop it", "please stop", "unstoppable", "humans", "a human", "", "!!!", "st op"}) {
    EXPECT_EQ(Of(text), mesh::bus::v1::CONTROL_ACTION_UNSPECIFIED) << text;
  }
  EXPECT_EQ(Of("stop" + std::string(300, ' ')), mesh::bus::v1::CONTROL_ACTION_UNSPECIFIED) << "nobody types that";
}

TEST_F(ControlWordsTest, AButtonCountsByItsTitleAndACaptionDoesNot) {
  event_.kind = channel::EventKind::kPostback;
  EXPECT_EQ(Of("Talk to a human"), mesh::bus::v1::CONTROL_ACTION_PAUSE);
  event_.kind = channel::EventKind::kMessage;
  event_.attachments.emplace_back().set_type("image");
  EXPECT_EQ(Of("human"), mesh::bus::v1::CONTROL_ACTION_UNSPECIFIED);
}

// "STOP" about a product of the catalogue: the model is told the product, in lines that the user did not write.
TEST_F(ControlWordsTest, OnlyTheUsersOwnWordsAreJudged) {
  event_.own_words = "STOP";
  EXPECT_EQ(Of("STOP\nProduct: di9ozbzfi4 of catalog 194836987003835"), mesh::bus::v1::CONTROL_ACTION_OPT_OUT);
  event_.own_words = "stop" + std::string(300, '.');
  EXPECT_EQ(Of("stop"), mesh::bus::v1::CONTROL_ACTION_UNSPECIFIED) << "their length counts";
  event_.own_words = "";
  EXPECT_EQ(Of("stop"), mesh::bus::v1::CONTROL_ACTION_UNSPECIFIED) << "the user wrote nothing";
}

TEST_F(ControlWordsTest, WhatTheUserDidNotSayAsksForNothing) {
  for (const auto kind : {channel::EventKind::kEvent, channel::EventKind::kStandby, channel::EventKind::kEcho,
                          channel::EventKind::kUnreadable}) {
    event_.kind = kind;
    EXPECT_EQ(Of("stop"), mesh::bus::v1::CONTROL_ACTION_UNSPECIFIED);
  }
}

TEST_F(ControlWordsTest, WithoutListsEveryWordIsForTheModel) {
  account_.opt_out_words.clear();
  EXPECT_EQ(Of("stop"), mesh::bus::v1::CONTROL_ACTION_UNSPECIFIED);
}

}  // namespace
}  // namespace gateway
