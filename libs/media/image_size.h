#pragma once

#include <cstdint>
#include <optional>
#include <string_view>

namespace media {

struct ImageSize {
  std::uint32_t width = 0;   // pixels
  std::uint32_t height = 0;  // pixels

  std::uint64_t pixels() const { return std::uint64_t{width} * height; }
};

// What the header of a PNG, JPEG, GIF or WebP says it decodes to, without decoding anything; nullopt when it has none
// that can be read, or a side of nothing. For a judgement before the first decoder sees the file: a few bytes can say
// a hundred megapixels.
//   type : as SniffType says
// Cost: JPEG walks from segment to segment, at most kSegmentsMax; the others read fixed places.
std::optional<ImageSize> ReadImageSize(std::string_view type, std::string_view bytes);

// Whether files of this type have such a header at all.
bool TellsImageSize(std::string_view type);

}  // namespace media
