#include "libs/config/host_name.h"

#include <cstddef>

namespace config {
namespace {

constexpr std::size_t kNameBytesMax = 253;
constexpr std::size_t kLabelBytesMax = 63;

bool IsLabel(std::string_view label) {
  constexpr std::string_view kCharacters = "abcdefghijklmnopqrstuvwxyz0123456789-";
  return !label.empty() && label.size() <= kLabelBytesMax && !label.starts_with('-') && !label.ends_with('-') &&
         label.find_first_not_of(kCharacters) == std::string_view::npos;
}

}  // namespace

bool IsHostName(std::string_view text) {
  if (text.size() > kNameBytesMax) return false;
  std::size_t labels = 1;
  for (std::size_t dot = 0; (dot = text.find('.')) != std::string_view::npos; text.remove_prefix(dot + 1), ++labels) {
    if (!IsLabel(text.substr(0, dot))) return false;
  }
  return labels >= 2 && IsLabel(text) && text.find_first_not_of("0123456789") != std::string_view::npos;
}

}  // namespace config
