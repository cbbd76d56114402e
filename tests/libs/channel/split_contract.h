#pragma once

#include <cstddef>
#include <string>
#include <string_view>
#include <vector>

#include "libs/channel/internal/split_text.h"

namespace channel {

// What SplitText promises (Codec::Split), of `parts` made of `text`: which of it is broken, or "". For the unit test
// and the fuzz target.
std::string BrokenPromise(const std::vector<std::string>& parts, std::string_view text, TextLimit limit,
                          std::size_t parts_max = kTextPartsMax);

}  // namespace channel
