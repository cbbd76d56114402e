#pragma once

#include <concepts>
#include <cstdint>
#include <string>
#include <string_view>
#include <type_traits>
#include <vector>

namespace json {

// Writes one JSON text, compact, from front to back:
//
//   json::Writer writer;
//   writer.BeginObject();
//   writer.Field("to", user);
//   writer.Key("text");  writer.BeginObject();  writer.Field("body", text);  writer.EndObject();
//   writer.EndObject();
//   std::string body = std::move(writer).Take();
//
// Strings may hold any bytes: what is not UTF-8 becomes U+FFFD, so that the text is always valid JSON. A call out of
// place (a value without a key in an object, a key in an array, an unmatched end, two roots) is a bug: CHECK.
class Writer {
 public:
  void BeginObject();
  void EndObject();
  void BeginArray();
  void EndArray();
  void Key(std::string_view key);

  void String(std::string_view text);
  void Bool(bool value);
  void Null();
  void Number(double value);  // shortest form that reads back equal; not finite: null, JSON has no word for it
  template <std::integral Integer>
  requires(!std::same_as<Integer, bool> && !std::same_as<Integer, char>) void Number(Integer value) {
    if constexpr (std::is_signed_v<Integer>) {
      Signed(value);
    } else {
      Unsigned(value);
    }
  }
  void Raw(std::string_view json);  // REQUIRES: one valid JSON value, such as Value::Raw() gives

  // Key and value at once.
  void Field(std::string_view key, std::string_view text) { Key(key), String(text); }
  void Field(std::string_view key, const char* text) { Key(key), String(text); }
  void Field(std::string_view key, const std::string& text) { Key(key), String(text); }
  void Field(std::string_view key, bool value) { Key(key), Bool(value); }
  void Field(std::string_view key, double value) { Key(key), Number(value); }
  template <std::integral Integer>
  requires(!std::same_as<Integer, bool> && !std::same_as<Integer, char>) void Field(std::string_view key,
                                                                                    Integer value) {
    Key(key);
    Number(value);
  }

  std::string Take() &&;  // REQUIRES: exactly one value was written and is complete

 private:
  enum class Scope : std::uint8_t { kArray, kObject };

  void BeginValue();  // checks that a value may stand here and writes the comma before it
  void End(Scope scope, char bracket);
  void Signed(std::int64_t value);
  void Unsigned(std::uint64_t value);

  std::string out_;
  std::vector<Scope> scopes_;
  bool has_key_ = false;  // the last thing written in the present object was a key
  bool is_first_ = true;  // nothing stands in the present array or object yet
  bool is_complete_ = false;
};

}  // namespace json
