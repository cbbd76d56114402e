#include "libs/json/writer.h"

#include <charconv>
#include <cmath>
#include <utility>

#include "libs/base/check.h"
#include "libs/base/utf8.h"

namespace json {
namespace {

void AppendCharacter(std::string& out, char c) {
  static constexpr char kDigits[] = "0123456789abcdef";
  switch (c) {
    case '"':
      out += "\\\"";
      return;
    case '\\':
      out += "\\\\";
      return;
    case '\n':
      out += "\\n";
      return;
    case '\r':
      out += "\\r";
      return;
    case '\t':
      out += "\\t";
      return;
    default:
      break;
  }
  const auto byte = static_cast<unsigned char>(c);
  if (byte < 0x20) {
    out += {'\\', 'u', '0', '0', kDigits[byte >> 4], kDigits[byte & 15]};
  } else {
    out.push_back(c);
  }
}

void AppendQuoted(std::string& out, std::string_view text) {
  out.reserve(out.size() + text.size() + 2);
  out.push_back('"');
  while (!text.empty()) {
    const base::Utf8Step step = base::NextUtf8(text);
    if (step.size == 1 && step.well_formed) {
      AppendCharacter(out, text.front());
    } else {
      out += step.well_formed ? text.substr(0, step.size) : std::string_view("\xEF\xBF\xBD");
    }
    text.remove_prefix(step.size);
  }
  out.push_back('"');
}

template <typename T>
void AppendNumber(std::string& out, T number) {
  char buffer[32];  // the longest shortest double has 24 characters
  const std::to_chars_result result = std::to_chars(buffer, buffer + sizeof buffer, number);
  out.append(buffer, result.ptr);
}

}  // namespace

void Writer::BeginValue() {
  CHECK_MSG(!is_complete_, "a JSON text has one root");
  if (scopes_.empty()) {
    is_complete_ = true;
  } else if (scopes_.back() == Scope::kObject) {
    CHECK_MSG(has_key_, "a value in an object needs a key");
    has_key_ = false;
  } else {
    if (!is_first_) out_.push_back(',');
    is_first_ = false;
  }
}

void Writer::BeginObject() {
  BeginValue();
  is_complete_ = false;
  out_.push_back('{');
  scopes_.push_back(Scope::kObject);
  is_first_ = true;
}

void Writer::BeginArray() {
  BeginValue();
  is_complete_ = false;
  out_.push_back('[');
  scopes_.push_back(Scope::kArray);
  is_first_ = true;
}

void Writer::EndObject() { End(Scope::kObject, '}'); }
void Writer::EndArray() { End(Scope::kArray, ']'); }

void Writer::End(Scope scope, char bracket) {
  CHECK_MSG(!scopes_.empty() && scopes_.back() == scope, "an end without its begin");
  CHECK_MSG(!has_key_, "a key without its value");
  out_.push_back(bracket);
  scopes_.pop_back();
  is_first_ = false;
  is_complete_ = scopes_.empty();
}

void Writer::Key(std::string_view key) {
  CHECK_MSG(!scopes_.empty() && scopes_.back() == Scope::kObject && !has_key_, "a key stands in an object only");
  if (!is_first_) out_.push_back(',');
  is_first_ = false;
  AppendQuoted(out_, key);
  out_.push_back(':');
  has_key_ = true;
}

void Writer::String(std::string_view text) {
  BeginValue();
  AppendQuoted(out_, text);
}

void Writer::Bool(bool value) {
  BeginValue();
  out_ += value ? "true" : "false";
}

void Writer::Null() {
  BeginValue();
  out_ += "null";
}

void Writer::Number(double value) {
  if (!std::isfinite(value)) return Null();
  BeginValue();
  AppendNumber(out_, value);
}

void Writer::Signed(std::int64_t value) {
  BeginValue();
  AppendNumber(out_, value);
}

void Writer::Unsigned(std::uint64_t value) {
  BeginValue();
  AppendNumber(out_, value);
}

void Writer::Raw(std::string_view json) {
  CHECK(!json.empty());
  BeginValue();
  out_ += json;
}

std::string Writer::Take() && {
  CHECK_MSG(is_complete_, "the JSON text is not complete");
  return std::move(out_);
}

}  // namespace json
