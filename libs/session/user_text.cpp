#include "libs/session/user_text.h"

#include "libs/base/str_cat.h"

namespace session {

std::string UserText(const mesh::bus::v1::Turn& turn) {
  if (!turn.text().empty()) return turn.text();
  return base::StrCat("[The user sent something without text: ", turn.type().empty() ? "unknown" : turn.type(), "]");
}

}  // namespace session
