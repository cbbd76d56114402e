#include "services/meshctl/user_id.h"

#include <algorithm>

#include "libs/base/str_cat.h"
#include "libs/channel/whatsapp_user_id.h"

namespace meshctl {

absl::StatusOr<std::string> UserFrom(mesh::bus::v1::Channel channel, std::string_view text) {
  const bool has_blank = std::ranges::any_of(text, [](unsigned char c) { return c <= ' ' || c == 0x7F; });
  if (channel != mesh::bus::v1::CHANNEL_WHATSAPP) {
    if (!text.empty() && !has_blank) return std::string(text);
    return absl::InvalidArgumentError(base::StrCat("--from='", text, "' is no user's id: it is empty or has spaces"));
  }
  const channel::whatsapp::UserId user = channel::whatsapp::ReadUserId(text);
  if (user.kind == channel::whatsapp::UserId::Kind::kNumber) return std::string(user.number);
  if (user.kind == channel::whatsapp::UserId::Kind::kScoped && !has_blank) return std::string(text);
  return absl::InvalidArgumentError(
      base::StrCat("--from='", text, "' is no user of WhatsApp: digits alone, with the country code (15551234567), ",
                   "or a business-scoped id (US.1349...)"));
}

bool IsKnown(const mesh::session::v1::GetSessionResponse& stored) {
  return stored.turns_size() > 0 || stored.paused() || stored.opted_out();
}

}  // namespace meshctl
