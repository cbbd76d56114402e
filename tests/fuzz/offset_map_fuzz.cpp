// Any bytes as commit metadata: ignored, or a map that a tracker works with and writes again without losing an offset.
#include <cstddef>
#include <cstdint>
#include <string>
#include <string_view>

#include "libs/base/check.h"
#include "libs/bus/offset_tracker.h"
#include "libs/crypto/base64.h"

namespace {

void CheckTracker(std::int64_t next_offset, std::string_view metadata) {
  bus::OffsetTracker tracker(next_offset, metadata);
  CHECK(tracker.watermark() == next_offset && tracker.in_flight_count() == 0);
  const std::string again = tracker.Metadata();
  CHECK(again.size() <= bus::OffsetTracker::kMetadataBytesMax);
  bus::OffsetTracker copy(next_offset, again);
  CHECK(copy.decoded_ok());
  for (std::int64_t offset = next_offset; offset < next_offset + 300; ++offset) {
    const bool work = tracker.Begin(offset);
    // What did not fit in the text is worked on again; what is in it never is.
    CHECK(work ? copy.Begin(offset)
               : (!copy.Begin(offset) || again.size() > bus::OffsetTracker::kMetadataBytesMax - 64));
    if (work) tracker.Finish(offset);
  }
  CHECK(tracker.watermark() == next_offset + 300);
}

}  // namespace

extern "C" int LLVMFuzzerTestOneInput(const std::uint8_t* data, std::size_t size) {
  const std::string_view bytes(reinterpret_cast<const char*>(data), size);
  CheckTracker(/*next_offset=*/10, bytes);
  // Most random text is no base64 and most random bytes no header, so the inner layers get inputs of their own.
  CheckTracker(10, crypto::Base64Encode(bytes));
  for (const char form : {'\0', '\1'}) {
    std::string framed{'\1', form, '\x0a'};  // version 1, watermark 10
    CheckTracker(10, crypto::Base64Encode(framed.append(bytes)));
  }
  return 0;
}
