#include "libs/bus/internal/offset_notes.h"

#include <limits>

#include "libs/bus/internal/varint.h"
#include "libs/crypto/base64.h"

namespace bus::internal {
namespace {

constexpr char kVersion = 1;

}  // namespace

std::string EncodeNotes(std::int64_t watermark, const OffsetNotes& notes) {
  const auto first = notes.lower_bound(watermark);
  if (first == notes.end()) return {};
  std::string bytes{kVersion};
  AppendVarint(static_cast<std::uint64_t>(watermark), &bytes);
  std::int64_t before = watermark;
  for (auto note = first; note != notes.end(); ++note) {
    AppendVarint(static_cast<std::uint64_t>(note->first - before), &bytes);
    AppendVarint(note->second, &bytes);
    before = note->first;
  }
  return crypto::Base64Encode(bytes);
}

std::optional<OffsetNotes> DecodeNotes(std::int64_t watermark, std::string_view text) {
  if (text.empty()) return OffsetNotes{};
  if (text.size() > kNotesTextBytesMax) return std::nullopt;
  const std::optional<std::string> decoded = crypto::Base64Decode(text);
  if (!decoded || decoded->empty() || (*decoded)[0] != kVersion) return std::nullopt;
  std::string_view bytes(*decoded);
  bytes.remove_prefix(1);
  const std::optional<std::int64_t> base = TakeVarint(&bytes);
  if (!base || *base != watermark) return std::nullopt;
  OffsetNotes notes;
  std::int64_t offset = watermark;
  while (!bytes.empty()) {
    const std::optional<std::int64_t> distance = TakeVarint(&bytes);
    const std::optional<std::int64_t> note = distance ? TakeVarint(&bytes) : std::nullopt;
    if (!note || *note == 0 || *note > kNoteMax) return std::nullopt;
    if (*distance > std::numeric_limits<std::int64_t>::max() - offset) return std::nullopt;
    if (*distance == 0 && !notes.empty()) return std::nullopt;
    offset += *distance;
    notes.emplace_hint(notes.end(), offset, static_cast<std::uint32_t>(*note));
  }
  if (notes.size() > kNotesMax) return std::nullopt;
  return notes;
}

}  // namespace bus::internal
