#include "libs/sampler/stop_matcher.h"

#include <gtest/gtest.h>

#include <random>

namespace sampler {
namespace {

struct Outcome {
  std::string text;
  bool stopped = false;
  friend bool operator==(const Outcome&, const Outcome&) = default;
};

Outcome Feed(const std::vector<std::string>& stops, const std::vector<std::string>& pieces) {
  StopMatcher matcher(stops);
  Outcome outcome;
  for (const std::string& piece : pieces) {
    if (matcher.Append(piece, outcome.text)) {
      outcome.stopped = true;
      return outcome;
    }
  }
  matcher.Finish(outcome.text);
  return outcome;
}

TEST(StopMatcherTest, StopTextIsCutOffWithAllThatFollows) {
  EXPECT_EQ(Feed({"END"}, {"one ENDtwo"}), (Outcome{"one ", true}));
}

TEST(StopMatcherTest, StopAcrossPiecesNeverLetsAPartOut) {
  StopMatcher matcher({"\nUser:"});
  std::string out;
  EXPECT_FALSE(matcher.Append("Hello\nUs", out));
  EXPECT_EQ(out, "Hello");
  EXPECT_TRUE(matcher.Append("er: hi", out));
  EXPECT_EQ(out, "Hello");
}

TEST(StopMatcherTest, HeldTextIsReleasedWhenItTurnsOutHarmless) {
  StopMatcher matcher({"\nUser:"});
  std::string out;
  EXPECT_FALSE(matcher.Append("Hello\nUse", out));
  EXPECT_FALSE(matcher.Append("ful", out));
  EXPECT_EQ(out, "Hello\nUseful");
}

TEST(StopMatcherTest, HeldTextIsReleasedAtTheEnd) { EXPECT_EQ(Feed({"abc"}, {"xab"}), (Outcome{"xab", false})); }

TEST(StopMatcherTest, MatchThatEndsFirstWinsAndOfEqualEndsTheLongest) {
  EXPECT_EQ(Feed({"bcde", "cd"}, {"abcdef"}), (Outcome{"ab", true}));
  EXPECT_EQ(Feed({"d", "bcd"}, {"abcdef"}), (Outcome{"a", true}));
}

TEST(StopMatcherTest, OverlappingStartsAreFound) {
  EXPECT_EQ(Feed({"aab"}, {"aaaab"}), (Outcome{"aa", true}));
  EXPECT_EQ(Feed({"abab", "babb"}, {"ababb"}), (Outcome{"", true}));
}

TEST(StopMatcherTest, WithoutStopsTextPassesAtOnce) {
  StopMatcher matcher({});
  std::string out;
  EXPECT_FALSE(matcher.Append("text", out));
  EXPECT_EQ(out, "text");
}

// Goal: the result does not depend on where the text is cut, and equals a plain search.
// Method: random texts over two letters, so that near matches are common, cut at random.
TEST(StopMatcherTest, AnyCutGivesTheResultOfAPlainSearch) {
  for (std::uint32_t seed = 1; seed <= 2000; ++seed) {
    SCOPED_TRACE(testing::Message() << "seed " << seed);
    std::mt19937 rng(seed);
    const auto word = [&](std::size_t length) {
      std::string text(length, 'a');
      for (char& c : text) c = rng() % 3 == 0 ? 'b' : 'a';
      return text;
    };
    std::vector<std::string> stops(1 + rng() % 3);
    for (std::string& stop : stops) stop = word(1 + rng() % 6);
    const std::string text = word(rng() % 40);

    Outcome expected{text, false};
    for (std::size_t end = 1; end <= text.size() && !expected.stopped; ++end) {
      for (const std::string& stop : stops) {
        if (!std::string_view(text).substr(0, end).ends_with(stop)) continue;
        if (expected.stopped && expected.text.size() <= end - stop.size()) continue;
        expected = {text.substr(0, end - stop.size()), true};
      }
    }
    std::vector<std::string> pieces;
    for (std::size_t at = 0; at < text.size();) {
      const std::size_t length = 1 + rng() % 5;
      pieces.push_back(text.substr(at, length));
      at += length;
    }
    ASSERT_EQ(Feed(stops, pieces), expected) << text;
  }
}

}  // namespace
}  // namespace sampler
