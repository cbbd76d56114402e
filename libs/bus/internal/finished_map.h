#pragma once

#include <cstddef>
#include <cstdint>
#include <optional>
#include <string>
#include <string_view>
#include <vector>

namespace bus::internal {

// A run of finished offsets, both ends included.
struct FinishedRun {
  std::int64_t first = 0;
  std::int64_t last = 0;
  friend bool operator==(const FinishedRun&, const FinishedRun&) = default;
};

// The finished offsets beyond a watermark as the text of a commit's metadata. Layout before base64 (RFC 4648):
//   byte 0      version, 1
//   byte 1      form: 0 bitmap, 1 run lengths
//   varint      the watermark this map belongs to (LEB128)
//   bitmap:     bit i, least significant first, is offset watermark + i
//   run lengths: varints in pairs, count of offsets to pass over and count of finished offsets after them
// The watermark stands in the map although the commit holds it too: tools that rewrite committed offsets (mirroring
// between clusters, resets) copy metadata along, and a map laid over other offsets would skip records never worked on.
//
// What does not fit in `text_bytes_max` is left out from the far end. `runs` are disjoint, rising and at or beyond the
// watermark; no runs give an empty text.
std::string EncodeFinishedMap(std::int64_t watermark, const std::vector<FinishedRun>& runs, std::size_t text_bytes_max);

// The inverse; nullopt when `text` is malformed or belongs to another watermark. Empty text: no runs.
// Cost: O(text); a few bytes can stand for any number of offsets, so runs are never expanded.
std::optional<std::vector<FinishedRun>> DecodeFinishedMap(std::int64_t watermark, std::string_view text,
                                                          std::size_t text_bytes_max);

}  // namespace bus::internal
