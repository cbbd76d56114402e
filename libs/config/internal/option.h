#pragma once

#include <cstdint>
#include <string>
#include <string_view>
#include <utility>
#include <variant>
#include <vector>

#include "absl/status/status.h"
#include "libs/config/option_table.h"

namespace config::internal {

using OptionTarget =
    std::variant<std::string*, std::int64_t*, std::int32_t*, double*, bool*, std::vector<std::string>*>;

// One row of the table.
struct Option {
  std::string name;  // kebab: "kafka-brokers"
  OptionTarget target;
  OptionSpec spec;
  std::string default_text;
  std::string source = "default";  // where the present value came from, as --print-config shows it

  bool is_flag() const { return std::holds_alternative<bool*>(target); }
  bool is_list() const { return std::holds_alternative<std::vector<std::string>*>(target); }
};

std::string YamlKeyOf(std::string_view name);      // kafka_brokers
std::string EnvironmentOf(std::string_view name);  // MESH_KAFKA_BROKERS

// Parses `text`, checks it against the spec and stores it. The message says what is allowed; the caller adds which
// option and source it was.
absl::Status SetFromText(Option& option, std::string_view text);
absl::Status SetFromItems(Option& option, std::vector<std::string> items);  // REQUIRES: option.is_list()

std::string ValueText(const Option& option);  // as a flag would be given; lists joined by commas
std::string AllowedText(const OptionSpec& spec, const OptionTarget& target);  // "16 to 1048576 blocks", "a | b", ""

}  // namespace config::internal
