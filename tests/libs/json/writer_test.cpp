#include "libs/json/writer.h"

#include <gtest/gtest.h>

#include <cstdint>
#include <limits>
#include <random>
#include <string>
#include <utility>

#include "libs/json/value.h"

namespace json {
namespace {

template <typename Function>
std::string Written(Function function) {
  Writer writer;
  function(writer);
  return std::move(writer).Take();
}

std::string WrittenString(std::string_view text) {
  return Written([&](Writer& writer) { writer.String(text); });
}

TEST(WriterTest, WritesNestedArraysAndObjects) {
  EXPECT_EQ(Written([](Writer& writer) {
              writer.BeginObject();
              writer.Field("text", "a");
              writer.Field("view", std::string_view("b"));
              writer.Field("string", std::string("c"));
              writer.Field("count", 3);
              writer.Field("big", std::numeric_limits<std::uint64_t>::max());
              writer.Field("small", std::numeric_limits<std::int64_t>::min());
              writer.Field("on", true);
              writer.Field("ratio", 0.1);
              writer.Key("list");
              writer.BeginArray();
              writer.Null();
              writer.BeginObject();
              writer.EndObject();
              writer.BeginArray();
              writer.EndArray();
              writer.Bool(false);
              writer.EndArray();
              writer.Key("raw");
              writer.Raw("{\"x\":1}");
              writer.EndObject();
            }),
            R"({"text":"a","view":"b","string":"c","count":3,"big":18446744073709551615,"small":-9223372036854775808,)"
            R"("on":true,"ratio":0.1,"list":[null,{},[],false],"raw":{"x":1}})");
}

TEST(WriterTest, EscapesWhatJsonAsksFor) {
  EXPECT_EQ(WrittenString(std::string_view("\"\\/\n\r\t\b\f\x1f\0", 10)), R"("\"\\/\n\r\t\u0008\u000c\u001f\u0000")");
  EXPECT_EQ(WrittenString("\xC3\xA9\xF0\x9F\x98\x80"), "\"\xC3\xA9\xF0\x9F\x98\x80\"");
}

TEST(WriterTest, ReplacesWhatIsNotUtf8) {
  EXPECT_EQ(WrittenString("a\xFF"
                          "b\xE2\x82"),
            "\"a\xEF\xBF\xBD"
            "b\xEF\xBF\xBD\"");
}

TEST(WriterTest, WritesNullForNumbersThatJsonLacks) {
  EXPECT_EQ(Written([](Writer& writer) { writer.Number(std::numeric_limits<double>::quiet_NaN()); }), "null");
  EXPECT_EQ(Written([](Writer& writer) { writer.Number(-std::numeric_limits<double>::infinity()); }), "null");
}

// Goal: every string and number comes back as it went in. Method: random values through the parser, seed printed.
TEST(WriterTest, WhatIsWrittenReadsBackEqual) {
  constexpr unsigned kSeed = 64;
  SCOPED_TRACE(kSeed);
  std::mt19937_64 rng(kSeed);
  for (int round = 0; round < 20'000; ++round) {
    std::string text(rng() % 12, '\0');
    for (char& byte : text) byte = static_cast<char>(rng() % 128);
    const auto number = static_cast<std::int64_t>(rng());
    const double ratio = static_cast<double>(number) / static_cast<double>(1 + rng() % 1'000'000);
    const std::string written = Written([&](Writer& writer) {
      writer.BeginObject();
      writer.Field(text, text);
      writer.Field("n", number);
      writer.Key("list");
      writer.BeginArray();
      writer.Number(ratio);
      writer.EndArray();
      writer.EndObject();
    });
    const auto document = Document::Parse(written);
    ASSERT_TRUE(document.ok()) << written;
    ASSERT_EQ(document->root().Find(text).AsString(), text);
    ASSERT_EQ((*document->root().Find("list").items().begin()).AsDouble(), ratio);
    if (text != "n") {
      ASSERT_EQ(document->root().Find("n").AsInt64(), number);
    }
  }
}

TEST(WriterDeathTest, RefusesCallsOutOfPlace) {
  const auto in_object = [](auto call) {
    Writer writer;
    writer.BeginObject();
    call(writer);
  };
  EXPECT_DEATH(in_object([](Writer& w) { w.String("value"); }), "needs a key");
  EXPECT_DEATH(in_object([](Writer& w) { w.Key("a"), w.Key("b"); }), "a key stands in an object only");
  EXPECT_DEATH(in_object([](Writer& w) { w.Key("a"), w.EndObject(); }), "a key without its value");
  EXPECT_DEATH(in_object([](Writer& w) { w.EndArray(); }), "an end without its begin");
  EXPECT_DEATH(in_object([](Writer& w) { std::move(w).Take(); }), "not complete");
  EXPECT_DEATH(Writer().Key("a"), "a key stands in an object only");
  EXPECT_DEATH(Writer().EndObject(), "an end without its begin");
  EXPECT_DEATH(Written([](Writer&) {}), "not complete");
  EXPECT_DEATH(Written([](Writer& w) { w.Null(), w.Null(); }), "one root");
  EXPECT_DEATH(Written([](Writer& w) { w.BeginArray(), w.Key("a"); }), "a key stands in an object only");
}

}  // namespace
}  // namespace json
