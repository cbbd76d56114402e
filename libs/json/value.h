#pragma once

#include <cstddef>
#include <cstdint>
#include <iterator>
#include <memory>
#include <optional>
#include <string>
#include <string_view>
#include <utility>

#include "absl/status/statusor.h"

// Reading JSON (RFC 8259) that others wrote and may change without notice. Parsing is strict, reading is tolerant:
// asking a value for what it is not gives "nothing", so that a chain of lookups needs one check at its end:
//
//   const std::optional<std::string_view> id = root.Find("message").Find("mid").AsString();
namespace json {

enum class Kind {
  kAbsent,  // no such field or item; what a default Value is
  kNull,
  kBool,
  kInteger,  // fits std::int64_t or std::uint64_t
  kDouble,   // written with a fraction or an exponent
  kString,
  kArray,
  kObject,
};

// A view of one value of a Document, 16 bytes, cheap to copy. It must not outlive the Document.
// Threading: reading is safe from several threads at once.
class Value {
 public:
  class Items;
  class Fields;

  Value() = default;  // kAbsent

  Kind kind() const;
  bool exists() const { return document_ != nullptr; }  // null exists
  bool is_null() const { return kind() == Kind::kNull; }
  bool is_string() const { return kind() == Kind::kString; }
  bool is_array() const { return kind() == Kind::kArray; }
  bool is_object() const { return kind() == Kind::kObject; }

  // The field's value; kAbsent when this is no object or has no such key. Of repeated keys the first counts. Cost:
  // linear in the number of fields.
  Value Find(std::string_view key) const;

  Items items() const;       // of an array, in order; empty for everything else
  Fields fields() const;     // of an object, in order, repeated keys included; empty for everything else
  std::size_t size() const;  // items of an array or fields of an object; else 0

  // The text, decoded, valid as long as the Document. NUL is a character like any other. Half a surrogate pair, as
  // phones produce when they cut a name inside an emoji, reads as U+FFFD.
  std::optional<std::string_view> AsString() const;
  std::optional<std::int64_t> AsInt64() const;    // integers in range
  std::optional<std::uint64_t> AsUint64() const;  // integers in range
  std::optional<double> AsDouble() const;         // any number
  std::optional<bool> AsBool() const;

  // The lenient forms, for fields that arrive in both shapes.
  std::optional<std::string> AsStringOrNumber() const;  // a string, or an integer's digits; ids
  std::optional<std::int64_t> AsInt64Lenient() const;   // an integer, or a string that is nothing but one
  std::optional<bool> AsBoolLenient() const;            // true, false, "true" or "false"

  // The value written again, without white space: equal input gives equal text. Not the bytes as they came: escapes and
  // doubles take their shortest form, and a lone surrogate stays U+FFFD. Empty for kAbsent.
  std::string Raw() const;

 private:
  friend class Document;
  Value(const void* document, std::size_t index) : document_(document), index_(index) {}

  const void* document_ = nullptr;  // simdjson::dom::document
  std::size_t index_ = 0;           // into its tape
};

// A range over the items of an array.
class Value::Items {
 public:
  class Iterator {
   public:
    using iterator_category = std::input_iterator_tag;
    using value_type = Value;
    using difference_type = std::ptrdiff_t;
    using pointer = const Value*;
    using reference = Value;

    Value operator*() const { return at_; }
    Iterator& operator++();
    bool operator==(const Iterator& other) const { return at_.index_ == other.at_.index_; }

   private:
    friend class Items;
    explicit Iterator(Value at) : at_(at) {}
    Value at_;
  };

  Iterator begin() const { return Iterator(begin_); }
  Iterator end() const { return Iterator(end_); }

 private:
  friend class Value;
  friend class Iterator;
  Items(Value begin, Value end) : begin_(begin), end_(end) {}
  Value begin_;
  Value end_;
};

// A range over the (key, value) pairs of an object.
class Value::Fields {
 public:
  class Iterator {
   public:
    using iterator_category = std::input_iterator_tag;
    using value_type = std::pair<std::string_view, Value>;
    using difference_type = std::ptrdiff_t;
    using pointer = const value_type*;
    using reference = value_type;

    value_type operator*() const;
    Iterator& operator++();
    bool operator==(const Iterator& other) const { return at_.index_ == other.at_.index_; }

   private:
    friend class Fields;
    explicit Iterator(Value at) : at_(at) {}
    Value at_;  // the key
  };

  Iterator begin() const { return Iterator(begin_); }
  Iterator end() const { return Iterator(end_); }

 private:
  friend class Value;
  Fields(Value begin, Value end) : begin_(begin), end_(end) {}
  Value begin_;
  Value end_;
};

// Why a text is no document.
enum class ParseError { kNotJson, kTooDeep, kNotUtf8, kTooLarge, kCount };
std::string_view ToString(ParseError error);  // "not_json", ...; may be a metric label

struct ParseLimits {
  std::size_t depth_max = 32;        // arrays and objects inside each other; the innermost may hold empty ones
  std::size_t bytes_max = 4u << 20;  // parsing takes about 14 bytes of memory for each, a Document keeps about 10
};

// A parsed text and all its values. Movable; Values stay valid across a move.
class Document {
 public:
  // InvalidArgument, whose message is the name of a ParseError. A number that neither 64 bits nor a double can hold is
  // kNotJson.
  static absl::StatusOr<Document> Parse(std::string_view bytes, const ParseLimits& limits = {});

  Document(Document&&) noexcept;
  Document& operator=(Document&&) noexcept;
  ~Document();

  Value root() const;

 private:
  struct Rep;
  explicit Document(std::unique_ptr<Rep> rep);
  std::unique_ptr<Rep> rep_;
};

}  // namespace json
