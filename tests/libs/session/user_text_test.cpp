#include "libs/session/user_text.h"

#include <gtest/gtest.h>

#include "libs/session/validate.h"

namespace session {
namespace {

TEST(UserTextTest, TheTextOrAWordForWhatHasNone) {
  mesh::bus::v1::Turn turn;
  turn.set_type("image");
  EXPECT_EQ(UserText(turn), "[The user sent something without text: image]");
  turn.set_text("hello");
  EXPECT_EQ(UserText(turn), "hello");
}

TEST(UserTextTest, WhatHistoryDoesNotTakeIsCutBeforeACodePoint) {
  const std::string fits(kTextBytesMax, 'x');
  EXPECT_EQ(HistoryText(fits), fits);
  EXPECT_EQ(HistoryText(fits + "x"), fits);
  const std::string accent = "\xC3\xA9";
  EXPECT_EQ(HistoryText(fits.substr(1) + accent), fits.substr(1));
  mesh::bus::v1::Turn turn;
  turn.set_text(fits + "x");
  EXPECT_EQ(UserText(turn).size(), kTextBytesMax) << "else session refuses the turn, and it is never known as finished";
}

}  // namespace
}  // namespace session
