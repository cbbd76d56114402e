#include "libs/chat_template/internal/marked_text.h"

#include <gtest/gtest.h>

#include <random>
#include <string>
#include <vector>

namespace chat_template::internal {
namespace {

std::vector<bool> Marks(const MarkedText& text) {
  std::vector<bool> marks;
  for (std::size_t i = 0; i < text.size(); ++i) marks.push_back(text.FromUserAt(i));
  return marks;
}

TEST(MarkedTextTest, NeighboursOfOneOriginAreOneRun) {
  MarkedText text("a", false);
  text.Append("b", false);
  text.Append("", true);
  text.Append("c", true);
  EXPECT_EQ(text.text(), "abc");
  ASSERT_EQ(text.runs().size(), 2u);
  EXPECT_EQ(text.runs()[0].end, 2u);
  EXPECT_TRUE(text.runs()[1].from_user);
}

// Goal: marks follow their bytes through any appending and slicing. Method: the same operations on a text and a list of
// marks.
TEST(MarkedTextTest, MarksFollowTheirBytes) {
  constexpr unsigned kSeed = 11;
  SCOPED_TRACE(testing::Message() << "seed " << kSeed);
  std::mt19937 rng(kSeed);
  MarkedText text;
  std::string letters;
  std::vector<bool> marks;
  for (int step = 0; step < 5'000; ++step) {
    const std::size_t begin = rng() % (text.size() + 1);
    const std::size_t end = begin + rng() % (text.size() - begin + 1);
    if (text.size() > 60 || rng() % 4 == 0) {
      text = text.Slice(begin, end);
      letters = letters.substr(begin, end - begin);
      marks = std::vector<bool>(marks.begin() + static_cast<std::ptrdiff_t>(begin),
                                marks.begin() + static_cast<std::ptrdiff_t>(end));
    } else if (rng() % 2 == 0) {
      const bool from_user = rng() % 2 == 0;
      const std::string part(rng() % 4, static_cast<char>('a' + rng() % 26));
      text.Append(part, from_user);
      letters += part;
      marks.insert(marks.end(), part.size(), from_user);
    } else {
      const MarkedText other = text;
      text.Append(other, begin, end);
      letters += letters.substr(begin, end - begin);
      marks.insert(marks.end(), marks.begin() + static_cast<std::ptrdiff_t>(begin),
                   marks.begin() + static_cast<std::ptrdiff_t>(end));
    }
    ASSERT_EQ(text.text(), letters);
    ASSERT_EQ(Marks(text), marks);
  }
}

}  // namespace
}  // namespace chat_template::internal
