#include "libs/media/image_size.h"

#include <algorithm>
#include <cstddef>
#include <iterator>

namespace media {
namespace {

constexpr int kSegmentsMax = 4096;  // of a JPEG before its frame; cameras write a few dozen

std::uint32_t Byte(std::string_view bytes, std::size_t at) { return static_cast<unsigned char>(bytes[at]); }
std::uint32_t Big16(std::string_view bytes, std::size_t at) { return Byte(bytes, at) << 8 | Byte(bytes, at + 1); }
std::uint32_t Big32(std::string_view bytes, std::size_t at) { return Big16(bytes, at) << 16 | Big16(bytes, at + 2); }
std::uint32_t Little16(std::string_view bytes, std::size_t at) { return Byte(bytes, at + 1) << 8 | Byte(bytes, at); }
std::uint32_t Little24(std::string_view bytes, std::size_t at) {
  return Byte(bytes, at + 2) << 16 | Little16(bytes, at);
}

std::optional<ImageSize> PngSize(std::string_view bytes) {
  if (bytes.size() < 24 || bytes.substr(12, 4) != "IHDR") return std::nullopt;
  return ImageSize{Big32(bytes, 16), Big32(bytes, 20)};
}

std::optional<ImageSize> GifSize(std::string_view bytes) {
  if (bytes.size() < 10) return std::nullopt;
  return ImageSize{Little16(bytes, 6), Little16(bytes, 8)};
}

std::optional<ImageSize> WebpSize(std::string_view bytes) {
  if (bytes.size() < 30) return std::nullopt;
  const std::string_view chunk = bytes.substr(12, 4);
  if (chunk == "VP8X") return ImageSize{Little24(bytes, 24) + 1, Little24(bytes, 27) + 1};
  if (chunk == "VP8 ") return ImageSize{Little16(bytes, 26) & 0x3FFF, Little16(bytes, 28) & 0x3FFF};
  if (chunk != "VP8L" || Byte(bytes, 20) != 0x2F) return std::nullopt;
  const std::uint32_t sides = Little16(bytes, 21) | Little16(bytes, 23) << 16;
  return ImageSize{(sides & 0x3FFF) + 1, (sides >> 14 & 0x3FFF) + 1};
}

bool IsFrame(std::uint32_t marker) {  // SOF0 to SOF15 without DHT, JPG and DAC
  return marker >= 0xC0 && marker <= 0xCF && marker != 0xC4 && marker != 0xC8 && marker != 0xCC;
}

std::optional<ImageSize> JpegSize(std::string_view bytes) {
  std::size_t at = 2;
  for (int segment = 0; segment < kSegmentsMax && at + 4 <= bytes.size(); ++segment) {
    if (Byte(bytes, at) != 0xFF) return std::nullopt;
    const std::uint32_t marker = Byte(bytes, at + 1);
    if (marker == 0xFF) {  // a fill byte
      ++at;
      continue;
    }
    const std::uint32_t length = Big16(bytes, at + 2);
    if (length < 2 || marker == 0xD9 || marker == 0xDA) return std::nullopt;
    if (IsFrame(marker)) {
      if (length < 7 || at + 9 > bytes.size()) return std::nullopt;
      return ImageSize{Big16(bytes, at + 7), Big16(bytes, at + 5)};
    }
    at += 2 + length;
  }
  return std::nullopt;
}

struct Reader {
  std::string_view type;
  std::optional<ImageSize> (*read)(std::string_view bytes);
};

constexpr Reader kReaders[] = {
    {"image/png", PngSize}, {"image/jpeg", JpegSize}, {"image/gif", GifSize}, {"image/webp", WebpSize}};

const Reader* FindReader(std::string_view type) {
  const auto* const found = std::ranges::find(kReaders, type, &Reader::type);
  return found == std::end(kReaders) ? nullptr : found;
}

}  // namespace

bool TellsImageSize(std::string_view type) { return FindReader(type) != nullptr; }

std::optional<ImageSize> ReadImageSize(std::string_view type, std::string_view bytes) {
  const Reader* const reader = FindReader(type);
  const std::optional<ImageSize> size = reader == nullptr ? std::nullopt : reader->read(bytes);
  return size && size->pixels() > 0 ? size : std::nullopt;
}

}  // namespace media
