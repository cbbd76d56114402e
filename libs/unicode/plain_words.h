#pragma once

#include <string>
#include <string_view>

namespace unicode {

// The words of a text without how they were written, to compare what people type with a list of words: composed (NFC),
// without regard to case (one to one mappings: "ß" is not "ss"), white space between words as one space, and without
// what stands before the first letter or number and after the last one ("  «STOP!!» 🙏" is "stop"). Punctuation between
// words stays. Empty when there is no letter and no number. Linear; any bytes are accepted.
std::string PlainWords(std::string_view text);

}  // namespace unicode
