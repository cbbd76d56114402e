// Any bytes, read as each type of image: no read outside of them (sanitizers), and what is reported has two sides.
#include <cstddef>
#include <cstdint>
#include <optional>
#include <string_view>

#include "libs/base/check.h"
#include "libs/media/image_size.h"
#include "libs/media/media_type.h"

extern "C" int LLVMFuzzerTestOneInput(const std::uint8_t* data, std::size_t size) {
  const std::string_view input(reinterpret_cast<const char*>(data), size);
  for (const std::string_view type : {"image/png", "image/jpeg", "image/gif", "image/webp", ""}) {
    const std::optional<media::ImageSize> found = media::ReadImageSize(type, input);
    CHECK(!found || (found->width > 0 && found->height > 0));
  }
  const std::string_view sniffed = media::SniffType(input);
  CHECK(sniffed.empty() || sniffed.find('/') != std::string_view::npos);
  return 0;
}
