#include <gtest/gtest.h>

#include <algorithm>
#include <memory>
#include <random>
#include <string>
#include <utility>

#include "libs/base/utf8.h"
#include "libs/json/value.h"

// What Document::Parse takes and what it refuses.
namespace json {
namespace {

std::string ReasonOf(std::string_view bytes, const ParseLimits& limits = {}) {
  const auto document = Document::Parse(bytes, limits);
  if (document.ok()) return "ok";
  EXPECT_EQ(document.status().code(), absl::StatusCode::kInvalidArgument);
  return std::string(document.status().message());
}

std::string Nested(std::size_t depth, std::string_view innermost) {
  return std::string(depth, '[') + std::string(innermost) + std::string(depth, ']');
}

TEST(DocumentTest, TakesEveryKindOfRoot) {
  for (const char* text : {"{}", "[]", "\"a\"", "1", "-1.5e3", "true", "null", " \t\r\n{ } \n"}) {
    EXPECT_EQ(ReasonOf(text), "ok") << text;
  }
}

TEST(DocumentTest, RefusesWhatIsNotJson) {
  for (const std::string text : {"",
                                 " ",
                                 "{",
                                 "}",
                                 "[1,]",
                                 "{\"a\":1,}",
                                 "{\"a\" 1}",
                                 "{a:1}",
                                 "{'a':1}",
                                 "[1 2]",
                                 "nul",
                                 "True",
                                 "NaN",
                                 "Infinity",
                                 "-",
                                 "01",
                                 "+1",
                                 ".5",
                                 "1.",
                                 "1e",
                                 "0x10",
                                 "\"\\x41\"",
                                 "\"\\u12\"",
                                 "\"open",
                                 "{} {}",
                                 "{}x",
                                 "// comment\n{}",
                                 "\"line\nbreak\"",
                                 "a=1&b=2",
                                 "<xml/>"}) {
    EXPECT_EQ(ReasonOf(text), "not_json") << text;
  }
}

TEST(DocumentTest, RefusesNulBytesOutsideAndInsideOfStrings) {
  EXPECT_EQ(ReasonOf(std::string_view("{}\0", 3)), "not_json");
  EXPECT_EQ(ReasonOf(std::string_view("\0", 1)), "not_json");
  EXPECT_EQ(ReasonOf(std::string_view("\"a\0b\"", 5)), "not_json");  // a NUL in a string must be escaped
}

TEST(DocumentTest, RefusesNumbersThatNothingHolds) {
  EXPECT_EQ(ReasonOf("18446744073709551615"), "ok");
  EXPECT_EQ(ReasonOf("18446744073709551616"), "not_json");
  EXPECT_EQ(ReasonOf("-9223372036854775808"), "ok");
  EXPECT_EQ(ReasonOf("-9223372036854775809"), "not_json");
  EXPECT_EQ(ReasonOf("1e308"), "ok");
  EXPECT_EQ(ReasonOf("1e309"), "not_json");
}

TEST(DocumentTest, RefusesWhatIsNotUtf8) {
  for (const char* text :
       {"\"\xFF\"", "\"\xC3\"", "\"\xED\xA0\x80\"", "\"\xC0\x80\"", "\"\xF4\x90\x80\x80\"", "\xFF"}) {
    EXPECT_EQ(ReasonOf(text), "not_utf8") << text;
  }
}

TEST(DocumentTest, DepthIsExact) {
  EXPECT_EQ(ReasonOf(Nested(32, "1")), "ok");
  EXPECT_EQ(ReasonOf(Nested(33, "1")), "too_deep");
  EXPECT_EQ(ReasonOf(Nested(33, "")), "ok");  // the innermost is empty
  EXPECT_EQ(ReasonOf(Nested(34, "")), "too_deep");
  EXPECT_EQ(ReasonOf("[1]", {.depth_max = 1}), "ok");
  EXPECT_EQ(ReasonOf("[[1]]", {.depth_max = 1}), "too_deep");
  EXPECT_EQ(ReasonOf("[{\"a\":[1]}]", {.depth_max = 3}), "ok");
  EXPECT_EQ(ReasonOf("[{\"a\":[[1]]}]", {.depth_max = 3}), "too_deep");
  EXPECT_EQ(ReasonOf(Nested(1'000'000, "")), "too_deep");
  EXPECT_EQ(ReasonOf(std::string(1'000'000, '[')), "not_json");  // not even closed
}

TEST(DocumentTest, SizeIsExact) {
  EXPECT_EQ(ReasonOf("[1,2]", {.bytes_max = 5}), "ok");
  EXPECT_EQ(ReasonOf("[1,2] ", {.bytes_max = 5}), "too_large");
  EXPECT_EQ(ReasonOf("\"" + std::string((4u << 20) - 2, 'a') + "\""), "ok");
  EXPECT_EQ(ReasonOf("\"" + std::string((4u << 20) - 1, 'a') + "\""), "too_large");
}

// The text need not be followed by readable memory: simdjson reads ahead in whole registers.
TEST(DocumentTest, TextsOfEverySizeAreReadWithoutTheirSurroundings) {
  for (std::size_t size = 2; size < 300; ++size) {
    const auto bytes = std::make_unique<char[]>(size);
    std::fill_n(bytes.get(), size, 'a');
    bytes[0] = bytes[size - 1] = '"';
    const auto document = Document::Parse(std::string_view(bytes.get(), size));
    ASSERT_TRUE(document.ok());
    ASSERT_EQ(document->root().AsString()->size(), size - 2);
  }
}

TEST(DocumentTest, ValuesStayValidWhenTheDocumentMovesAndTheTextIsGone) {
  auto text = std::make_unique<std::string>(R"({"a":["text"]})");
  auto parsed = Document::Parse(*text);
  ASSERT_TRUE(parsed.ok());
  const Value list = parsed->root().Find("a");
  text.reset();
  Document moved = *std::move(parsed);
  Document assigned = *Document::Parse("1");
  assigned = std::move(moved);
  EXPECT_EQ((*list.items().begin()).AsString(), "text");
  EXPECT_EQ(assigned.root().Find("a").size(), 1u);
}

// Goal: whatever the bytes, the answer is a document that can be read to its end, or one of the four words; and what is
// read is UTF-8. Method: a valid text with random damage, from a printed seed.
TEST(DocumentTest, SurvivesRandomDamage) {
  constexpr unsigned kSeed = 8259;
  SCOPED_TRACE(kSeed);
  std::mt19937 rng(kSeed);
  const std::string valid = R"({"object":"page","entry":[{"id":"1\ud83d\ude00","time":1700000000000,)"
                            R"("x":[1.5,-2,true,null,{"k":"\u0000"}]}]})";
  const std::string alphabet = std::string("{}[]\",:\\ud0189eE.-+ntf \xC3\xA9\xF0\x9F\xFF", 28) + '\0';
  int readable = 0;
  for (int round = 0; round < 50'000; ++round) {
    std::string text = valid;
    for (int i = 0; i < 2; ++i) text[rng() % text.size()] = alphabet[rng() % alphabet.size()];
    text.resize(rng() % 8 == 0 ? rng() % text.size() : text.size());
    const auto document = Document::Parse(text);
    if (!document.ok()) {
      const std::string_view reason(document.status().message().data(), document.status().message().size());
      ASSERT_TRUE(reason == "not_json" || reason == "not_utf8" || reason == "too_deep") << reason;
      continue;
    }
    ++readable;
    const std::string raw = document->root().Raw();
    ASSERT_TRUE(base::IsUtf8(raw)) << text;
    const auto again = Document::Parse(raw);
    ASSERT_TRUE(again.ok()) << raw;
    ASSERT_EQ(again->root().Raw(), raw);
  }
  EXPECT_GT(readable, 1000);
}

}  // namespace
}  // namespace json
