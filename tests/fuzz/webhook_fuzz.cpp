// Any body, for each channel: decoding ends, and what it says can be printed. Seeds: tests/golden/webhooks.
#include <cstddef>
#include <cstdint>
#include <string_view>

#include "libs/base/check.h"
#include "libs/channel/codec.h"
#include "libs/channel/event_json.h"
#include "libs/channel/internal/event_list.h"

extern "C" int LLVMFuzzerTestOneInput(const std::uint8_t* data, std::size_t size) {
  const std::string_view body(reinterpret_cast<const char*>(data), size);
  for (const auto channel :
       {mesh::bus::v1::CHANNEL_WHATSAPP, mesh::bus::v1::CHANNEL_MESSENGER, mesh::bus::v1::CHANNEL_INSTAGRAM}) {
    const channel::Codec* codec = channel::FindCodec(channel);
    const auto events = codec->Decode(body);
    CHECK(!channel::DecodeLine("-", events).empty());
    if (events.ok()) {
      CHECK(events->size() <= channel::kEventsMax);
      for (const channel::Event& event : *events) {
        CHECK(event.original.size() <= channel::kOriginalBytesMax);
        CHECK((event.kind == channel::EventKind::kError) == !event.error.empty());
      }
    }
    static_cast<void>(codec->DecodeAnswer(size % 2 == 0 ? 200 : 500, body));
  }
  return 0;
}
