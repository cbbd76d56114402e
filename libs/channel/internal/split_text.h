#pragma once

#include <cstddef>
#include <string>
#include <string_view>
#include <vector>

#include "libs/channel/codec.h"

namespace channel {

// How a channel counts the length of a text message: channels.md 3.4.
enum class LengthUnit { kCodePoints, kBytes };

struct TextLimit {
  LengthUnit unit = LengthUnit::kCodePoints;
  std::size_t length_max = 0;  // REQUIRES: more than unicode::kGraphemeBytesMax + 3, so that any cluster fits
};

inline constexpr TextLimit kWhatsAppTextLimit{LengthUnit::kCodePoints, 4096};
inline constexpr TextLimit kMessengerTextLimit{LengthUnit::kCodePoints, 2000};
inline constexpr TextLimit kInstagramTextLimit{LengthUnit::kBytes,
                                               1000};  // bytes, whatever the documentation's other page says

std::size_t LengthOf(std::string_view text, LengthUnit unit);

// Codec::Split for any limit. Pure; linear in the text (each part scans at most its own length and the white space
// behind it). Ill-formed UTF-8 is replaced by U+FFFD first, because no channel takes it. `begins`, if any, is told
// where in the text that this makes each part begins.
std::vector<std::string> SplitText(std::string_view text, TextLimit limit, std::size_t parts_max = kTextPartsMax,
                                   std::vector<std::size_t>* begins = nullptr);

// `text`, or as much of it as fits with an ellipsis, cut between two graphemes. A limit below 4 bytes cannot hold one.
std::string CutText(std::string_view text, TextLimit limit);

}  // namespace channel
