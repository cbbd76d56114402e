#pragma once

#include <string>
#include <string_view>
#include <vector>

#include "libs/channel/internal/split_text.h"

namespace channel::whatsapp {

// SplitText of what FormatMarkdown made, in which no part shows half a code block: one that is cut is closed in its
// part and opened again in the next, whose first line keeps its indentation, within the limit. REQUIRES: that of
// TextLimit also without 40 characters: 8 for both marks, and 32 for the indentation.
std::vector<std::string> SplitKeepingBlocks(std::string_view text, TextLimit limit, std::size_t parts_max);

}  // namespace channel::whatsapp
