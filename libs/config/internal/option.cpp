#include "libs/config/internal/option.h"

#include <algorithm>
#include <charconv>
#include <cmath>
#include <limits>
#include <optional>
#include <type_traits>

#include "absl/strings/ascii.h"
#include "absl/strings/str_join.h"
#include "absl/strings/str_split.h"
#include "libs/base/str_cat.h"

namespace config::internal {
namespace {

// Shortest text that reads back as the same number: 0.1 stays 0.1.
std::string NumberText(double value) {
  char buffer[32];
  const auto [end, error] = std::to_chars(buffer, buffer + sizeof buffer, value);
  return std::string(buffer, error == std::errc{} ? end : buffer);
}

bool HasBounds(const OptionSpec& spec) { return spec.min != 0 || spec.max != 0; }

absl::Status NotAllowed(const Option& option) {
  return absl::InvalidArgumentError(base::StrCat("must be ", AllowedText(option.spec, option.target)));
}

template <typename Number>
absl::Status SetNumber(const Option& option, Number* target, std::optional<Number> value) {
  if (!value) return NotAllowed(option);
  const auto compared = static_cast<double>(*value);
  if (HasBounds(option.spec) && (compared < option.spec.min || compared > option.spec.max)) return NotAllowed(option);
  *target = *value;
  return absl::OkStatus();
}

// All of the text must be the number. std::from_chars, because it does not depend on the locale.
template <typename Number>
std::optional<Number> ParseNumber(std::string_view text) {
  Number value = 0;
  const auto [end, error] = std::from_chars(text.data(), text.data() + text.size(), value);
  if (error != std::errc{} || end != text.data() + text.size()) return std::nullopt;
  if (!std::isfinite(static_cast<double>(value))) return std::nullopt;
  return value;
}

std::optional<bool> ParseBool(std::string_view text) {
  if (text == "true" || text == "1") return true;
  if (text == "false" || text == "0") return false;
  return std::nullopt;
}

bool IsChoice(const OptionSpec& spec, std::string_view text) {
  return spec.choices.empty() || std::find(spec.choices.begin(), spec.choices.end(), text) != spec.choices.end();
}

}  // namespace

std::string YamlKeyOf(std::string_view name) {
  std::string key(name);
  std::replace(key.begin(), key.end(), '-', '_');
  return key;
}

std::string EnvironmentOf(std::string_view name) {
  return base::StrCat("MESH_", absl::AsciiStrToUpper(YamlKeyOf(name)));
}

absl::Status SetFromText(Option& option, std::string_view text) {
  return std::visit(
      [&](auto* target) -> absl::Status {
        using Value = std::remove_pointer_t<decltype(target)>;
        if constexpr (std::is_same_v<Value, std::string>) {
          if (!IsChoice(option.spec, text)) return NotAllowed(option);
          *target = std::string(text);
          return absl::OkStatus();
        } else if constexpr (std::is_same_v<Value, bool>) {
          const auto value = ParseBool(text);
          if (!value) return NotAllowed(option);
          *target = *value;
          return absl::OkStatus();
        } else if constexpr (std::is_same_v<Value, double>) {
          return SetNumber(option, target, ParseNumber<double>(text));
        } else if constexpr (std::is_same_v<Value, std::vector<std::string>>) {
          return SetFromItems(option, absl::StrSplit(std::string(text), ',', absl::SkipWhitespace()));
        } else {
          return SetNumber(option, target, ParseNumber<Value>(text));
        }
      },
      option.target);
}

absl::Status SetFromItems(Option& option, std::vector<std::string> items) {
  for (std::string& item : items) {
    absl::StripAsciiWhitespace(&item);
    if (!IsChoice(option.spec, item)) return NotAllowed(option);
  }
  *std::get<std::vector<std::string>*>(option.target) = std::move(items);
  return absl::OkStatus();
}

std::string ValueText(const Option& option) {
  return std::visit(
      [](const auto* value) -> std::string {
        using Value = std::remove_cv_t<std::remove_pointer_t<decltype(value)>>;
        if constexpr (std::is_same_v<Value, std::string>) {
          return *value;
        } else if constexpr (std::is_same_v<Value, bool>) {
          return *value ? "true" : "false";
        } else if constexpr (std::is_same_v<Value, double>) {
          return NumberText(*value);
        } else if constexpr (std::is_same_v<Value, std::vector<std::string>>) {
          return absl::StrJoin(*value, ",");
        } else {
          return std::to_string(*value);
        }
      },
      option.target);
}

std::string AllowedText(const OptionSpec& spec, const OptionTarget& target) {
  const std::string unit = spec.unit.empty() ? "" : base::StrCat(" ", spec.unit);
  const bool is_list = std::holds_alternative<std::vector<std::string>*>(target);
  if (!spec.choices.empty()) {
    return base::StrCat(is_list ? "a comma-separated list of " : "", absl::StrJoin(spec.choices, " | "));
  }
  if (std::holds_alternative<bool*>(target)) return "true | false";
  if (is_list || std::holds_alternative<std::string*>(target)) return spec.unit;
  if (HasBounds(spec)) return base::StrCat(NumberText(spec.min), " to ", NumberText(spec.max), unit);
  if (std::holds_alternative<double*>(target)) return base::StrCat("a number", unit.empty() ? "" : " of", unit);
  return base::StrCat("a whole number", unit.empty() ? "" : " of", unit);
}

}  // namespace config::internal
