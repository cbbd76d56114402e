#include "libs/session/user_text.h"

#include <gtest/gtest.h>

#include "libs/attachment/file_kind.h"
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

TEST(UserTextTest, FilesThatCameWithTheTextAreNamedBehindIt) {
  mesh::bus::v1::Turn turn;
  turn.set_text("look");
  for (const char* type : {"image", "fallback", "document", "location"}) turn.add_attachments()->set_type(type);
  EXPECT_EQ(UserText(turn), "look\n[The user sent with it: image, document]") << "what is no file is in the text";
  turn.set_text(std::string(kTextBytesMax, 'x'));
  EXPECT_EQ(UserText(turn).size(), kTextBytesMax);
  EXPECT_TRUE(UserText(turn).ends_with("x\n[The user sent with it: image, document]")) << "a long text makes room";
}

// What loads files goes by the same list (tests/libs/media/media_type_test.cpp), so that a history that is forgotten
// names every turn whose files are to go.
TEST(UserTextTest, EveryKindOfFileIsNamedAndFoundAgain) {
  for (const attachment::FileType& file : attachment::kFileTypes) {
    mesh::bus::v1::Turn turn;
    turn.set_text("look");
    turn.add_attachments()->set_type(std::string(file.type));
    EXPECT_EQ(UserText(turn), "look\n[The user sent with it: " + std::string(file.type) + "]");
    EXPECT_TRUE(MayNameFiles(UserText(turn))) << file.type;
    turn.clear_text();
    EXPECT_TRUE(MayNameFiles(UserText(turn))) << file.type;
  }
  EXPECT_TRUE(MayNameFiles("")) << "unsent: nothing is known";
  EXPECT_FALSE(MayNameFiles("The user sent [nothing]"));
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
