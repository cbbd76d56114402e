// Any text keeps SplitText's promises. An input is two bytes that choose the channel's limit, the parts that are
// allowed and how much text there is, then a piece of text that is repeated so far: a short input reaches every limit,
// and the ellipsis of the last part.
#include <algorithm>
#include <cstddef>
#include <cstdint>
#include <string>
#include <string_view>

#include "libs/base/check.h"
#include "libs/channel/internal/split_text.h"
#include "tests/libs/channel/split_contract.h"

namespace {

constexpr channel::TextLimit kLimits[] = {channel::kWhatsAppTextLimit,
                                          channel::kMessengerTextLimit,
                                          channel::kInstagramTextLimit,
                                          {channel::LengthUnit::kBytes, 264}};
constexpr std::size_t kPartsMax[] = {channel::kTextPartsMax, 1, 2, 3};

// `piece` once, or as often as it takes to fill that many parts.
std::string Fill(std::string_view piece, channel::TextLimit limit, std::size_t parts) {
  std::string text(piece);
  if (piece.empty()) return text;
  // Of ill-formed bytes each becomes a code point, so this is never too little.
  const std::size_t piece_length = std::max<std::size_t>(1, channel::LengthOf(piece, limit.unit));
  const std::size_t wanted = parts * limit.length_max / piece_length;
  for (std::size_t count = 0; count < wanted; ++count) text += piece;
  return text;
}

}  // namespace

extern "C" int LLVMFuzzerTestOneInput(const std::uint8_t* data, std::size_t size) {
  if (size < 2) return 0;
  const channel::TextLimit limit = kLimits[data[0] % 4];
  const std::size_t parts_max = kPartsMax[data[0] / 4 % 4];
  const std::size_t parts_filled[] = {0, 1, 2, parts_max};
  const std::string_view piece(reinterpret_cast<const char*>(data) + 2, size - 2);
  const std::string text = Fill(piece, limit, parts_filled[data[1] % 4]);
  const std::string broken = channel::BrokenPromise(channel::SplitText(text, limit, parts_max), text, limit, parts_max);
  CHECK_MSG(broken.empty(), broken);
  return 0;
}
