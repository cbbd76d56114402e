#include "libs/channel/unusable.h"

#include <array>
#include <vector>

#include "libs/json/value.h"

namespace channel {
namespace {

constexpr std::array<std::string_view, static_cast<std::size_t>(Unusable::kCount)> kNames = {
    "wrong_object",
    "entry_not_an_object",
    "changes_not_a_list",
    "change_not_an_object",
    "value_not_an_object",
    "messages_not_a_list",
    "statuses_not_a_list",
    "errors_not_a_list",
    "message_echoes_not_a_list",
    "items_not_a_list",
    "item_not_an_object",
    "no_account",
    "no_sender"};
static_assert(!kNames.back().empty(), "a reason without a name");

}  // namespace

std::string_view ToString(Unusable reason) { return kNames[static_cast<std::size_t>(reason)]; }

std::span<const std::string_view> UnusableReasons() {
  static const auto& reasons = *new const std::vector<std::string_view>([] {
    std::vector<std::string_view> all(kNames.begin(), kNames.end());
    for (int error = 0; error < static_cast<int>(json::ParseError::kCount); ++error) {
      all.push_back(json::ToString(static_cast<json::ParseError>(error)));
    }
    return all;
  }());
  return reasons;
}

}  // namespace channel
