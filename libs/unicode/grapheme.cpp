#include "libs/unicode/grapheme.h"

#include <utf8proc.h>

#include "libs/base/check.h"
#include "libs/unicode/utf8.h"

namespace unicode {

std::size_t NextGrapheme(std::string_view text, std::size_t offset) {
  CHECK(offset < text.size());
  Decoded previous = DecodeUtf8(text, offset);
  std::size_t end = offset + previous.length;
  utf8proc_int32_t state = 0;  // carries what a pair alone cannot say: regional indicators and emoji joined by ZWJ
  while (previous.valid && end < text.size()) {
    const Decoded next = DecodeUtf8(text, end);
    if (!next.valid || end + next.length - offset > kGraphemeBytesMax) break;
    if (utf8proc_grapheme_break_stateful(static_cast<utf8proc_int32_t>(previous.code_point),
                                         static_cast<utf8proc_int32_t>(next.code_point), &state)) {
      break;
    }
    end += next.length;
    previous = next;
  }
  return end;
}

}  // namespace unicode
