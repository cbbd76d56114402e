// Any bytes: parts fit the limit, are well formed and not empty.
#include <cstddef>
#include <cstdint>
#include <string_view>

#include "libs/base/check.h"
#include "libs/channel/internal/split_text.h"
#include "libs/unicode/utf8.h"

extern "C" int LLVMFuzzerTestOneInput(const std::uint8_t* data, std::size_t size) {
  const std::string_view text(reinterpret_cast<const char*>(data), size);
  for (const channel::TextLimit limit :
       {channel::kWhatsAppTextLimit, channel::kMessengerTextLimit, channel::kInstagramTextLimit,
        channel::TextLimit{channel::LengthUnit::kBytes, 264}}) {
    const auto parts = channel::SplitText(text, limit);
    CHECK(parts.size() <= channel::kTextPartsMax);
    for (const std::string& part : parts) {
      CHECK(!part.empty());
      CHECK(channel::LengthOf(part, limit.unit) <= limit.length_max);
      CHECK(unicode::IsValidUtf8(part));
    }
  }
  return 0;
}
