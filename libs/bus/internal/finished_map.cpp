#include "libs/bus/internal/finished_map.h"

#include <algorithm>
#include <limits>

#include "libs/bus/internal/varint.h"
#include "libs/crypto/base64.h"

namespace bus::internal {
namespace {

constexpr char kVersion = 1;
constexpr char kFormBitmap = 0;
constexpr char kFormRuns = 1;
constexpr std::int64_t kOffsetMax = std::numeric_limits<std::int64_t>::max();

// A body in one of the two forms and how far it reaches.
struct Body {
  std::string bytes;
  std::int64_t covered_until = 0;  // one past the last finished offset in it
};

Body EncodeRuns(std::int64_t watermark, const std::vector<FinishedRun>& runs, std::size_t bytes_max) {
  Body body{.bytes = {}, .covered_until = watermark};
  for (const FinishedRun& run : runs) {
    std::string pair;
    AppendVarint(static_cast<std::uint64_t>(run.first - body.covered_until), &pair);
    AppendVarint(static_cast<std::uint64_t>(run.last - run.first) + 1, &pair);
    if (body.bytes.size() + pair.size() > bytes_max) break;
    body.bytes += pair;
    body.covered_until = run.last + 1;
  }
  return body;
}

Body EncodeBitmap(std::int64_t watermark, const std::vector<FinishedRun>& runs, std::size_t bytes_max) {
  Body body{.bytes = {}, .covered_until = watermark};
  const auto bits_max = static_cast<std::int64_t>(bytes_max * 8);
  for (const FinishedRun& run : runs) {
    const std::int64_t first = run.first - watermark;
    if (first >= bits_max) break;
    const std::int64_t last = std::min(run.last - watermark, bits_max - 1);
    body.bytes.resize(static_cast<std::size_t>(last / 8 + 1), '\0');
    for (std::int64_t bit = first; bit <= last; ++bit) {
      char& byte = body.bytes[static_cast<std::size_t>(bit / 8)];
      byte = static_cast<char>(static_cast<std::uint8_t>(byte) | (1u << (bit % 8)));
    }
    body.covered_until = watermark + last + 1;
  }
  return body;
}

std::optional<std::vector<FinishedRun>> DecodeRuns(std::int64_t watermark, std::string_view bytes) {
  std::vector<FinishedRun> runs;
  std::int64_t position = watermark;
  while (!bytes.empty()) {
    const std::optional<std::int64_t> gap = TakeVarint(&bytes);
    const std::optional<std::int64_t> length = gap ? TakeVarint(&bytes) : std::nullopt;
    if (!length || *length == 0) return std::nullopt;
    if (*gap > kOffsetMax - position) return std::nullopt;
    position += *gap;
    if (*length > kOffsetMax - position) return std::nullopt;
    runs.push_back({.first = position, .last = position + *length - 1});
    position += *length;
  }
  return runs;
}

std::optional<std::vector<FinishedRun>> DecodeBitmap(std::int64_t watermark, std::string_view bytes) {
  if (static_cast<std::int64_t>(bytes.size() * 8) > kOffsetMax - watermark) return std::nullopt;
  std::vector<FinishedRun> runs;
  for (std::size_t bit = 0; bit < bytes.size() * 8; ++bit) {
    if ((static_cast<std::uint8_t>(bytes[bit / 8]) >> (bit % 8) & 1u) == 0) continue;
    const std::int64_t offset = watermark + static_cast<std::int64_t>(bit);
    if (!runs.empty() && runs.back().last + 1 == offset) {
      runs.back().last = offset;
    } else {
      runs.push_back({.first = offset, .last = offset});
    }
  }
  return runs;
}

}  // namespace

std::string EncodeFinishedMap(std::int64_t watermark, const std::vector<FinishedRun>& runs,
                              std::size_t text_bytes_max) {
  if (runs.empty()) return {};
  std::string bytes{kVersion, kFormBitmap};
  AppendVarint(static_cast<std::uint64_t>(watermark), &bytes);
  const std::size_t raw_bytes_max = text_bytes_max / 4 * 3;
  if (bytes.size() >= raw_bytes_max) return {};
  const std::size_t body_bytes_max = raw_bytes_max - bytes.size();

  const Body as_bitmap = EncodeBitmap(watermark, runs, body_bytes_max);
  const Body as_runs = EncodeRuns(watermark, runs, body_bytes_max);
  // The form that reaches further, and of two that reach as far the shorter.
  const bool use_runs = as_runs.covered_until != as_bitmap.covered_until
                            ? as_runs.covered_until > as_bitmap.covered_until
                            : as_runs.bytes.size() < as_bitmap.bytes.size();
  const Body& body = use_runs ? as_runs : as_bitmap;
  if (body.bytes.empty()) return {};
  if (use_runs) bytes[1] = kFormRuns;
  return crypto::Base64Encode(bytes + body.bytes);
}

std::optional<std::vector<FinishedRun>> DecodeFinishedMap(std::int64_t watermark, std::string_view text,
                                                          std::size_t text_bytes_max) {
  if (text.empty()) return std::vector<FinishedRun>{};
  if (text.size() > text_bytes_max) return std::nullopt;
  const std::optional<std::string> decoded = crypto::Base64Decode(text);
  if (!decoded || decoded->size() < 3 || (*decoded)[0] != kVersion) return std::nullopt;
  const char form = (*decoded)[1];
  std::string_view bytes(*decoded);
  bytes.remove_prefix(2);
  const std::optional<std::int64_t> base = TakeVarint(&bytes);
  if (!base || *base != watermark) return std::nullopt;
  if (form == kFormRuns) return DecodeRuns(watermark, bytes);
  if (form == kFormBitmap) return DecodeBitmap(watermark, bytes);
  return std::nullopt;
}

}  // namespace bus::internal
