#pragma once

#include <cstddef>
#include <cstdint>
#include <map>
#include <set>
#include <string>
#include <string_view>

namespace bus {

// Which offsets of one partition are finished, so that work may finish out of order: commits the contiguous watermark
// and, in the commit's metadata, the map of finished offsets beyond it, so that a restart repeats no finished work.
//
// The map is the smaller of a bitmap and a run-length list, base64, at most 3 KiB (the broker refuses 4 KiB by default,
// offset.metadata.max.bytes); layout in internal/finished_map.h. At least 18,000 offsets beyond the watermark always
// fit. What does not fit is left out from the far end; that work may be repeated, which is safe. Offsets may have holes
// (compaction, transactions): an offset never seen but passed over counts as finished.
//
// Beside the map the metadata carries notes: a small number for an offset in flight, which whoever reads it next finds
// (Consumer::Note; layout in internal/offset_notes.h). Both together stay below the broker's 4 KiB.
//
// Threading: none; the consumer guards it.
// Cost:      Begin and Finish O(log in flight); Metadata O(in flight). Memory: one set node an offset in flight, and
// the
//            runs restored from the metadata, at most a few thousand.
class OffsetTracker {
 public:
  static constexpr std::size_t kMetadataBytesMax = 3 * 1024;  // of the map

  // `metadata` is what the last owner committed. Malformed metadata, and a map made for another offset than
  // `next_offset`, is ignored; decoded_ok() says so. REQUIRES: next_offset >= 0
  explicit OffsetTracker(std::int64_t next_offset, std::string_view metadata = {});

  // A record was read. False: do not work on it. It was finished before the restart, or was begun already and is read a
  // second time because fetching went back.
  [[nodiscard]] bool Begin(std::int64_t offset);

  // Idempotent; offsets below the watermark are ignored. An offset not read yet counts as finished when it is read:
  // work of an earlier ownership of the partition may end late.
  void Finish(std::int64_t offset);

  // The next offset to commit: everything below is finished.
  std::int64_t watermark() const { return in_flight_.empty() ? end_ : *in_flight_.begin(); }

  // Notes `note` of an offset in flight, in place of an earlier note; 0: none any more. Finishing the offset ends it.
  // False, and nothing changes: the offset is not in flight, or internal::kNotesMax others have notes.
  // REQUIRES: note <= internal::kNoteMax
  [[nodiscard]] bool SetNote(std::int64_t offset, std::uint32_t note);
  // Set here or restored from the metadata; 0: none.
  std::uint32_t NoteOf(std::int64_t offset) const;

  // The map of what is finished at or beyond the watermark, and the notes; empty when there is neither.
  std::string Metadata() const;

  std::size_t in_flight_count() const { return in_flight_.size(); }
  std::int64_t end() const { return end_; }  // one past the highest offset seen
  bool decoded_ok() const { return decoded_ok_; }

 private:
  bool IsFinishedAhead(std::int64_t offset) const;
  void DropAheadBelowEnd();

  std::int64_t end_;
  bool decoded_ok_ = true;
  std::set<std::int64_t> in_flight_;  // begun and not finished; all below end_
  std::map<std::int64_t, std::int64_t>
      ahead_;  // finished though not read yet: first -> last, disjoint, at or beyond end_
  std::map<std::int64_t, std::uint32_t> notes_;  // of offsets in flight, and restored ones at or beyond end_
};

}  // namespace bus
