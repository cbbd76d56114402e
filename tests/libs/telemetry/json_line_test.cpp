#include "libs/telemetry/internal/json_line.h"

#include <gtest/gtest.h>

#include <string>

namespace telemetry::internal {
namespace {

std::string Json(std::string_view text, std::size_t bytes_max = 4096) {
  std::string out;
  AppendJsonString(out, text, bytes_max);
  return out;
}

constexpr char kBad[] = "\xEF\xBF\xBD";

TEST(JsonLineTest, LeavesPlainTextAndWellFormedUtf8Alone) {
  EXPECT_EQ(Json(""), "\"\"");
  EXPECT_EQ(Json("a/b {x}"), "\"a/b {x}\"");
  EXPECT_EQ(Json("\xC3\xA9 \xE2\x82\xAC \xF0\x9F\x98\x80 \xF4\x8F\xBF\xBF"),
            "\"\xC3\xA9 \xE2\x82\xAC \xF0\x9F\x98\x80 \xF4\x8F\xBF\xBF\"");
}

TEST(JsonLineTest, EscapesWhatWouldEndTheStringOrTheLine) {
  EXPECT_EQ(Json("a\"b\\c\nd\re\tf"), R"("a\"b\\c\nd\re\tf")");
  EXPECT_EQ(Json(std::string_view("\0\x1f\x7f\x1b[0m", 7)), R"("\u0000\u001f\u007f\u001b[0m")");
}

// The rows of Unicode 15 tables 3-8 to 3-11: one replacement a maximal ill-formed part.
TEST(JsonLineTest, ReplacesEachMaximalIllFormedPartOnce) {
  const std::string bad = kBad;
  EXPECT_EQ(Json("\xC0\xAF\xE0\x80\xBF\xF0\x81\x82\x41"), "\"" + bad + bad + bad + bad + bad + bad + bad + bad + "A\"");
  EXPECT_EQ(Json("\xED\xA0\x80\xED\xBF\xBF\xED\xAF\x41"), "\"" + bad + bad + bad + bad + bad + bad + bad + bad + "A\"");
  EXPECT_EQ(Json("\xF4\x91\x92\x93\xFF\x41\x80\xBF\x42"), "\"" + bad + bad + bad + bad + bad + "A" + bad + bad + "B\"");
  EXPECT_EQ(Json("\xE1\x80\xE2\xF0\x91\x92\xF1\xBF\x41"), "\"" + bad + bad + bad + bad + "A\"");
}

TEST(JsonLineTest, ReplacesACharacterCutOffAtTheEnd) {
  EXPECT_EQ(Json("a\xE2\x82"), std::string("\"a") + kBad + "\"");
  EXPECT_EQ(Json("a\xF0"), std::string("\"a") + kBad + "\"");
}

TEST(JsonLineTest, CutsLongTextBetweenCharactersAndShowsIt) {
  EXPECT_EQ(Json("abcdef", 3), "\"abc\xE2\x80\xA6\"");
  EXPECT_EQ(Json("abc", 3), "\"abc\"");
  EXPECT_EQ(Json("ab\xE2\x82\xAC", 4), "\"ab\xE2\x80\xA6\"");  // the euro sign needs three bytes
}

}  // namespace
}  // namespace telemetry::internal
