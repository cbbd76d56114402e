#include "libs/json/internal/lone_surrogate.h"

#include <gtest/gtest.h>

#include <string>

namespace json::internal {
namespace {

std::string Repair(std::string_view json) {
  std::string repaired = "old";
  return ReplaceLoneSurrogates(json, repaired) ? repaired : "unchanged" + repaired;
}

TEST(LoneSurrogateTest, PairsAndOtherEscapesStay) {
  EXPECT_EQ(Repair(R"("\ud83d\ude00")"), "unchanged");
  EXPECT_EQ(Repair(R"("plain \n \\ud83d \u00e4")"), "unchanged");  // an escaped backslash before a `u`
  EXPECT_EQ(Repair("\"\\"), "unchanged");
  EXPECT_EQ(Repair(R"("\ud8)"), "unchanged");
  EXPECT_EQ(Repair(""), "unchanged");
}

TEST(LoneSurrogateTest, HalvesAreReplaced) {
  EXPECT_EQ(Repair(R"("a\ud83d")"), R"("a\ufffd")");
  EXPECT_EQ(Repair(R"("\ude00b")"), R"("\ufffdb")");
  EXPECT_EQ(Repair(R"("\uD83D\uD83D\uDE00")"), R"("\ufffd\uD83D\uDE00")");
  EXPECT_EQ(Repair(R"("\ude00\ud83d")"), R"("\ufffd\ufffd")");
  EXPECT_EQ(Repair(R"("\\\ud83d")"), R"("\\\ufffd")");
}

}  // namespace
}  // namespace json::internal
