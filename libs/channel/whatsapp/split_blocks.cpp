#include "libs/channel/whatsapp/split_blocks.h"

#include <algorithm>

#include "libs/unicode/utf8.h"

namespace channel::whatsapp {
namespace {

constexpr std::string_view kFence = "```";
constexpr std::string_view kOpening = "```\n";
constexpr std::string_view kClosing = "\n```";
constexpr std::string_view kSpaces = " \t\r\n";
constexpr std::string_view kIndentation = " \t";
constexpr std::size_t kIndentationRoomMax = 32;  // of a part; deeper lines get theirs back where the part has room

// Whether the code block that is open before `part`, if any, or one that begins in it, is open behind it.
bool EndsOpen(std::string_view part, bool begins_open) {
  bool is_open = begins_open;
  for (std::size_t line = 0; line != std::string_view::npos;) {
    is_open ^= part.substr(line).starts_with(kFence);
    line = part.find('\n', line);
    if (line != std::string_view::npos) ++line;
  }
  return is_open;
}

// A mark at the cut itself has nothing to open or close on its side: it goes.
void CompleteBlocks(bool begins_open, bool ends_open, std::string& part) {
  if (begins_open && part.starts_with(kFence)) {
    part.erase(0, std::min(part.find_first_not_of(kSpaces, kFence.size()), part.size()));
  } else if (begins_open) {
    part.insert(0, kOpening);
  }
  const std::size_t last_line = part.rfind('\n') + 1;  // npos + 1 is 0
  if (ends_open && part.compare(last_line, std::string::npos, kFence) == 0) {
    part.resize(last_line);
    part.erase(part.find_last_not_of(kSpaces) + 1);
  } else if (ends_open) {
    part += kClosing;
  }
}

// What stands in front of the line that begins at `begin`; empty in the middle of a line.
std::string_view IndentationBefore(std::string_view text, std::size_t begin) {
  const std::string_view before = text.substr(0, begin);
  const std::string_view line = before.substr(before.rfind('\n') + 1);  // npos + 1 is 0
  return line.find_first_not_of(kIndentation) == std::string_view::npos ? line : std::string_view();
}

// What has to stay free in every part, so that its first line gets its indentation back.
std::size_t IndentationRoom(std::string_view text) {
  std::size_t room = 0;
  for (std::size_t line = 0; line < text.size();) {
    const std::size_t end = std::min(text.find_first_not_of(kIndentation, line), text.size());
    room = std::max(room, std::min(end - line, kIndentationRoomMax));
    line = std::min(text.find('\n', end), text.size() - 1) + 1;
  }
  return room;
}

}  // namespace

std::vector<std::string> SplitKeepingBlocks(std::string_view raw, TextLimit limit, std::size_t parts_max) {
  const std::string text = unicode::SanitizeUtf8(raw);
  std::vector<std::string> parts = SplitText(text, limit, parts_max);
  const bool is_cut = LengthOf(text, limit.unit) > limit.length_max;
  const auto has_half_a_block = [](std::string_view part) { return EndsOpen(part, /*begins_open=*/false); };
  if (!is_cut || std::ranges::none_of(parts, has_half_a_block)) return parts;

  TextLimit inner = limit;
  inner.length_max -= kOpening.size() + kClosing.size() + IndentationRoom(text);
  std::vector<std::size_t> begins;
  parts = SplitText(text, inner, parts_max, &begins);
  bool is_open = false;
  for (std::size_t i = 0; i < parts.size(); ++i) {
    std::string& part = parts[i];
    const bool begins_open = is_open;
    const bool begins_inside = begins_open && !part.starts_with(kFence);
    is_open = EndsOpen(part, begins_open);
    CompleteBlocks(begins_open, is_open, part);
    if (!begins_inside) continue;
    // SplitText drops the white space of a cut, but in code that of the next line has a meaning.
    const std::string_view indentation = IndentationBefore(text, begins[i]);
    const bool fits = LengthOf(part, limit.unit) + indentation.size() <= limit.length_max;
    if (fits) part.insert(kOpening.size(), indentation);
  }
  std::erase_if(parts, [](const std::string& part) { return part.empty(); });
  return parts;
}

}  // namespace channel::whatsapp
