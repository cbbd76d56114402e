#include "libs/channel/whatsapp/split_blocks.h"

#include <algorithm>

namespace channel::whatsapp {
namespace {

constexpr std::string_view kFence = "```";
constexpr std::string_view kOpening = "```\n";
constexpr std::string_view kClosing = "\n```";
constexpr std::string_view kSpaces = " \t\r\n";

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

}  // namespace

std::vector<std::string> SplitKeepingBlocks(std::string_view text, TextLimit limit, std::size_t parts_max) {
  std::vector<std::string> parts = SplitText(text, limit, parts_max);
  const bool is_cut = LengthOf(text, limit.unit) > limit.length_max;
  const auto has_half_a_block = [](std::string_view part) { return EndsOpen(part, /*begins_open=*/false); };
  if (!is_cut || std::ranges::none_of(parts, has_half_a_block)) return parts;

  limit.length_max -= kOpening.size() + kClosing.size();
  parts = SplitText(text, limit, parts_max);
  bool is_open = false;
  for (std::string& part : parts) {
    const bool begins_open = is_open;
    is_open = EndsOpen(part, begins_open);
    CompleteBlocks(begins_open, is_open, part);
  }
  std::erase_if(parts, [](const std::string& part) { return part.empty(); });
  return parts;
}

}  // namespace channel::whatsapp
