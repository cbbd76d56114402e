#include "libs/session/user_text.h"

#include "libs/base/str_cat.h"
#include "libs/session/validate.h"

namespace session {

std::string UserText(const mesh::bus::v1::Turn& turn) {
  if (!turn.text().empty()) return HistoryText(turn.text());
  return base::StrCat("[The user sent something without text: ", turn.type().empty() ? "unknown" : turn.type(), "]");
}

std::string HistoryText(std::string_view text) {
  if (text.size() <= kTextBytesMax) return std::string(text);
  const auto is_continuation = [](char byte) { return (static_cast<unsigned char>(byte) & 0xC0) == 0x80; };
  std::size_t end = kTextBytesMax;
  while (end > 0 && is_continuation(text[end])) --end;
  return std::string(text.substr(0, end));
}

}  // namespace session
