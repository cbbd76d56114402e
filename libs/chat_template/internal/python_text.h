#pragma once

#include <cstddef>
#include <cstdint>
#include <string>
#include <string_view>

namespace chat_template::internal {

// What Python's str means by white space: White_Space and the four separators U+001C to U+001F.
bool IsPythonSpace(char32_t code_point);

// How many bytes of white space `text` begins with, and how many ends it has after all that is not.
std::size_t LeadingSpaceBytes(std::string_view text);
std::size_t WithoutTrailingSpace(std::string_view text);  // the length that is left

// Python's repr of a float: the shortest digits that read back the same, "1.0", "1e-05", "inf".
std::string FormatFloat(double number);

}  // namespace chat_template::internal
