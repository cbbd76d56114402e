#include "libs/tokenizer/internal/byte_alphabet.h"

#include <array>
#include <cstddef>
#include <cstdint>

#include "libs/unicode/utf8.h"

namespace tokenizer {
namespace {

constexpr char32_t kFirstRenamed = 0x100;
constexpr std::size_t kRenamedCount = 68;

constexpr bool StandsForItself(unsigned byte) {
  return (byte >= 0x21 && byte <= 0x7E) || (byte >= 0xA1 && byte <= 0xAC) || byte >= 0xAE;
}

struct Alphabet {
  std::array<char32_t, 256> code_points{};                          // by byte
  std::array<std::int16_t, kFirstRenamed + kRenamedCount> bytes{};  // by code point; -1: none
};

constexpr Alphabet MakeAlphabet() {
  Alphabet alphabet;
  alphabet.bytes.fill(-1);
  char32_t next_renamed = kFirstRenamed;
  for (unsigned byte = 0; byte < 256; ++byte) {
    const char32_t code_point = StandsForItself(byte) ? char32_t{byte} : next_renamed++;
    alphabet.code_points[byte] = code_point;
    alphabet.bytes[code_point] = static_cast<std::int16_t>(byte);
  }
  return alphabet;
}

constexpr Alphabet kAlphabet = MakeAlphabet();
static_assert(kAlphabet.code_points[' '] == 0x120);
static_assert(kAlphabet.code_points[0xAD] == kFirstRenamed + kRenamedCount - 1);

}  // namespace

std::string SpellByte(unsigned char byte) {
  std::string spelling;
  unicode::AppendUtf8(kAlphabet.code_points[byte], spelling);
  return spelling;
}

std::string SpelledBytes(std::string_view token) {
  std::string bytes;
  for (std::size_t at = 0; at < token.size();) {
    const unicode::Decoded decoded = unicode::DecodeUtf8(token, at);
    at += decoded.length;
    if (decoded.code_point >= kAlphabet.bytes.size() || kAlphabet.bytes[decoded.code_point] < 0) {
      return std::string(token);
    }
    bytes.push_back(static_cast<char>(kAlphabet.bytes[decoded.code_point]));
  }
  return bytes;
}

}  // namespace tokenizer
