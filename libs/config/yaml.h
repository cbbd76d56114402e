#pragma once

#include <string>
#include <string_view>
#include <utility>
#include <vector>

#include "absl/status/statusor.h"

namespace config {

// A YAML document as plain values, so that no other library sees the YAML parser. Scalars stay text. Left out on
// purpose: aliases (a small file could stand for a huge value), keys that are not scalars, more than one document.
struct YamlNode {
  enum class Kind { kNull, kScalar, kList, kMap };
  Kind kind = Kind::kNull;
  std::string scalar;
  std::vector<YamlNode> items;
  std::vector<std::pair<std::string, YamlNode>> fields;  // in file order; a repeated key is a parse error
  int line = 0;                                          // 1-based, for messages

  const YamlNode* Find(std::string_view key) const;  // nullptr when absent or not a map
};

// At most 1 MiB of UTF-8 and 32 levels of lists and maps. InvalidArgument with line and column.
absl::StatusOr<YamlNode> ParseYaml(std::string_view text);
// The same, with the path before each message; NotFound when there is no such file.
absl::StatusOr<YamlNode> ParseYamlFile(const std::string& path);

}  // namespace config
