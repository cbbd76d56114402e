#include "libs/media/store.h"

#include "libs/base/check.h"
#include "libs/base/hex.h"
#include "libs/base/str_cat.h"

namespace media {

absl::StatusOr<std::string> StoreKey::Path() const {
  CHECK(turn_id.size() == 32 && index < kFilesPerTurnMax);
  constexpr std::string_view kCharacters =
      "abcdefghijklmnopqrstuvwxyzABCDEFGHIJKLMNOPQRSTUVWXYZ0123456789-._~";  // a URL carries them as they are
  if (tenant.empty() || tenant.find_first_not_of(kCharacters) != std::string::npos) {
    return absl::InvalidArgumentError("media store: a tenant's name cannot stand in a path");
  }
  const std::string turn = base::ToHex(turn_id);
  return base::StrCat("t_", tenant, "/", turn.substr(0, 2), "/", turn, "-", index);
}

}  // namespace media
