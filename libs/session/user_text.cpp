#include "libs/session/user_text.h"

#include <algorithm>

#include "libs/attachment/file_kind.h"
#include "libs/base/str_cat.h"
#include "libs/session/validate.h"

namespace session {
namespace {

using attachment::kTheUserSent;

// "\n[The user sent with it: image, document]", or nothing. What is no file (locations, cards, link previews) is in the
// text already, as far as it can be.
std::string FilesSentence(const mesh::bus::v1::Turn& turn) {
  std::string types;
  for (const mesh::bus::v1::Attachment& attachment : turn.attachments()) {
    if (attachment::KindOf(attachment.type()) == attachment::Kind::kNone) continue;
    types += base::StrCat(types.empty() ? "" : ", ", attachment.type());
  }
  return types.empty() ? "" : base::StrCat("\n", kTheUserSent, "with it: ", types, "]");
}

std::string_view WholeCodePoints(std::string_view text, std::size_t bytes_max) {
  if (text.size() <= bytes_max) return text;
  const auto is_continuation = [](char byte) { return (static_cast<unsigned char>(byte) & 0xC0) == 0x80; };
  std::size_t end = bytes_max;
  while (end > 0 && is_continuation(text[end])) --end;
  return text.substr(0, end);
}

}  // namespace

std::string UserText(const mesh::bus::v1::Turn& turn) {
  if (turn.text().empty()) {
    return base::StrCat(kTheUserSent, "something without text: ", turn.type().empty() ? "unknown" : turn.type(), "]");
  }
  const std::string files = FilesSentence(turn);
  const std::size_t room = kTextBytesMax - std::min(files.size(), kTextBytesMax);
  return HistoryText(base::StrCat(WholeCodePoints(turn.text(), room), files));
}

bool MayNameFiles(std::string_view user_text) {
  return user_text.empty() || user_text.find(kTheUserSent) != std::string_view::npos;
}

std::string HistoryText(std::string_view text) { return std::string(WholeCodePoints(text, kTextBytesMax)); }

}  // namespace session
