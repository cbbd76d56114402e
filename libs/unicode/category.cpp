#include "libs/unicode/category.h"

#include <utf8proc.h>

#include <algorithm>
#include <array>
#include <iterator>

#include "libs/unicode/utf8.h"

namespace unicode {
namespace {

// utf8proc 2.8 knows Unicode 15.0; the reference tokenizers know 16.0. These are the letters and numbers that 15.1
// and 16.0 added (DerivedGeneralCategory.txt), in order.
struct Added {
  char32_t first;
  char32_t last;
  utf8proc_category_t category;
};
constexpr utf8proc_category_t kLetter = UTF8PROC_CATEGORY_LO;  // which kind of letter makes no difference here
constexpr utf8proc_category_t kNumber = UTF8PROC_CATEGORY_ND;
constexpr std::array kAddedSince15 = {
    Added{0x1C89, 0x1C8A, kLetter},   Added{0xA7CB, 0xA7CD, kLetter},   Added{0xA7DA, 0xA7DC, kLetter},
    Added{0x105C0, 0x105F3, kLetter}, Added{0x10D40, 0x10D49, kNumber}, Added{0x10D4A, 0x10D65, kLetter},
    Added{0x10D6F, 0x10D85, kLetter}, Added{0x10EC2, 0x10EC4, kLetter}, Added{0x11380, 0x11389, kLetter},
    Added{0x1138B, 0x1138B, kLetter}, Added{0x1138E, 0x1138E, kLetter}, Added{0x11390, 0x113B5, kLetter},
    Added{0x113B7, 0x113B7, kLetter}, Added{0x113D1, 0x113D1, kLetter}, Added{0x113D3, 0x113D3, kLetter},
    Added{0x116D0, 0x116E3, kNumber}, Added{0x11BC0, 0x11BE0, kLetter}, Added{0x11BF0, 0x11BF9, kNumber},
    Added{0x13460, 0x143FA, kLetter}, Added{0x16100, 0x1611D, kLetter}, Added{0x16130, 0x16139, kNumber},
    Added{0x16D40, 0x16D6C, kLetter}, Added{0x16D70, 0x16D79, kNumber}, Added{0x18CFF, 0x18CFF, kLetter},
    Added{0x1CCF0, 0x1CCF9, kNumber}, Added{0x1E5D0, 0x1E5ED, kLetter}, Added{0x1E5F0, 0x1E5F0, kLetter},
    Added{0x1E5F1, 0x1E5FA, kNumber}, Added{0x2EBF0, 0x2EE5D, kLetter},
};

utf8proc_category_t CategoryAddedSince15(char32_t code_point) {
  const auto after = std::upper_bound(kAddedSince15.begin(), kAddedSince15.end(), code_point,
                                      [](char32_t value, const Added& added) { return value < added.first; });
  if (after == kAddedSince15.begin()) return UTF8PROC_CATEGORY_CN;
  const Added& range = *std::prev(after);
  return code_point <= range.last ? range.category : UTF8PROC_CATEGORY_CN;
}

utf8proc_category_t CategoryOf(char32_t code_point) {
  if (code_point > kCodePointMax) return UTF8PROC_CATEGORY_CN;
  const utf8proc_category_t category = utf8proc_category(static_cast<utf8proc_int32_t>(code_point));
  return category == UTF8PROC_CATEGORY_CN ? CategoryAddedSince15(code_point) : category;
}

}  // namespace

bool IsLetter(char32_t code_point) {
  const utf8proc_category_t category = CategoryOf(code_point);
  return category >= UTF8PROC_CATEGORY_LU && category <= UTF8PROC_CATEGORY_LO;
}

bool IsMark(char32_t code_point) {
  const utf8proc_category_t category = CategoryOf(code_point);
  return category >= UTF8PROC_CATEGORY_MN && category <= UTF8PROC_CATEGORY_ME;
}

bool IsNumber(char32_t code_point) {
  const utf8proc_category_t category = CategoryOf(code_point);
  return category >= UTF8PROC_CATEGORY_ND && category <= UTF8PROC_CATEGORY_NO;
}

bool IsWhitespace(char32_t code_point) {
  // White_Space in PropList.txt is the separators (Z*) and six control characters; it has not changed since
  // Unicode 6.3.
  if (code_point < 0x80) return code_point == ' ' || (code_point >= '\t' && code_point <= '\r');
  if (code_point == 0x85) return true;
  const utf8proc_category_t category = CategoryOf(code_point);
  return category >= UTF8PROC_CATEGORY_ZS && category <= UTF8PROC_CATEGORY_ZP;
}

bool IsPrintable(char32_t code_point) {
  if (code_point == ' ') return true;
  const utf8proc_category_t category = CategoryOf(code_point);
  return category != UTF8PROC_CATEGORY_CN && category < UTF8PROC_CATEGORY_ZS;
}

bool IsPictograph(char32_t code_point) {
  if (code_point > kCodePointMax) return false;
  const auto kind = utf8proc_get_property(static_cast<utf8proc_int32_t>(code_point))->boundclass;
  return kind == UTF8PROC_BOUNDCLASS_EXTENDED_PICTOGRAPHIC || kind == UTF8PROC_BOUNDCLASS_REGIONAL_INDICATOR;
}

char32_t ToUpper(char32_t code_point) {
  if (code_point > kCodePointMax) return code_point;
  return static_cast<char32_t>(utf8proc_toupper(static_cast<utf8proc_int32_t>(code_point)));
}

char32_t ToLower(char32_t code_point) {
  if (code_point > kCodePointMax) return code_point;
  return static_cast<char32_t>(utf8proc_tolower(static_cast<utf8proc_int32_t>(code_point)));
}

}  // namespace unicode
