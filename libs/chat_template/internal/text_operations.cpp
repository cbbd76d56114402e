#include "libs/chat_template/internal/text_operations.h"

#include <algorithm>
#include <string>
#include <utility>

#include "libs/chat_template/internal/error.h"
#include "libs/chat_template/internal/print.h"
#include "libs/chat_template/internal/python_text.h"
#include "libs/unicode/category.h"
#include "libs/unicode/utf8.h"

namespace chat_template::internal {
namespace {

// Start of the code point that ends at `end`. REQUIRES: end > 0 and valid UTF-8.
std::size_t PreviousStart(std::string_view text, std::size_t end) {
  std::size_t start = end - 1;
  while (start > 0 && (static_cast<unsigned char>(text[start]) & 0xC0U) == 0x80) --start;
  return start;
}

Value SliceValue(Runtime& runtime, const MarkedText& text, std::size_t begin, std::size_t end) {
  runtime.Step();
  runtime.Copy(end - begin);
  return Value(text.Slice(begin, end));
}

std::vector<Value> SplitAtSeparator(Runtime& runtime, const MarkedText& text, std::string_view separator,
                                    std::int64_t splits_max) {
  if (separator.empty()) FailOperation("splitting at empty text");
  std::vector<Value> parts;
  std::size_t begin = 0;
  while (splits_max < 0 || static_cast<std::int64_t>(parts.size()) < splits_max) {
    const std::size_t found = text.text().find(separator, begin);
    if (found == std::string::npos) break;
    parts.push_back(SliceValue(runtime, text, begin, found));
    begin = found + separator.size();
  }
  parts.push_back(SliceValue(runtime, text, begin, text.size()));
  return parts;
}

std::vector<Value> SplitAtSeparatorFromRight(Runtime& runtime, const MarkedText& text, std::string_view separator,
                                             std::int64_t splits_max) {
  if (separator.empty()) FailOperation("splitting at empty text");
  std::vector<Value> parts;
  std::size_t end = text.size();
  while (splits_max < 0 || static_cast<std::int64_t>(parts.size()) < splits_max) {
    if (end < separator.size()) break;
    const std::size_t found = text.text().rfind(separator, end - separator.size());
    if (found == std::string::npos) break;
    parts.push_back(SliceValue(runtime, text, found + separator.size(), end));
    end = found;
  }
  parts.push_back(SliceValue(runtime, text, 0, end));
  std::reverse(parts.begin(), parts.end());
  return parts;
}

std::vector<Value> SplitAtSpace(Runtime& runtime, const MarkedText& text, std::int64_t splits_max) {
  const std::string_view view = text.text();
  std::vector<Value> parts;
  std::size_t at = LeadingSpaceBytes(view);
  while (at < view.size()) {
    if (splits_max >= 0 && static_cast<std::int64_t>(parts.size()) >= splits_max) {
      parts.push_back(SliceValue(runtime, text, at, WithoutTrailingSpace(view)));
      break;
    }
    std::size_t end = at;
    while (end < view.size()) {
      const unicode::Decoded decoded = unicode::DecodeUtf8(view, end);
      if (IsPythonSpace(decoded.code_point)) break;
      end += decoded.length;
    }
    parts.push_back(SliceValue(runtime, text, at, end));
    at = end + LeadingSpaceBytes(view.substr(end));
  }
  return parts;
}

bool IsLineBreak(char32_t c) {
  return (c >= '\n' && c <= '\r') || (c >= 0x1C && c <= 0x1E) || c == 0x85 || c == 0x2028 || c == 0x2029;
}

// What a word is to Jinja's `title`: what stands behind one of these begins a new one.
bool BeginsTitleWord(char32_t previous) {
  return IsPythonSpace(previous) || previous == '-' || previous == '(' || previous == '{' || previous == '[' ||
         previous == '<';
}

}  // namespace

MarkedText Strip(Runtime& runtime, const MarkedText& text, Side side, const MarkedText* characters) {
  const std::string_view view = text.text();
  std::vector<char32_t> set;
  if (characters != nullptr) {
    for (std::size_t at = 0; at < characters->size();) {
      const unicode::Decoded decoded = unicode::DecodeUtf8(characters->text(), at);
      set.push_back(decoded.code_point);
      at += decoded.length;
    }
    std::sort(set.begin(), set.end());
  }
  const auto stripped = [&](std::size_t at) {
    const char32_t code_point = unicode::DecodeUtf8(view, at).code_point;
    return characters == nullptr ? IsPythonSpace(code_point) : std::binary_search(set.begin(), set.end(), code_point);
  };
  std::size_t begin = 0;
  std::size_t end = view.size();
  if (side != Side::kRight) {
    while (begin < end && stripped(begin)) begin += unicode::DecodeUtf8(view, begin).length;
  }
  if (side != Side::kLeft) {
    while (end > begin && stripped(PreviousStart(view, end))) end = PreviousStart(view, end);
  }
  runtime.Copy(view.size());  // walked, if not copied
  return text.Slice(begin, end);
}

MarkedText ChangeCase(Runtime& runtime, const MarkedText& text, Case wanted) {
  runtime.Copy(text.size());
  MarkedText changed;
  char32_t previous = ' ';
  for (std::size_t at = 0; at < text.size();) {
    const unicode::Decoded decoded = unicode::DecodeUtf8(text.text(), at);
    const bool upper = wanted == Case::kUpper || (wanted == Case::kCapitalize && at == 0) ||
                       (wanted == Case::kTitle && BeginsTitleWord(previous));
    std::string mapped;
    unicode::AppendUtf8(upper ? unicode::ToUpper(decoded.code_point) : unicode::ToLower(decoded.code_point), mapped);
    changed.Append(mapped, text.FromUserAt(at));
    previous = decoded.code_point;
    at += decoded.length;
  }
  return changed;
}

std::vector<Value> Split(Runtime& runtime, const MarkedText& text, const MarkedText* separator, std::int64_t splits_max,
                         bool from_right) {
  if (separator == nullptr) {
    if (from_right && splits_max >= 0) FailOperation("rsplit at white space with a limit is not supported");
    return SplitAtSpace(runtime, text, splits_max);
  }
  return from_right ? SplitAtSeparatorFromRight(runtime, text, separator->text(), splits_max)
                    : SplitAtSeparator(runtime, text, separator->text(), splits_max);
}

std::vector<Value> SplitLines(Runtime& runtime, const MarkedText& text) {
  std::vector<Value> lines;
  std::size_t begin = 0;
  for (std::size_t at = 0; at < text.size();) {
    const unicode::Decoded decoded = unicode::DecodeUtf8(text.text(), at);
    if (!IsLineBreak(decoded.code_point)) {
      at += decoded.length;
      continue;
    }
    lines.push_back(SliceValue(runtime, text, begin, at));
    at += decoded.length;
    if (decoded.code_point == '\r' && at < text.size() && text.text()[at] == '\n') ++at;
    begin = at;
  }
  if (begin < text.size()) lines.push_back(SliceValue(runtime, text, begin, text.size()));
  return lines;
}

MarkedText Replace(Runtime& runtime, const MarkedText& text, const MarkedText& from, const MarkedText& to,
                   std::int64_t count) {
  if (from.empty()) FailOperation("replacing empty text");
  MarkedText replaced;
  std::size_t begin = 0;
  for (std::int64_t done = 0; count < 0 || done < count; ++done) {
    const std::size_t found = text.text().find(from.text(), begin);
    if (found == std::string::npos) break;
    runtime.Step();
    runtime.Copy(found - begin + to.size());
    replaced.Append(text, begin, found);
    replaced.Append(to);
    begin = found + from.size();
  }
  runtime.Copy(text.size() - begin);
  replaced.Append(text, begin, text.size());
  return replaced;
}

MarkedText Join(Runtime& runtime, const MarkedText& separator, const std::vector<Value>& items) {
  MarkedText joined;
  for (std::size_t i = 0; i < items.size(); ++i) {
    runtime.Step();
    runtime.Copy(separator.size());
    if (i > 0) joined.Append(separator);
    joined.Append(ToText(runtime, items[i]));
  }
  return joined;
}

MarkedText Repeat(Runtime& runtime, const MarkedText& text, std::int64_t times) {
  MarkedText repeated;
  if (text.empty()) return repeated;
  for (std::int64_t i = 0; i < times; ++i) {
    runtime.Step();
    runtime.Copy(text.size());
    repeated.Append(text);
  }
  return repeated;
}

std::vector<Value> Characters(Runtime& runtime, const MarkedText& text) {
  std::vector<Value> characters;
  for (std::size_t at = 0; at < text.size();) {
    const std::size_t length = unicode::DecodeUtf8(text.text(), at).length;
    characters.push_back(SliceValue(runtime, text, at, at + length));
    at += length;
  }
  return characters;
}

}  // namespace chat_template::internal
