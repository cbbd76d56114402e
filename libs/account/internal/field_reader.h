#pragma once

#include <cstddef>
#include <cstdint>
#include <functional>
#include <string>
#include <string_view>
#include <vector>

#include "libs/config/yaml.h"
#include "libs/crypto/secret.h"

namespace account::internal {

// Mistakes found in one file, as "path:line: what".
class Mistakes {
 public:
  explicit Mistakes(std::string path) : path_(std::move(path)) {}

  void Add(int line, std::string_view what);
  const std::vector<std::string>& list() const { return list_; }

 private:
  const std::string path_;
  std::vector<std::string> list_;
};

struct TextRule {
  bool required = false;  // the value, given or default, must not be empty
  std::size_t bytes_max = 128;
  // Every character must be one of these; empty for any text.
  std::string_view characters = {};
  std::vector<std::string> choices = {};
};

// Reads the fields of one YAML map, each at most once, into typed members, and notes what is wrong instead of stopping,
// so that an operator sees all mistakes of a file at once. A member keeps its default where the field is absent or
// wrong.
class FieldReader {
 public:
  // REQUIRES: map.kind is kMap
  FieldReader(const config::YamlNode& map, std::string folder, Mistakes& mistakes)
      : map_(map), folder_(std::move(folder)), mistakes_(mistakes) {}

  void Text(std::string_view key, std::string* target, const TextRule& rule);
  // One text or a list of them, none empty; `key:` without a value is an empty list.
  void Texts(std::string_view key, std::vector<std::string>* target, std::size_t count_max, std::size_t bytes_max);
  void Bool(std::string_view key, bool* target);
  void Int(std::string_view key, std::int32_t* target, std::int32_t min, std::int32_t max);
  void Number(std::string_view key, double* target, double min, double max);

  // One path, or a list of at most `count_max`; relative paths start at the YAML file's folder. Absent and required is
  // a mistake. Each path is also appended to `files`, a wrong one too.
  void Secrets(std::string_view key, bool required, std::size_t count_max, std::vector<crypto::Secret>* secrets,
               std::vector<std::string>* files);

  // The fields of a map within the map; `read` is not called where it is absent.
  void Map(std::string_view key, const std::function<void(FieldReader& fields)>& read);

  void RefuseUnknownKeys();  // call last: whatever was not read by then is unknown

  void Mistake(std::string_view key, std::string_view what);  // at the line of the field, or of the map when absent

 private:
  // nullptr when absent; notes that `key` is known.
  const config::YamlNode* Take(std::string_view key);
  const std::string* Scalar(std::string_view key);  // nullptr when absent or not a scalar, which it notes

  const config::YamlNode& map_;
  const std::string folder_;
  Mistakes& mistakes_;
  std::vector<std::string> known_;
};

}  // namespace account::internal
