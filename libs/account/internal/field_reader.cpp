#include "libs/account/internal/field_reader.h"

#include <algorithm>
#include <charconv>
#include <cmath>
#include <optional>
#include <utility>

#include "absl/strings/str_join.h"
#include "libs/base/str_cat.h"
#include "libs/config/nearest_name.h"

namespace account::internal {
namespace {

using config::YamlNode;

template <typename T>
std::optional<T> ParseAll(std::string_view text) {
  T value = 0;
  const auto [end, error] = std::from_chars(text.data(), text.data() + text.size(), value);
  if (error != std::errc() || end != text.data() + text.size()) return std::nullopt;
  return value;
}

std::string NumberText(double value) {
  char buffer[32];
  return std::string(buffer, std::to_chars(buffer, buffer + sizeof buffer, value).ptr);
}

}  // namespace

void Mistakes::Add(int line, std::string_view what) { list_.push_back(base::StrCat(path_, ":", line, ": ", what)); }

const YamlNode* FieldReader::Take(std::string_view key) {
  known_.emplace_back(key);
  return map_.Find(key);
}

const std::string* FieldReader::Scalar(std::string_view key) {
  const YamlNode* const node = Take(key);
  if (node == nullptr) return nullptr;
  if (node->kind == YamlNode::Kind::kScalar) return &node->scalar;
  mistakes_.Add(node->line, base::StrCat(key, ": must be one value"));
  return nullptr;
}

void FieldReader::Text(std::string_view key, std::string* target, const TextRule& rule) {
  const YamlNode* const node = map_.Find(key);
  // `key:` without a value is the natural way to write an empty text.
  const bool is_null = node != nullptr && node->kind == YamlNode::Kind::kNull;
  const std::string empty;
  const std::string* const text = is_null ? (Take(key), &empty) : Scalar(key);
  if (text == nullptr) {
    if (rule.required && node == nullptr && target->empty()) Mistake(key, "is missing");
    return;
  }
  if (rule.required && text->empty()) return Mistake(key, "must not be empty");
  if (text->size() > rule.bytes_max) return Mistake(key, base::StrCat("is longer than ", rule.bytes_max, " bytes"));
  if (!rule.characters.empty() && text->find_first_not_of(rule.characters) != std::string::npos) {
    return Mistake(key, "may only hold letters, digits and . _ -");
  }
  if (!rule.choices.empty() && std::find(rule.choices.begin(), rule.choices.end(), *text) == rule.choices.end()) {
    return Mistake(key, base::StrCat("\"", *text, "\" must be ", absl::StrJoin(rule.choices, " | ")));
  }
  *target = *text;
}

void FieldReader::Texts(std::string_view key, std::vector<std::string>* target, std::size_t count_max,
                        std::size_t bytes_max) {
  const YamlNode* const node = Take(key);
  if (node == nullptr) return;
  std::vector<YamlNode> items = node->items;
  if (node->kind == YamlNode::Kind::kScalar) items = {*node};
  if (node->kind == YamlNode::Kind::kMap) return Mistake(key, "must be a list");
  if (items.size() > count_max) return Mistake(key, base::StrCat("has more than ", count_max, " entries"));
  std::vector<std::string> texts;
  for (const YamlNode& item : items) {
    if (item.kind != YamlNode::Kind::kScalar || item.scalar.empty() || item.scalar.size() > bytes_max) {
      mistakes_.Add(item.line, base::StrCat(key, ": each entry must be a text of 1 to ", bytes_max, " bytes"));
    } else {
      texts.push_back(item.scalar);
    }
  }
  *target = std::move(texts);
}

void FieldReader::Bool(std::string_view key, bool* target) {
  const std::string* const text = Scalar(key);
  if (text == nullptr) return;
  if (*text != "true" && *text != "false") return Mistake(key, "must be true | false");
  *target = *text == "true";
}

void FieldReader::Int(std::string_view key, std::int32_t* target, std::int32_t min, std::int32_t max) {
  const std::string* const text = Scalar(key);
  if (text == nullptr) return;
  const auto value = ParseAll<std::int32_t>(*text);
  if (!value || *value < min || *value > max) {
    return Mistake(key, base::StrCat("\"", *text, "\" must be a whole number, ", min, " to ", max));
  }
  *target = *value;
}

void FieldReader::Number(std::string_view key, double* target, double min, double max) {
  const std::string* const text = Scalar(key);
  if (text == nullptr) return;
  const auto value = ParseAll<double>(*text);
  if (!value || !std::isfinite(*value) || *value < min || *value > max) {
    return Mistake(key, base::StrCat("\"", *text, "\" must be a number, ", NumberText(min), " to ", NumberText(max)));
  }
  *target = *value;
}

void FieldReader::Secrets(std::string_view key, bool required, std::size_t count_max,
                          std::vector<crypto::Secret>* secrets, std::vector<std::string>* files) {
  const YamlNode* const node = Take(key);
  if (node == nullptr) {
    if (required) Mistake(key, "is missing");
    return;
  }
  const bool is_list = node->kind == YamlNode::Kind::kList;
  const std::vector<YamlNode> paths = is_list ? node->items : std::vector<YamlNode>{*node};
  if (paths.empty() || paths.size() > count_max) {
    return Mistake(key, base::StrCat("must name ", count_max == 1 ? "one file" : "one or two files"));
  }
  for (const YamlNode& path : paths) {
    if (path.kind != YamlNode::Kind::kScalar || path.scalar.empty()) {
      mistakes_.Add(path.line, base::StrCat(key, ": must be the path of a file"));
      continue;
    }
    std::string file = path.scalar.front() == '/' ? path.scalar : folder_ + path.scalar;
    absl::StatusOr<crypto::Secret> secret = crypto::Secret::FromFile(file);
    if (secret.ok()) {
      secrets->push_back(*std::move(secret));
    } else {
      mistakes_.Add(path.line, base::StrCat(key, ": ", secret.status().message()));
    }
    files->push_back(std::move(file));
  }
}

void FieldReader::Map(std::string_view key, const std::function<void(FieldReader& fields)>& read) {
  const YamlNode* const node = Take(key);
  if (node == nullptr || node->kind == YamlNode::Kind::kNull) return;
  if (node->kind != YamlNode::Kind::kMap) return Mistake(key, "must be a map");
  FieldReader fields(*node, folder_, mistakes_);
  read(fields);
  fields.RefuseUnknownKeys();
}

void FieldReader::RefuseUnknownKeys() {
  for (const auto& [key, node] : map_.fields) {
    if (std::find(known_.begin(), known_.end(), key) != known_.end()) continue;
    const std::string_view nearest = config::NearestName(key, known_);
    const std::string hint = nearest.empty() ? "" : base::StrCat("; did you mean ", nearest, "?");
    mistakes_.Add(node.line, base::StrCat("unknown key ", key, hint));
  }
}

void FieldReader::Mistake(std::string_view key, std::string_view what) {
  const YamlNode* const node = map_.Find(key);
  mistakes_.Add(node != nullptr ? node->line : map_.line, base::StrCat(key, ": ", what));
}

}  // namespace account::internal
