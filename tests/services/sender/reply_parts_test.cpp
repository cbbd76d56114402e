#include "services/sender/reply_parts.h"

#include <gtest/gtest.h>

#include <string>
#include <vector>

#include "tests/fakes/small_codec.h"

namespace sender {
namespace {

mesh::bus::v1::Reply ReplyOf(const std::string& text, int files) {
  mesh::bus::v1::Reply reply;
  reply.set_text(text);
  for (int file = 1; file <= files; ++file) {
    reply.add_rich_parts()->mutable_media()->set_link("file " + std::to_string(file));
  }
  return reply;
}

std::vector<std::string> WordsOf(const mesh::bus::v1::Reply& reply, std::size_t parts_max) {
  const fakes::SmallCodec codec;
  std::vector<std::string> words;
  for (const auto& part : PartsOf(reply, codec, parts_max)) words.push_back(fakes::SmallCodec::WordsOf(part));
  return words;
}

using Words = std::vector<std::string>;

TEST(ReplyPartsTest, TheTextComesFirst) {
  EXPECT_EQ(WordsOf(ReplyOf("one|two", 2), 20), (Words{"one", "two", "file 1", "file 2"}));
  EXPECT_EQ(WordsOf(ReplyOf("", 1), 20), Words{"file 1"});
}

TEST(ReplyPartsTest, TheTextIsCutToWhatTheRestLeaves) {
  EXPECT_EQ(WordsOf(ReplyOf("1|2|3|4", 2), 5), (Words{"1", "2", "3...", "file 1", "file 2"}));
  EXPECT_EQ(WordsOf(ReplyOf("1|2|3|4", 2), 0), (Words{"1...", "file 1", "file 2"})) << "something is said always";
  EXPECT_EQ(WordsOf(ReplyOf("1|2|3|4", 0), 1000), (Words{"1", "2", "3", "4"}));
}

TEST(ReplyPartsTest, ThereIsAnEnd) {
  std::string text;
  for (int part = 0; part < 100; ++part) text += "x|";
  EXPECT_EQ(WordsOf(ReplyOf(text, 0), 1000).size(), channel::kTextPartsMax);
  EXPECT_EQ(WordsOf(ReplyOf(text, 100), 1000).size(), channel::kReplyPartsMax);
  const Words both = WordsOf(ReplyOf(text, 20), 1000);
  EXPECT_EQ(both.size(), channel::kReplyPartsMax);
  EXPECT_EQ(both.back(), "file 20") << "the text gives way, for the question stands last";
}

// A plan without parts means that the reply was withdrawn.
TEST(ReplyPartsTest, WhereNothingCanBeShownTheAnswerAsItWasWrittenIsSaid) {
  mesh::bus::v1::Reply reply;
  reply.set_history_text("whole");
  EXPECT_EQ(WordsOf(reply, 20), Words{"whole"});
}

}  // namespace
}  // namespace sender
