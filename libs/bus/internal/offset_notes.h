#pragma once

#include <cstddef>
#include <cstdint>
#include <map>
#include <optional>
#include <string>
#include <string_view>

namespace bus::internal {

// Notes of a partition: offset -> number, never 0.
using OffsetNotes = std::map<std::int64_t, std::uint32_t>;

// The most notes that one partition carries, and the largest number: so many, of two bytes each, at offsets up to
// 2 million apart, fit in kNotesTextBytesMax for sure.
inline constexpr std::size_t kNotesMax = 128;
inline constexpr std::uint32_t kNoteMax = (1u << 14) - 1;
inline constexpr std::size_t kNotesTextBytesMax = 880;

// The notes as the second part of a commit's metadata. Layout before base64:
//   byte 0   version, 1
//   varint   the watermark they belong to, as in finished_map.h
//   varints  in pairs: distance from the offset before (first: from the watermark), and the number
// Notes below the watermark are left out: their records are finished. No notes give an empty text.
std::string EncodeNotes(std::int64_t watermark, const OffsetNotes& notes);

// The inverse; nullopt when `text` is malformed or belongs to another watermark. Empty text: no notes.
std::optional<OffsetNotes> DecodeNotes(std::int64_t watermark, std::string_view text);

}  // namespace bus::internal
