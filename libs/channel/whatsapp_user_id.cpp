#include "libs/channel/whatsapp_user_id.h"

#include <algorithm>

namespace channel::whatsapp {
namespace {

constexpr std::size_t kCountrySize = 2;  // ISO 3166-1 alpha-2

bool IsUpper(char c) { return c >= 'A' && c <= 'Z'; }

}  // namespace

UserId ReadUserId(std::string_view user) {
  const std::string_view number = user.substr(user.starts_with('+') ? 1 : 0);
  if (!number.empty() && number.find_first_not_of("0123456789") == std::string_view::npos) {
    return {.kind = UserId::Kind::kNumber, .number = number};
  }
  const std::string_view country = user.substr(0, kCountrySize);
  const bool is_scoped =
      user.size() > kCountrySize + 1 && user[kCountrySize] == '.' && std::ranges::all_of(country, IsUpper);
  if (is_scoped) return {.kind = UserId::Kind::kScoped, .country = country};
  return {};
}

}  // namespace channel::whatsapp
