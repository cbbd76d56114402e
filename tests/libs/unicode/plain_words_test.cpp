#include "libs/unicode/plain_words.h"

#include <gtest/gtest.h>

#include <string>

namespace unicode {
namespace {

TEST(PlainWordsTest, CaseSpaceAndWhatStandsAroundDoNotMatter) {
  for (const char* written : {"stop", "STOP", " Stop ", "stop.", "\"Stop!!!\"", "*stop*", "\n\tstop\r\n", "¡Stop!",
                              "stop 🙏", "👋 stop ❤️", "«stop»", "\xE2\x80\x8Bstop\xE2\x80\x8B"}) {
    EXPECT_EQ(PlainWords(written), "stop") << written;
  }
}

TEST(PlainWordsTest, OtherAlphabetsHaveCasesToo) {
  EXPECT_EQ(PlainWords("СТОП!"), "стоп");
  EXPECT_EQ(PlainWords("ΣΤΟΠ ΤΈΛΟΣ"), PlainWords("στοπ τέλος")) << "with either small sigma at the end";
  EXPECT_EQ(PlainWords("DÉSINSCRIRE"), "désinscrire");
  EXPECT_EQ(PlainWords("De\xCC\x81sinscrire"), "désinscrire") << "an accent as a mark of its own is the same letter";
  EXPECT_EQ(PlainWords("STRASSE"), "strasse");
}

TEST(PlainWordsTest, MarksBelongToTheLetterBeforeThem) {
  EXPECT_EQ(PlainWords("रोको।"), "रोको");
  EXPECT_EQ(PlainWords("หยุด"), "หยุด");
  EXPECT_EQ(PlainWords("\xCC\x81 stop"), "stop") << "one without a letter is no word";
}

TEST(PlainWordsTest, BetweenWordsSpaceIsOneAndPunctuationStays) {
  EXPECT_EQ(PlainWords("  Talk \t to a\xC2\xA0human, please. "), "talk to a human, please");
  EXPECT_EQ(PlainWords("opt-out"), "opt-out");
  EXPECT_NE(PlainWords("don't stop"), "stop");
}

TEST(PlainWordsTest, NumbersAreWords) { EXPECT_EQ(PlainWords("(1)"), "1"); }

TEST(PlainWordsTest, WithoutLettersThereIsNothing) {
  for (const char* written : {"", "   ", "...", "👍", "\xFF\xFE", "🛑!"})
    EXPECT_EQ(PlainWords(written), "") << written;
}

TEST(PlainWordsTest, BrokenBytesInsideStaySeparateAndDoNoHarm) {
  EXPECT_EQ(PlainWords("stop\xFF"), "stop");
  EXPECT_NE(PlainWords("st\xFFop"), "stop");
}

}  // namespace
}  // namespace unicode
