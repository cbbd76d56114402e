#pragma once

#include <cstddef>
#include <cstdint>
#include <map>
#include <optional>
#include <string>
#include <string_view>

namespace bus {

// Which offsets of one partition are finished, so that work may finish out of order: commits the contiguous watermark
// and, in the commit's metadata, the map of finished offsets beyond it, so that a restart repeats no finished work.
//
// The map is the smaller of a bitmap and a run-length list, base64, at most 3 KiB (the broker refuses 4 KiB): a version
// byte and form byte come first. What does not fit is left out from the far end; that work may be repeated, which is safe.
// Offsets may have holes (compaction, transactions): an offset never seen but passed over counts as finished.
//
// Threading: none; the consumer guards it.
class OffsetTracker {
 public:
  static constexpr std::size_t kMetadataBytesMax = 3 * 1024;

  // `metadata` is what the last owner committed; malformed metadata is ignored (counted by the caller through `decoded_ok`).
  explicit OffsetTracker(std::int64_t next_offset, std::string_view metadata = {});

  // A record was read. False: it was finished before the restart; do not work on it.
  // REQUIRES: offsets rise, except after a seek back to at or beyond the watermark.
  [[nodiscard]] bool Begin(std::int64_t offset);

  void Finish(std::int64_t offset);  // idempotent; offsets below the watermark are ignored

  // The next offset to commit: everything below is finished.
  std::int64_t watermark() const { return watermark_; }
  std::string Metadata() const;

  std::size_t in_flight_count() const;
  std::int64_t end() const { return end_; }  // one past the highest offset seen
  bool decoded_ok() const { return decoded_ok_; }

 private:
  void Advance();

  std::int64_t watermark_;
  std::int64_t end_;
  bool decoded_ok_ = true;
  // Finished offsets at or beyond the watermark as disjoint runs [first, last].
  std::map<std::int64_t, std::int64_t> finished_;
  // Begun and not finished.
  std::map<std::int64_t, bool> in_flight_;
};

}  // namespace bus
