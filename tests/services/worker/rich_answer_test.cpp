#include "services/worker/rich_answer.h"

#include <gmock/gmock.h>
#include <gtest/gtest.h>

#include <algorithm>
#include <random>
#include <string>
#include <string_view>
#include <vector>

namespace worker {
namespace {

using testing::IsEmpty;
using testing::SizeIs;

account::Account MakeAccount() {
  account::Account account;
  account.rich_answers = true;
  account.rich_link_hosts = {"cdn.acme.example", "acme.example"};
  return account;
}

RichAnswer Parse(std::string_view text, std::string_view message_id = "wamid.Q") {
  return ParseRichAnswer(text, MakeAccount(), message_id);
}

TEST(RichAnswerTest, AnImageThatIsAParagraphIsAFile) {
  const RichAnswer answer =
      Parse("Here it is.\n\n![The plan](https://cdn.acme.example/p/plan.PNG?v=2)\n\nAnything else?");
  EXPECT_EQ(answer.words, "Here it is.\n\n\nAnything else?");
  ASSERT_THAT(answer.parts, SizeIs(1));
  EXPECT_EQ(answer.parts[0].media().type(), "image");
  EXPECT_EQ(answer.parts[0].media().link(), "https://cdn.acme.example/p/plan.PNG?v=2");
  EXPECT_EQ(answer.parts[0].media().caption(), "The plan");
}

TEST(RichAnswerTest, TheExtensionSaysWhatKindItIs) {
  const auto type = [](const std::string& name) {
    const RichAnswer answer = Parse("![](https://acme.example/" + name + ")");
    return answer.parts.empty() ? "" : answer.parts[0].media().type();
  };
  EXPECT_EQ(type("a.jpg"), "image");
  EXPECT_EQ(type("a.mp3"), "audio");
  EXPECT_EQ(type("a.mp4"), "video");
  EXPECT_EQ(type("a.pdf"), "document");
  EXPECT_EQ(type("a.exe"), "");
  EXPECT_EQ(type("a"), "");
  EXPECT_EQ(type("a.png/b"), "");
  EXPECT_EQ(Parse("![](https://acme.example/price list.pdf)").words, "![](https://acme.example/price list.pdf)");
  EXPECT_EQ(Parse("![](https://acme.example/prices.pdf)").parts.at(0).media().file_name(), "prices.pdf");
}

// What a message could talk a model into: a link whose path tells a stranger's server what the model knows.
TEST(RichAnswerTest, OnlyTheAccountsHostsAreLinkedTo) {
  for (const char* link :
       {"https://evil.example/what-the-user-said.png", "https://acme.example.evil.example/a.png",
        "https://evil.acme.example/a.png", "http://acme.example/a.png", "https://acme.example:8443/a.png",
        "https://acme.example@evil.example/a.png", "https://evil.example#@acme.example/a.png", "//acme.example/a.png",
        "https://acme.example\\@evil.example/a.png",
        "https://\xC3\xA4"
        "cme.example/a.png",
        "javascript:a.png", "a.png", ""}) {
    const std::string text = std::string("![x](") + link + ")";
    EXPECT_THAT(Parse(text).parts, IsEmpty()) << text;
    EXPECT_EQ(Parse(text).words, text);
  }
  account::Account without = MakeAccount();
  without.rich_link_hosts.clear();
  EXPECT_THAT(ParseRichAnswer("![x](https://acme.example/a.png)", without, "m").parts, IsEmpty());
}

// It would take more sends than a part may.
TEST(RichAnswerTest, AFileWithALongCaptionOrLinkStaysText) {
  const auto files = [](std::size_t caption, std::size_t link) {
    return Parse("![" + std::string(caption, 'c') + "](https://acme.example/" + std::string(link, 'l') + ".png)")
        .parts.size();
  };
  EXPECT_EQ(files(1000, 800), 1u);
  EXPECT_EQ(files(1001, 800), 0u);
  EXPECT_EQ(files(1000, 900), 0u);
}

TEST(RichAnswerTest, AnImageAmongWordsOrInCodeStaysText) {
  for (const char* text : {"See ![x](https://acme.example/a.png) there", "Words\n![x](https://acme.example/a.png)",
                           "![x](https://acme.example/a.png)\nwords", "```\n\n![x](https://acme.example/a.png)\n\n```",
                           "![x](https://acme.example/a.png) ![y](https://acme.example/b.png)",
                           "![[x]](https://acme.example/a.png)", "[x](https://acme.example/a.png)"}) {
    EXPECT_THAT(Parse(text).parts, IsEmpty()) << text;
    EXPECT_EQ(Parse(text).words, text);
  }
}

TEST(RichAnswerTest, ABlockOfChoicesIsAQuestionToPress) {
  const RichAnswer answer = Parse("Gladly.\n\n```choices\nTea or coffee?\n- Tea\n- Coffee\n```\n");
  EXPECT_EQ(answer.words, "Gladly.\n\n");
  ASSERT_THAT(answer.parts, SizeIs(1));
  const auto& choices = answer.parts[0].choices();
  EXPECT_EQ(choices.text(), "Tea or coffee?");
  ASSERT_EQ(choices.choices_size(), 2);
  EXPECT_EQ(choices.choices(1).id(), "2");
  EXPECT_EQ(choices.choices(1).title(), "Coffee");
}

TEST(RichAnswerTest, ChoicesStandUnderEverything) {
  const RichAnswer answer =
      Parse("```choices\nMore?\n- Yes\n```\n\n![x](https://acme.example/a.png)\n\n```react\n\U0001F44D\n```");
  EXPECT_EQ(answer.words, "");
  ASSERT_THAT(answer.parts, SizeIs(3));
  EXPECT_TRUE(answer.parts[0].has_media());
  EXPECT_TRUE(answer.parts[1].has_reaction());
  EXPECT_TRUE(answer.parts[2].has_choices());
}

TEST(RichAnswerTest, MalformedChoicesStayText) {
  std::string many = "```choices\nWhich?\n";
  for (int number = 0; number <= kChoicesMax; ++number) many += "- no. " + std::to_string(number) + "\n";
  many += "```";
  for (const std::string& text : std::vector<std::string>{
           "```choices\nTea?\n```", "```choices\n- Yes\n```", "```choices\nTea?\n- Yes\nor\n```",
           "```choices\nTea?\nNow?\n- Yes\n```", "```choices\nTea?\n- Yes\n- Yes\n```", "```choices\nTea?\n- Yes",
           "```choices\n```", "``` choices\nTea?\n- Yes\n```", "```Choices\nTea?\n- Yes\n```",
           "```choices\nTea?\n- " + std::string(201, 'x') + "\n```",
           "```choices\n" + std::string(1001, 'x') + "\n- Yes\n```", many}) {
    EXPECT_THAT(Parse(text).parts, IsEmpty()) << text;
    EXPECT_EQ(Parse(text).words, text);
  }
}

TEST(RichAnswerTest, AReactionIsOneEmojiToTheUsersMessage) {
  const std::string family = "\U0001F468\u200D\U0001F469\u200D\U0001F467";
  const RichAnswer answer = Parse("```react\n" + family + "\n```\nDone.");
  EXPECT_EQ(answer.words, "Done.");
  ASSERT_THAT(answer.parts, SizeIs(1));
  EXPECT_EQ(answer.parts[0].reaction().message_id(), "wamid.Q");
  EXPECT_EQ(answer.parts[0].reaction().emoji(), family);
  for (const char* block : {"ok", "1", "\U0001F44D\U0001F44D", "", "\u00e9", "\u4f60", "\xFF", "\U0001F44D\n\U0001F44D",
                            ":)", "\u2014", "\u2026", "\u20AC", "\u2192", "\u00AB", "\u3002"}) {
    const std::string text = std::string("```react\n") + block + "\n```";
    EXPECT_THAT(Parse(text).parts, IsEmpty()) << text;
  }
  EXPECT_EQ(Parse("```react\n\U0001F1EF\U0001F1F5\n```").parts.size(), 1u) << "a flag";
  EXPECT_EQ(Parse("```react\n\U0001F44D\n```", "derived:00").parts.size(), 1u) << "the codec says the emoji as text";
}

TEST(RichAnswerTest, ThereIsAnEnd) {
  std::string text;
  for (int file = 0; file < 6; ++file) text += "![](https://acme.example/" + std::to_string(file) + ".png)\n\n";
  for (int block = 0; block < 2; ++block) text += "```choices\nTea?\n- Yes\n```\n\n```react\n\U0001F44D\n```\n\n";
  const RichAnswer answer = Parse(text);
  EXPECT_THAT(answer.parts, SizeIs(kFilesMax + 2));
  EXPECT_NE(answer.words.find("4.png"), std::string::npos);
  EXPECT_NE(answer.words.find("```choices"), std::string::npos);
}

TEST(RichAnswerTest, TheReplyKeepsTheAnswerAsItWasWrittenForTheHistory) {
  const std::string text = "Here.\n\n![x](https://acme.example/a.png)";
  mesh::bus::v1::Reply reply;
  reply.set_text(text);
  TakeRichParts(MakeAccount(), "wamid.Q", reply);
  EXPECT_EQ(reply.text(), "Here.\n\n");
  EXPECT_EQ(reply.history_text(), text);
  EXPECT_EQ(reply.rich_parts_size(), 1);

  mesh::bus::v1::Reply plain;
  plain.set_text("Here.");
  TakeRichParts(MakeAccount(), "wamid.Q", plain);
  EXPECT_EQ(plain.text(), "Here.");
  EXPECT_EQ(plain.history_text(), "");

  mesh::bus::v1::Reply unasked;
  unasked.set_text(text);
  account::Account account = MakeAccount();
  account.rich_answers = false;
  TakeRichParts(account, "wamid.Q", unasked);
  EXPECT_EQ(unasked.text(), text);
  EXPECT_EQ(unasked.rich_parts_size(), 0);
}

// Goal: whatever the model writes, no file comes from a host that is not the account's, no word of the text is lost or
// moved, and what is no part is untouched.
// Method: 20,000 texts of random pieces of the syntax, from a fixed seed.
TEST(RichAnswerTest, AnyTextIsTakenApartWithinTheRules) {
  static constexpr std::string_view kPieces[] = {"\n",
                                                 "\n",
                                                 "\n\n",
                                                 "```",
                                                 "```choices\n",
                                                 "```react\n",
                                                 "```cpp\n",
                                                 "- Yes\n",
                                                 "- No\n",
                                                 "Tea?\n",
                                                 "words ",
                                                 "![x](https://acme.example/a.png)",
                                                 "![](https://evil.example/b.png)",
                                                 "![x](",
                                                 ")",
                                                 "](",
                                                 "\U0001F44D",
                                                 "\xFF",
                                                 "https://acme.example/c.mp4",
                                                 "\r\n",
                                                 " ",
                                                 "\t"};
  std::mt19937 rng(/*seed=*/6);
  int rich = 0;
  for (int round = 0; round < 20'000; ++round) {
    std::string text;
    for (std::size_t left = rng() % 24; left > 0; --left) text += kPieces[rng() % std::size(kPieces)];
    const RichAnswer answer = Parse(text);
    rich += answer.parts.empty() ? 0 : 1;
    if (answer.parts.empty()) {
      ASSERT_EQ(answer.words, text);
    }
    ASSERT_LE(answer.parts.size(), static_cast<std::size_t>(kFilesMax) + 2);
    for (const auto& part : answer.parts) {
      ASSERT_FALSE(part.has_text());
      if (part.has_media()) {
        ASSERT_TRUE(part.media().link().starts_with("https://acme.example/")) << text;
      }
    }
    // A subsequence of the text.
    std::size_t at = 0;
    for (const char c : answer.words) {
      at = text.find(c, at);
      ASSERT_NE(at, std::string::npos) << text;
      ++at;
    }
  }
  EXPECT_GT(rich, 200) << "the pieces make too few parts: the test shows nothing";
}

}  // namespace
}  // namespace worker
