#include "services/meshctl/user_id.h"

#include <algorithm>

#include "libs/base/str_cat.h"

namespace meshctl {
namespace {

bool IsDigits(std::string_view text) {
  return !text.empty() && text.find_first_not_of("0123456789") == std::string_view::npos;
}

bool IsLetter(char c) { return (c >= 'A' && c <= 'Z') || (c >= 'a' && c <= 'z'); }

bool IsBusinessScoped(std::string_view text) {
  return text.size() > 3 && IsLetter(text[0]) && IsLetter(text[1]) && text[2] == '.';
}

}  // namespace

absl::StatusOr<std::string> UserFrom(mesh::bus::v1::Channel channel, std::string_view text) {
  const bool is_whatsapp = channel == mesh::bus::v1::CHANNEL_WHATSAPP;
  const bool has_blank = std::ranges::any_of(text, [](unsigned char c) { return c <= ' ' || c == 0x7F; });
  std::string_view user = text;
  if (is_whatsapp && user.starts_with('+')) user.remove_prefix(1);
  const bool is_plausible = is_whatsapp ? IsDigits(user) || (user == text && IsBusinessScoped(user)) : !user.empty();
  if (!has_blank && is_plausible) return std::string(user);
  if (!is_whatsapp) {
    return absl::InvalidArgumentError(base::StrCat("--from='", text, "' is no user's id: it is empty or has spaces"));
  }
  return absl::InvalidArgumentError(
      base::StrCat("--from='", text, "' is no user of WhatsApp: digits alone, with the country code (15551234567), ",
                   "or a business-scoped id (US.1349...)"));
}

bool IsKnown(const mesh::session::v1::GetSessionResponse& stored) {
  return stored.turns_size() > 0 || stored.paused() || stored.opted_out();
}

}  // namespace meshctl
