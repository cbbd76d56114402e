#pragma once

// Properties of code points, from the Unicode Character Database: letters and numbers as of Unicode 16.0, the
// rest as of 15.0. Pure, constant time, safe from any thread; a value
// above U+10FFFF has none of the properties.
namespace unicode {

bool IsLetter(char32_t code_point);  // general category L*
bool IsMark(char32_t code_point);    // general category M*
bool IsNumber(char32_t code_point);  // general category N* (also U+00BD, U+2167), not only decimal digits

// The property White_Space, which is what \s means in the regular expressions of the reference tokenizers.
bool IsWhitespace(char32_t code_point);

// What Python's str.isprintable says of one code point: assigned, not a control, format, surrogate or private-use code
// point, and no separator but the space.
bool IsPrintable(char32_t code_point);

// What emoji are made of: the property Extended_Pictographic, and the regional indicators of flags. Also some that
// apps show as text unless U+FE0F follows, like U+00A9.
bool IsPictograph(char32_t code_point);

// Simple (one to one) case mapping; a code point without one maps to itself.
char32_t ToUpper(char32_t code_point);
char32_t ToLower(char32_t code_point);

}  // namespace unicode
