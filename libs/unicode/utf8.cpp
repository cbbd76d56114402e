#include "libs/unicode/utf8.h"

#include <cstdint>

#include "libs/base/check.h"

namespace unicode {
namespace {

// What a leading byte promises: the length of its sequence and the range of the second byte (Unicode 15.0, table 3-7).
// The narrower ranges are where overlong forms, surrogates and values above U+10FFFF are excluded.
struct LeadingByte {
  std::uint8_t length = 0;  // 0: no sequence starts with this byte
  std::uint8_t second_min = 0x80;
  std::uint8_t second_max = 0xBF;
};

constexpr LeadingByte ClassifyLeadingByte(std::uint8_t byte) {
  if (byte < 0x80) return {.length = 1};
  if (byte < 0xC2) return {};
  if (byte < 0xE0) return {.length = 2};
  if (byte == 0xE0) return {.length = 3, .second_min = 0xA0};
  if (byte == 0xED) return {.length = 3, .second_max = 0x9F};
  if (byte < 0xF0) return {.length = 3};
  if (byte == 0xF0) return {.length = 4, .second_min = 0x90};
  if (byte < 0xF4) return {.length = 4};
  if (byte == 0xF4) return {.length = 4, .second_max = 0x8F};
  return {};
}

std::uint8_t ByteAt(std::string_view bytes, std::size_t at) { return static_cast<std::uint8_t>(bytes[at]); }

// Bytes at `offset` that belong to a sequence of this kind: `leading.length` when it is whole, else its maximal
// subpart.
std::size_t MatchedLength(std::string_view bytes, std::size_t offset, LeadingByte leading) {
  std::size_t length = 1;
  while (length < leading.length && offset + length < bytes.size()) {
    const std::uint8_t byte = ByteAt(bytes, offset + length);
    const std::uint8_t low = length == 1 ? leading.second_min : std::uint8_t{0x80};
    const std::uint8_t high = length == 1 ? leading.second_max : std::uint8_t{0xBF};
    if (byte < low || byte > high) break;
    ++length;
  }
  return length;
}

}  // namespace

Decoded DecodeUtf8(std::string_view bytes, std::size_t offset) {
  CHECK(offset < bytes.size());
  const std::uint8_t first = ByteAt(bytes, offset);
  if (first < 0x80) return {.code_point = first, .length = 1, .valid = true};
  const LeadingByte leading = ClassifyLeadingByte(first);
  if (leading.length == 0) return {.code_point = kReplacement, .length = 1, .valid = false};
  const std::size_t length = MatchedLength(bytes, offset, leading);
  if (length < leading.length) return {.code_point = kReplacement, .length = length, .valid = false};
  char32_t code_point = first & (0xFFU >> (length + 1));
  for (std::size_t i = 1; i < length; ++i) {
    code_point = (code_point << 6) | (ByteAt(bytes, offset + i) & 0x3FU);
  }
  return {.code_point = code_point, .length = length, .valid = true};
}

void AppendUtf8(char32_t code_point, std::string& out) {
  if (code_point > kCodePointMax || (code_point >= 0xD800 && code_point <= 0xDFFF)) code_point = kReplacement;
  const auto continuation = [code_point](int shift) {
    return static_cast<char>(0x80U | ((code_point >> shift) & 0x3FU));
  };
  if (code_point < 0x80) {
    out.push_back(static_cast<char>(code_point));
  } else if (code_point < 0x800) {
    out.push_back(static_cast<char>(0xC0U | (code_point >> 6)));
    out.push_back(continuation(0));
  } else if (code_point < 0x10000) {
    out.push_back(static_cast<char>(0xE0U | (code_point >> 12)));
    out.push_back(continuation(6));
    out.push_back(continuation(0));
  } else {
    out.push_back(static_cast<char>(0xF0U | (code_point >> 18)));
    out.push_back(continuation(12));
    out.push_back(continuation(6));
    out.push_back(continuation(0));
  }
}

bool IsValidUtf8(std::string_view bytes) {
  for (std::size_t at = 0; at < bytes.size();) {
    const Decoded decoded = DecodeUtf8(bytes, at);
    if (!decoded.valid) return false;
    at += decoded.length;
  }
  return true;
}

std::string SanitizeUtf8(std::string_view bytes) {
  std::string out;
  out.reserve(bytes.size());
  std::size_t valid_from = 0;  // start of the valid stretch that is not copied yet
  for (std::size_t at = 0; at < bytes.size();) {
    const Decoded decoded = DecodeUtf8(bytes, at);
    if (!decoded.valid) {
      out.append(bytes.substr(valid_from, at - valid_from));
      AppendUtf8(kReplacement, out);
      valid_from = at + decoded.length;
    }
    at += decoded.length;
  }
  out.append(bytes.substr(valid_from));
  return out;
}

std::size_t CompleteUtf8Prefix(std::string_view bytes) {
  // Only the last three bytes can be the start of an unfinished sequence: find its leading byte and see whether all
  // that follows belongs to it.
  for (std::size_t back = 1; back <= 3 && back <= bytes.size(); ++back) {
    const std::size_t start = bytes.size() - back;
    const LeadingByte leading = ClassifyLeadingByte(ByteAt(bytes, start));
    if (leading.length > back && MatchedLength(bytes, start, leading) == back) return start;
  }
  return bytes.size();
}

std::size_t CodePointCount(std::string_view bytes) {
  std::size_t count = 0;
  for (std::size_t at = 0; at < bytes.size(); ++count) at += DecodeUtf8(bytes, at).length;
  return count;
}

}  // namespace unicode
