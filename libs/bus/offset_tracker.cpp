#include "libs/bus/offset_tracker.h"

#include <limits>
#include <optional>
#include <vector>

#include "libs/base/check.h"
#include "libs/bus/internal/finished_map.h"
#include "libs/bus/internal/offset_notes.h"

namespace bus {

using internal::FinishedRun;

namespace {

constexpr char kPartsSeparator = '.';  // between map and notes; no letter of base64

static_assert(OffsetTracker::kMetadataBytesMax + 1 + internal::kNotesTextBytesMax < 4096);
// Version, watermark and kNotesMax pairs of at most three and two bytes, in base64.
static_assert((1 + 9 + internal::kNotesMax * 5 + 2) / 3 * 4 <= internal::kNotesTextBytesMax);

}  // namespace

OffsetTracker::OffsetTracker(std::int64_t next_offset, std::string_view metadata) : end_(next_offset) {
  CHECK(next_offset >= 0);
  const std::size_t separator = metadata.find(kPartsSeparator);
  const std::optional<std::vector<FinishedRun>> runs =
      internal::DecodeFinishedMap(next_offset, metadata.substr(0, separator), kMetadataBytesMax);
  std::optional<internal::OffsetNotes> notes = internal::DecodeNotes(
      next_offset, separator == std::string_view::npos ? std::string_view() : metadata.substr(separator + 1));
  decoded_ok_ = runs.has_value() && notes.has_value();
  if (!decoded_ok_) return;
  for (const FinishedRun& run : *runs) ahead_.emplace(run.first, run.last);
  notes_ = *std::move(notes);
}

bool OffsetTracker::Begin(std::int64_t offset) {
  // Finished, in flight, or a hole that was passed over. The last value cannot be an offset: nothing could follow it.
  if (offset < end_ || offset == std::numeric_limits<std::int64_t>::max()) return false;
  const bool finished = IsFinishedAhead(offset);
  notes_.erase(notes_.lower_bound(end_), notes_.lower_bound(finished ? offset + 1 : offset));  // passed over
  end_ = offset + 1;
  DropAheadBelowEnd();
  if (!finished) in_flight_.insert(offset);
  return !finished;
}

void OffsetTracker::Finish(std::int64_t offset) {
  notes_.erase(offset);
  if (offset < end_) {
    in_flight_.erase(offset);
    return;
  }
  if (IsFinishedAhead(offset) || offset == std::numeric_limits<std::int64_t>::max()) return;
  ahead_.emplace(offset, offset);
}

bool OffsetTracker::SetNote(std::int64_t offset, std::uint32_t note) {
  CHECK(note <= internal::kNoteMax);
  if (!in_flight_.contains(offset)) return false;
  if (note == 0) {
    notes_.erase(offset);
    return true;
  }
  if (notes_.size() >= internal::kNotesMax && !notes_.contains(offset)) return false;
  notes_[offset] = note;
  return true;
}

std::uint32_t OffsetTracker::NoteOf(std::int64_t offset) const {
  const auto note = notes_.find(offset);
  return note == notes_.end() ? 0 : note->second;
}

std::string OffsetTracker::Metadata() const {
  // Between two offsets in flight everything is finished, so the runs are the gaps of that set. Touching runs are
  // joined, because the encoding counts pairs.
  std::vector<FinishedRun> runs;
  const auto add = [&runs](std::int64_t first, std::int64_t last) {
    if (first > last) return;
    if (!runs.empty() && runs.back().last + 1 == first) {
      runs.back().last = last;
    } else {
      runs.push_back({.first = first, .last = last});
    }
  };
  std::int64_t next = watermark();
  for (const std::int64_t offset : in_flight_) {
    add(next, offset - 1);
    next = offset + 1;
  }
  add(next, end_ - 1);
  for (const auto& [first, last] : ahead_) add(first, last);
  std::string text = internal::EncodeFinishedMap(watermark(), runs, kMetadataBytesMax);
  if (const std::string notes = internal::EncodeNotes(watermark(), notes_); !notes.empty()) {
    text += kPartsSeparator;
    text += notes;
  }
  return text;
}

bool OffsetTracker::IsFinishedAhead(std::int64_t offset) const {
  auto run = ahead_.upper_bound(offset);
  if (run == ahead_.begin()) return false;
  --run;
  return offset <= run->second;
}

void OffsetTracker::DropAheadBelowEnd() {
  while (!ahead_.empty() && ahead_.begin()->first < end_) {
    const auto [first, last] = *ahead_.begin();
    ahead_.erase(ahead_.begin());
    if (last >= end_) ahead_.emplace(end_, last);
  }
}

}  // namespace bus
