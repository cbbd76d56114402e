#include "libs/json/value.h"

#include <simdjson.h>

#include <algorithm>
#include <charconv>

#include "absl/status/status.h"
#include "libs/base/check.h"
#include "libs/json/internal/lone_surrogate.h"
#include "libs/json/writer.h"

// A Value is a place on simdjson's tape. The tape is read through tape_ref, which is what simdjson's own element class
// wraps; wrapping element instead would need its header in ours.
namespace json {
namespace {

using simdjson::internal::tape_ref;
using simdjson::internal::tape_type;

constexpr std::size_t kRootIndex = 1;  // index 0 holds the tape's own start mark

tape_ref At(const void* document, std::size_t index) {
  return tape_ref(static_cast<const simdjson::dom::document*>(document), index);
}

// An exact size is kept in the tape up to this; beyond, items must be counted.
constexpr std::size_t kSizeSaturated = 0xFFFFFF;

template <typename Integer>
std::optional<Integer> ParseWhole(std::string_view text) {
  Integer number = 0;
  const auto [end, error] = std::from_chars(text.data(), text.data() + text.size(), number);
  if (error != std::errc() || end != text.data() + text.size()) return std::nullopt;
  return number;
}

void WriteValue(const Value& value, Writer& writer) {
  switch (value.kind()) {
    case Kind::kAbsent:
    case Kind::kNull:
      return writer.Null();
    case Kind::kBool:
      return writer.Bool(*value.AsBool());
    case Kind::kInteger:
      if (const auto number = value.AsInt64()) return writer.Number(*number);
      return writer.Number(*value.AsUint64());
    case Kind::kDouble:
      return writer.Number(*value.AsDouble());
    case Kind::kString:
      return writer.String(*value.AsString());
    case Kind::kArray:
      writer.BeginArray();
      for (const Value item : value.items()) WriteValue(item, writer);
      return writer.EndArray();
    case Kind::kObject:
      writer.BeginObject();
      for (const auto& [key, field] : value.fields()) {
        writer.Key(key);
        WriteValue(field, writer);
      }
      return writer.EndObject();
  }
}

absl::Status Refused(ParseError error) { return absl::InvalidArgumentError(std::string(ToString(error))); }

absl::Status Refused(simdjson::error_code error) {
  switch (error) {
    case simdjson::CAPACITY:
      return Refused(ParseError::kTooLarge);
    case simdjson::DEPTH_ERROR:
      return Refused(ParseError::kTooDeep);
    case simdjson::UTF8_ERROR:
      return Refused(ParseError::kNotUtf8);
    default:
      return Refused(ParseError::kNotJson);
  }
}

}  // namespace

std::string_view ToString(ParseError error) {
  static constexpr std::string_view kNames[] = {"not_json", "too_deep", "not_utf8", "too_large"};
  static_assert(std::size(kNames) == static_cast<std::size_t>(ParseError::kCount));
  return kNames[static_cast<std::size_t>(error)];
}

Kind Value::kind() const {
  if (!exists()) return Kind::kAbsent;
  switch (At(document_, index_).tape_ref_type()) {
    case tape_type::START_OBJECT:
      return Kind::kObject;
    case tape_type::START_ARRAY:
      return Kind::kArray;
    case tape_type::STRING:
      return Kind::kString;
    case tape_type::INT64:
    case tape_type::UINT64:
      return Kind::kInteger;
    case tape_type::DOUBLE:
      return Kind::kDouble;
    case tape_type::TRUE_VALUE:
    case tape_type::FALSE_VALUE:
      return Kind::kBool;
    case tape_type::NULL_VALUE:
      return Kind::kNull;
    default:
      CHECK_MSG(false, "a view points at no value");
      return Kind::kAbsent;
  }
}

Value Value::Find(std::string_view key) const {
  for (const auto& [name, value] : fields()) {
    if (name == key) return value;
  }
  return Value();
}

Value::Items Value::items() const {
  if (!is_array()) return Items(Value(), Value());
  const std::size_t end = At(document_, index_).after_element() - 1;
  return Items(Value(document_, index_ + 1), Value(document_, end));
}

Value::Fields Value::fields() const {
  if (!is_object()) return Fields(Value(), Value());
  const std::size_t end = At(document_, index_).after_element() - 1;
  return Fields(Value(document_, index_ + 1), Value(document_, end));
}

std::size_t Value::size() const {
  if (!is_array() && !is_object()) return 0;
  const std::size_t size = At(document_, index_).scope_count();
  if (size < kSizeSaturated) return size;
  std::size_t counted = 0;
  for ([[maybe_unused]] const Value item : items()) ++counted;
  for ([[maybe_unused]] const auto& field : fields()) ++counted;
  return counted;
}

std::optional<std::string_view> Value::AsString() const {
  if (kind() != Kind::kString) return std::nullopt;
  return At(document_, index_).get_string_view();
}

std::optional<std::int64_t> Value::AsInt64() const {
  // simdjson's tape holds as UINT64 only what is above the signed range.
  if (!exists() || !At(document_, index_).is_int64()) return std::nullopt;
  return At(document_, index_).next_tape_value<std::int64_t>();
}

std::optional<std::uint64_t> Value::AsUint64() const {
  if (exists() && At(document_, index_).is_uint64()) return At(document_, index_).next_tape_value<std::uint64_t>();
  const std::optional<std::int64_t> number = AsInt64();
  if (!number || *number < 0) return std::nullopt;
  return static_cast<std::uint64_t>(*number);
}

std::optional<double> Value::AsDouble() const {
  if (kind() == Kind::kDouble) return At(document_, index_).next_tape_value<double>();
  if (const auto number = AsInt64()) return static_cast<double>(*number);
  if (const auto number = AsUint64()) return static_cast<double>(*number);
  return std::nullopt;
}

std::optional<bool> Value::AsBool() const {
  if (kind() != Kind::kBool) return std::nullopt;
  return At(document_, index_).is_true();
}

std::optional<std::string> Value::AsStringOrNumber() const {
  if (const auto text = AsString()) return std::string(*text);
  if (const auto number = AsInt64()) return std::to_string(*number);
  if (const auto number = AsUint64()) return std::to_string(*number);
  return std::nullopt;
}

std::optional<std::int64_t> Value::AsInt64Lenient() const {
  if (const auto text = AsString()) return ParseWhole<std::int64_t>(*text);
  return AsInt64();
}

std::optional<bool> Value::AsBoolLenient() const {
  const auto text = AsString();
  if (text == "true") return true;
  if (text == "false") return false;
  return AsBool();
}

std::string Value::Raw() const {
  if (!exists()) return {};
  Writer writer;
  WriteValue(*this, writer);
  return std::move(writer).Take();
}

Value::Items::Iterator& Value::Items::Iterator::operator++() {
  at_.index_ = At(at_.document_, at_.index_).after_element();
  return *this;
}

Value::Fields::Iterator::value_type Value::Fields::Iterator::operator*() const {
  // A key takes one place on the tape, its value follows.
  return {At(at_.document_, at_.index_).get_string_view(), Value(at_.document_, at_.index_ + 1)};
}

Value::Fields::Iterator& Value::Fields::Iterator::operator++() {
  at_.index_ = At(at_.document_, at_.index_ + 1).after_element();
  return *this;
}

struct Document::Rep {
  simdjson::dom::document document;  // the tape and the decoded strings; the text itself is not needed any more
};

Document::Document(std::unique_ptr<Rep> rep) : rep_(std::move(rep)) {}
Document::Document(Document&&) noexcept = default;
Document& Document::operator=(Document&&) noexcept = default;
Document::~Document() = default;

absl::StatusOr<Document> Document::Parse(std::string_view bytes, const ParseLimits& limits) {
  if (bytes.size() > limits.bytes_max) return Refused(ParseError::kTooLarge);
  std::string repaired;
  if (internal::ReplaceLoneSurrogates(bytes, repaired)) bytes = repaired;

  // A parser of its own for each text: its work space is several times the text, and one kept by each thread would keep
  // that of the largest text ever seen.
  const std::size_t capacity = std::max(bytes.size(), simdjson::dom::MINIMAL_DOCUMENT_CAPACITY);
  simdjson::dom::parser parser(capacity);
  if (const simdjson::error_code error = parser.allocate(capacity, limits.depth_max + 1)) {
    return Refused(error);
  }
  auto rep = std::make_unique<Rep>();
  const simdjson::error_code error = parser.parse_into_document(rep->document, bytes.data(), bytes.size()).error();
  if (error != simdjson::SUCCESS) return Refused(error);
  return Document(std::move(rep));
}

Value Document::root() const {
  CHECK_MSG(rep_ != nullptr, "this document was moved from");
  return Value(&rep_->document, kRootIndex);
}

}  // namespace json
