#pragma once

#include <optional>
#include <string>
#include <string_view>

namespace crypto {

// RFC 4648 section 4: the standard alphabet, always padded.
std::string Base64Encode(std::string_view bytes);

// The exact inverse: nullopt for line breaks, other alphabets, missing padding and, as section 3.5 allows, for padding
// bits that are not zero, so that every byte string has exactly one text.
std::optional<std::string> Base64Decode(std::string_view text);

}  // namespace crypto
