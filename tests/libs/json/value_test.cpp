#include "libs/json/value.h"

#include <gmock/gmock.h>
#include <gtest/gtest.h>

#include <limits>
#include <string>
#include <vector>

namespace json {
namespace {

using testing::ElementsAre;
using testing::IsEmpty;
using testing::Pair;

static_assert(sizeof(Value) == 16);

// Keeps the document alive beside the view.
struct Parsed {
  explicit Parsed(std::string_view text) : document(*Document::Parse(text)) {}
  Value root() const { return document.root(); }
  Value operator[](std::string_view key) const { return document.root().Find(key); }
  Document document;
};

std::vector<std::pair<std::string, std::string>> FieldsOf(const Value& value) {
  std::vector<std::pair<std::string, std::string>> fields;
  for (const auto& [key, field] : value.fields()) fields.emplace_back(key, field.Raw());
  return fields;
}
std::vector<std::string> ItemsOf(const Value& value) {
  std::vector<std::string> items;
  for (const Value item : value.items()) items.push_back(item.Raw());
  return items;
}

TEST(ValueTest, KnowsItsKind) {
  const Parsed json(R"({"n":null,"b":false,"i":-1,"u":18446744073709551615,"d":1.0,"s":"","a":[],"o":{}})");
  EXPECT_EQ(json["n"].kind(), Kind::kNull);
  EXPECT_EQ(json["b"].kind(), Kind::kBool);
  EXPECT_EQ(json["i"].kind(), Kind::kInteger);
  EXPECT_EQ(json["u"].kind(), Kind::kInteger);
  EXPECT_EQ(json["d"].kind(), Kind::kDouble);
  EXPECT_EQ(json["s"].kind(), Kind::kString);
  EXPECT_EQ(json["a"].kind(), Kind::kArray);
  EXPECT_EQ(json["o"].kind(), Kind::kObject);
  EXPECT_EQ(json["x"].kind(), Kind::kAbsent);
  EXPECT_TRUE(json["n"].exists());
  EXPECT_FALSE(json["x"].exists());
}

TEST(ValueTest, LookupsIntoNothingGiveNothing) {
  const Parsed json(R"({"a":"text"})");
  for (const Value& value : {Value(), json["x"], json["a"].Find("b").Find("c"), json["x"].Find("")}) {
    EXPECT_FALSE(value.exists());
    EXPECT_EQ(value.AsString(), std::nullopt);
    EXPECT_EQ(value.AsInt64(), std::nullopt);
    EXPECT_EQ(value.AsUint64(), std::nullopt);
    EXPECT_EQ(value.AsDouble(), std::nullopt);
    EXPECT_EQ(value.AsBool(), std::nullopt);
    EXPECT_EQ(value.AsStringOrNumber(), std::nullopt);
    EXPECT_EQ(value.AsInt64Lenient(), std::nullopt);
    EXPECT_EQ(value.AsBoolLenient(), std::nullopt);
    EXPECT_THAT(ItemsOf(value), IsEmpty());
    EXPECT_THAT(FieldsOf(value), IsEmpty());
    EXPECT_EQ(value.size(), 0u);
    EXPECT_EQ(value.Raw(), "");
  }
}

// Webhooks with wrong types everywhere must read as "nothing said", never fail.
TEST(ValueTest, EveryGetterAnswersForEveryKind) {
  const Parsed json(R"([null,true,-1,18446744073709551615,1.5,"text",[1],{"a":1}])");
  int strings = 0, integers = 0, doubles = 0, bools = 0, lists = 0, objects = 0;
  for (const Value value : json.root().items()) {
    strings += value.AsString().has_value();
    integers += value.AsInt64().has_value() || value.AsUint64().has_value();
    doubles += value.AsDouble().has_value();
    bools += value.AsBool().has_value();
    lists += !ItemsOf(value).empty();
    objects += value.Find("a").exists();
  }
  EXPECT_THAT((std::vector{strings, integers, doubles, bools, lists, objects}), ElementsAre(1, 2, 3, 1, 1, 1));
}

TEST(ValueTest, ReadsItemsAndFieldsInOrder) {
  const Parsed json(R"({"z":[1,[2,{"q":3}],"x"],"a":{"b":{}},"m":null})");
  EXPECT_THAT(FieldsOf(json.root()),
              ElementsAre(Pair("z", R"([1,[2,{"q":3}],"x"])"), Pair("a", R"({"b":{}})"), Pair("m", "null")));
  EXPECT_THAT(ItemsOf(json["z"]), ElementsAre("1", R"([2,{"q":3}])", "\"x\""));
  EXPECT_EQ(json.root().size(), 3u);
  EXPECT_EQ(json["z"].size(), 3u);
  EXPECT_EQ(json["m"].size(), 0u);
}

TEST(ValueTest, OfRepeatedKeysTheFirstCounts) {
  const Parsed json(R"({"id":"first","id":"second"})");
  EXPECT_EQ(json["id"].AsString(), "first");
  EXPECT_EQ(json.root().size(), 2u);
  EXPECT_THAT(FieldsOf(json.root()), ElementsAre(Pair("id", "\"first\""), Pair("id", "\"second\"")));
}

TEST(ValueTest, DecodesStrings) {
  EXPECT_EQ(Parsed(R"("\"\\\/\b\f\n\r\t\u00e9\ud83d\ude00")").root().AsString(),
            "\"\\/\b\f\n\r\t\xC3\xA9\xF0\x9F\x98\x80");
  EXPECT_EQ(Parsed(R"({"\u0061":1})")["a"].AsInt64(), 1);
}

TEST(ValueTest, NulIsACharacter) {
  EXPECT_EQ(Parsed(R"("a\u0000b")").root().AsString(), std::string_view("a\0b", 3));
  EXPECT_TRUE(Parsed(R"({"a\u0000":1})").root().Find(std::string_view("a\0", 2)).exists());
}

TEST(ValueTest, HalfASurrogatePairReadsAsReplacement) {
  EXPECT_EQ(Parsed(R"("cut \ud83d")").root().AsString(), "cut \xEF\xBF\xBD");
  EXPECT_EQ(Parsed(R"("\ude00")").root().AsString(), "\xEF\xBF\xBD");
  EXPECT_EQ(Parsed(R"("\ude00\ud83d")").root().AsString(), "\xEF\xBF\xBD\xEF\xBF\xBD");
  EXPECT_EQ(Parsed(R"("\ud83dx")").root().AsString(), "\xEF\xBF\xBDx");
}

TEST(ValueTest, IntegersAreExact) {
  const Parsed json("[9007199254740993,-9223372036854775808,9223372036854775807,9223372036854775808,1.0,1e2]");
  const std::vector<Value> items(json.root().items().begin(), json.root().items().end());
  EXPECT_EQ(items[0].AsInt64(), 9007199254740993);  // would be ...992 as a double
  EXPECT_EQ(items[1].AsInt64(), std::numeric_limits<std::int64_t>::min());
  EXPECT_EQ(items[1].AsUint64(), std::nullopt);
  EXPECT_EQ(items[2].AsInt64(), std::numeric_limits<std::int64_t>::max());
  EXPECT_EQ(items[3].AsInt64(), std::nullopt);
  EXPECT_EQ(items[3].AsUint64(), 9223372036854775808u);
  EXPECT_EQ(items[4].AsInt64(), std::nullopt);
  EXPECT_EQ(items[5].AsInt64(), std::nullopt);
  EXPECT_EQ(items[5].AsDouble(), 100.0);
  EXPECT_EQ(items[3].AsDouble(), 9223372036854775808.0);
}

TEST(ValueTest, IdsMayBeStringsOrIntegers) {
  const Parsed json(R"(["17841400008460056",17841400008460056,18446744073709551615,-5,1.5,1e3,true,null,""])");
  std::vector<std::string> ids;
  for (const Value value : json.root().items()) ids.push_back(value.AsStringOrNumber().value_or("nothing"));
  EXPECT_THAT(ids, ElementsAre("17841400008460056", "17841400008460056", "18446744073709551615", "-5", "nothing",
                               "nothing", "nothing", "nothing", ""));
}

TEST(ValueTest, NumbersMayBeWrittenAsStrings) {
  const Parsed json(R"(["1700000000","-1",1700000000," 1","1 ","1.0","","9223372036854775808",1.5,true])");
  std::vector<std::int64_t> numbers;
  for (const Value value : json.root().items()) numbers.push_back(value.AsInt64Lenient().value_or(-999));
  EXPECT_THAT(numbers, ElementsAre(1700000000, -1, 1700000000, -999, -999, -999, -999, -999, -999, -999));
}

TEST(ValueTest, TruthMayBeWrittenAsAString) {
  const Parsed json(R"([true,false,"true","false","TRUE",1,null])");
  std::vector<int> truths;
  for (const Value value : json.root().items()) truths.push_back(value.AsBoolLenient() ? *value.AsBoolLenient() : -1);
  EXPECT_THAT(truths, ElementsAre(1, 0, 1, 0, -1, -1, -1));
  EXPECT_EQ((*json.root().items().begin()).AsBool(), true);
}

TEST(RawTest, WritesTheValueAgainWithoutWhiteSpace) {
  const Parsed json(" { \"a\" : [ 1 , 2.50 , -0.0, 1e2, true , null ] , \"b\" : \"\\u00e9\\/\\n\\u0000\" } ");
  EXPECT_EQ(json.root().Raw(), "{\"a\":[1,2.5,-0,100,true,null],\"b\":\"\xC3\xA9/\\n\\u0000\"}");
  EXPECT_EQ(json["a"].Raw(), "[1,2.5,-0,100,true,null]");
}

}  // namespace
}  // namespace json
