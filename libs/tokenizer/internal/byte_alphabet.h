#pragma once

#include <string>
#include <string_view>

namespace tokenizer {

// The alphabet of GPT-2's byte-level BPE: each of the 256 byte values is written as one printable code point, so that a
// vocabulary is text (`bytes_to_unicode` in OpenAI's gpt-2/src/encoder.py). Bytes that are printable in Latin-1 stand
// for themselves, the other 68 are numbered from U+0100 on; a space is U+0120.

// The spelling of one byte.
std::string SpellByte(unsigned char byte);

// The bytes that a token spells. A token with a code point outside the alphabet spells its own UTF-8 bytes, as in the
// reference decoder.
std::string SpelledBytes(std::string_view token);

}  // namespace tokenizer
