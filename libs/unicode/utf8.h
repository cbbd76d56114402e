#pragma once

#include <cstddef>
#include <string>
#include <string_view>

// UTF-8 as the Unicode Standard 15.0 section 3.9 defines it (table 3-7): no overlong forms, no surrogates, nothing
// above U+10FFFF. Every function is pure, safe from any thread, linear in its input and accepts any bytes.
namespace unicode {

inline constexpr char32_t kReplacement = 0xFFFD;
inline constexpr char32_t kCodePointMax = 0x10FFFF;

struct Decoded {
  char32_t code_point = kReplacement;
  std::size_t length = 0;  // bytes consumed, 1 to 4
  bool valid = false;      // false: `length` bytes are one maximal subpart, and code_point is U+FFFD
};

// Decodes the code point that starts at `offset`. REQUIRES: offset < bytes.size().
// An ill-formed sequence consumes its maximal subpart (Unicode 15.0, section 3.9, "U+FFFD Substitution of Maximal
// Subparts"): the longest prefix that could still have become a well-formed sequence, or one byte. This is also what
// the WHATWG Encoding Standard's decoder and Python's bytes.decode("utf-8", errors="replace") do.
Decoded DecodeUtf8(std::string_view bytes, std::size_t offset);

// Appends the encoding of `code_point`; a surrogate or a value above U+10FFFF is written as U+FFFD.
void AppendUtf8(char32_t code_point, std::string& out);

bool IsValidUtf8(std::string_view bytes);

// `bytes` with each maximal ill-formed subpart replaced by one U+FFFD. The result is valid UTF-8 of at most three times
// the size; valid input comes back unchanged.
std::string SanitizeUtf8(std::string_view bytes);

// Length of the longest prefix of `bytes` that does not end inside a sequence which later bytes could still complete.
// What is left is 0 to 3 bytes: a stream keeps them until more arrives. Bytes that are ill-formed already count as
// complete.
std::size_t CompleteUtf8Prefix(std::string_view bytes);

// Code points in `bytes`, each ill-formed maximal subpart counting as one.
std::size_t CodePointCount(std::string_view bytes);

}  // namespace unicode
