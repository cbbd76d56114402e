#include "libs/channel/internal/markup.h"

#include <gtest/gtest.h>

#include <random>
#include <string>
#include <vector>

#include "libs/channel/codec.h"

namespace channel {
namespace {

std::string WhatsApp(std::string_view markdown) { return FormatMarkdown(markdown, Markup::kWhatsApp); }
std::string Plain(std::string_view markdown) { return FormatMarkdown(markdown, Markup::kPlain); }

TEST(MarkupTest, MarksBecomeTheChannelsOwnOrNone) {
  const struct {
    const char *markdown, *whatsapp, *plain;
  } kCases[] = {
      {"**bold** and __bold__", "*bold* and *bold*", "bold and bold"},
      {"*italic* and _italic_", "_italic_ and _italic_", "italic and italic"},
      {"***both***", "_*both*_", "both"},
      {"**bold with *italic* in it**", "*bold with _italic_ in it*", "bold with italic in it"},
      {"~~gone~~", "~gone~", "gone"},
      {"run `make test` now", "run `make test` now", "run make test now"},
      {"``a`b``", "`a`b`", "a`b"},
      {"# Title", "*Title*", "Title"},
      {"### A **bold** title ###", "*A bold title*", "A bold title"},
      {"* one\n+ two\n- three", "- one\n- two\n- three", "- one\n- two\n- three"},
      {"  * **Paris**: capital", "  - *Paris*: capital", "  - Paris: capital"},
      {"1. **first**", "1. *first*", "1. first"},
      {"> a *quote*", "> a _quote_", "> a quote"},
      {"above\n---\nbelow", "above\n\nbelow", "above\n\nbelow"},
      {"[Meta](https://meta.com/a_(b)_c \"title\")", "Meta (https://meta.com/a_(b)_c)",
       "Meta (https://meta.com/a_(b)_c)"},
      {"[https://a.b](https://a.b) <https://c.d>", "https://a.b https://c.d", "https://a.b https://c.d"},
      {"![a *cat*](https://a.b/c.png)", "a _cat_ (https://a.b/c.png)", "a cat (https://a.b/c.png)"},
      {"| City | **Mayor** |\n|:--|--:|\n| Rome | x |", "City | *Mayor*\nRome | x", "City | Mayor\nRome | x"},
      {"\\*not italic\\* and 1\\. no list", "*not italic* and 1. no list", "*not italic* and 1. no list"},
  };
  for (const auto& test : kCases) {
    EXPECT_EQ(WhatsApp(test.markdown), test.whatsapp) << test.markdown;
    EXPECT_EQ(Plain(test.markdown), test.plain) << test.markdown;
  }
}

TEST(MarkupTest, WhatIsNoMarkupStaysAsItIs) {
  for (const char* text : {"",
                           "\n\n",
                           "2 * 3 * 4 = 24",
                           "2*3*4",
                           "x**2 + y**2",
                           "(a+b)**2 + (c+d)**2",
                           "snake_case_name",
                           "f(x)*g(y)*h",
                           "**open",
                           "closed**",
                           "a ** b",
                           "~5 or ~6",

                           "****",
                           "`",
                           "``open",
                           "[no](link",
                           "[no] (link)",
                           "array[0](x",
                           "#hashtag",
                           "####### seven",
                           "-",
                           "a|b",
                           "<b>",
                           "C:\\path",
                           "5 > 3",
                           "\xff*\xfe",
                           "*",
                           "_",
                           "\u202Ertl"}) {
    EXPECT_EQ(WhatsApp(text), text);
    EXPECT_EQ(Plain(text), text);
  }
}

TEST(MarkupTest, NothingWithinCodeIsFormatted) {
  const std::string_view markdown = "```python\nx = a**2 * b\n# no *title*\n```\nafter **it**";
  EXPECT_EQ(WhatsApp(markdown), "```\nx = a**2 * b\n# no *title*\n```\nafter *it*");
  EXPECT_EQ(Plain(markdown), "x = a**2 * b\n# no *title*\nafter it");
  EXPECT_EQ(WhatsApp("~~~\n```\n~~~"), "```\n```\n```");
  EXPECT_EQ(WhatsApp("```\nnever closed"), "```\nnever closed\n```");
  EXPECT_EQ(WhatsApp("`**a**`"), "`**a**`");
}

TEST(MarkupTest, NoTextBecomesNothing) {
  for (const char* text : {"---", "***\n\n---", "#", "```\n```", "|-|", "![](", "** **"}) {
    EXPECT_NE(WhatsApp(text), "") << text;
    EXPECT_NE(Plain(text), "") << text;
  }
}

TEST(MarkupTest, WordsWithoutSpacesLoseMarksThatTheAppsWouldNotSee) {
  EXPECT_EQ(WhatsApp("这是**重点**内容"), "这是重点内容");
  EXPECT_EQ(WhatsApp("这是 **重点** 内容"), "这是 *重点* 内容");
}

// Goal: no letter and no digit of a text is lost or moved, whatever marks surround them; and the work is linear.
// Method: random texts of marks and words.
TEST(MarkupTest, EveryWordOfARandomTextIsKeptInItsOrder) {
  std::mt19937 rng(20261126);
  const std::vector<std::string> pieces = {"*",      "**", "***", "_", "__", "~~", "`",  "``", "[",  "](",
                                           ")",      "!",  "<",   ">", "\\", "\n", " ",  "a",  "B7", "\u00e9",
                                           "\u4e2d", "|",  "#",   "-", "+",  "# ", "* ", "> ", "| ", "---"};
  const auto words = [](std::string_view text) {
    std::string kept;
    for (const char c : text) {
      if (std::isalnum(static_cast<unsigned char>(c)) || (c & 0x80) != 0) kept += c;
    }
    return kept;
  };
  for (int round = 0; round < 20'000; ++round) {
    std::string text;
    for (auto count = rng() % 40; count > 0; --count) text += pieces[rng() % pieces.size()];
    for (const Markup markup : {Markup::kWhatsApp, Markup::kPlain}) {
      const std::string formatted = FormatMarkdown(text, markup);
      // A link whose words are its address is told once, and a fence takes the language behind it.
      const bool is_shortened = text.find("](") != std::string::npos || text.find("```") != std::string::npos ||
                                text.find("~~~") != std::string::npos;
      if (!is_shortened) {
        EXPECT_EQ(words(formatted), words(text)) << text;
      }
      EXPECT_LE(formatted.size(), 2 * text.size() + 8);
    }
  }
}

TEST(MarkupTest, HostileTextTakesNoLongerThanItsLength) {
  for (const char* piece :
       {"*a ", "a* ", "_a *b", "[", "[a](", "`", "``a`", "**", "<http://", "~~a", "\\", "|", "# ", "```\n"}) {
    std::string text;
    while (text.size() < 200'000) text += piece;
    EXPECT_LE(WhatsApp(text).size(), 3 * text.size()) << piece;  // quadratic work would take minutes
  }
}

TEST(MarkupTest, CodecsFormatBeforeTheyCut) {
  const auto parts = [](mesh::bus::v1::Channel channel) { return FindCodec(channel)->Split("**Paris** is *it*"); };
  EXPECT_EQ(parts(mesh::bus::v1::CHANNEL_WHATSAPP), std::vector<std::string>{"*Paris* is _it_"});
  EXPECT_EQ(parts(mesh::bus::v1::CHANNEL_MESSENGER), std::vector<std::string>{"Paris is it"});
  EXPECT_EQ(parts(mesh::bus::v1::CHANNEL_INSTAGRAM), std::vector<std::string>{"Paris is it"});
}

}  // namespace
}  // namespace channel
