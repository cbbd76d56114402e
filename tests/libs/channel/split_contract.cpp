#include "tests/libs/channel/split_contract.h"

#include "libs/unicode/category.h"
#include "libs/unicode/grapheme.h"
#include "libs/unicode/utf8.h"

namespace channel {
namespace {

constexpr std::string_view kEllipsis = "\u2026";

bool IsSpaceAt(std::string_view text, std::size_t at) {
  return unicode::IsWhitespace(unicode::DecodeUtf8(text, at).code_point);
}

// The end of the white space that begins at `at`, or where `words` begin.
std::size_t SkipSpace(std::string_view text, std::size_t at, std::string_view words) {
  while (at < text.size() && (words.empty() || !text.substr(at).starts_with(words)) && IsSpaceAt(text, at)) {
    at += unicode::DecodeUtf8(text, at).length;
  }
  return at;
}

bool IsRest(std::string_view text, std::size_t at, std::string_view words) {
  at = SkipSpace(text, at, words);
  return text.substr(at).starts_with(words) && SkipSpace(text, at + words.size(), "") == text.size();
}

std::string_view WithoutSpaceBehind(std::string_view text) {
  std::size_t end = 0;
  for (std::size_t at = 0; at < text.size();) {
    const bool is_space = IsSpaceAt(text, at);
    at += unicode::DecodeUtf8(text, at).length;
    if (!is_space) end = at;
  }
  return text.substr(0, end);
}

std::string BrokenPromiseOfAPart(std::string_view part, TextLimit limit) {
  if (part.empty()) return "a part is empty";
  if (LengthOf(part, limit.unit) > limit.length_max) return "a part is too long";
  return unicode::IsValidUtf8(part) ? "" : "a part is not UTF-8";
}

}  // namespace

std::string BrokenPromise(const std::vector<std::string>& parts, std::string_view raw, TextLimit limit,
                          std::size_t parts_max) {
  if (parts.size() > parts_max) return "too many parts";
  const std::string text = unicode::SanitizeUtf8(raw);
  std::vector<bool> boundary(text.size() + 1, false);
  for (std::size_t at = 0; at < text.size(); at = unicode::NextGrapheme(text, at)) boundary[at] = true;
  boundary[text.size()] = true;

  std::size_t at = 0;
  const std::size_t begin = SkipSpace(text, 0, parts.empty() ? "" : std::string_view(parts.front()));
  bool is_cut = false;
  for (std::size_t index = 0; index < parts.size(); ++index) {
    std::string_view words = parts[index];
    if (std::string broken = BrokenPromiseOfAPart(words, limit); !broken.empty()) return broken;
    is_cut = index + 1 == parts_max && words.ends_with(kEllipsis) && !IsRest(text, at, words);
    if (is_cut) words.remove_suffix(kEllipsis.size());
    at = SkipSpace(text, at, words);
    if (!text.substr(at).starts_with(words)) return "text is lost, or was not there";
    if (!boundary[at] || !boundary[at + words.size()]) return "a grapheme is cut";
    at += words.size();
  }
  if ((parts.size() > 1 || is_cut) &&
      LengthOf(WithoutSpaceBehind(std::string_view(text).substr(begin)), limit.unit) <= limit.length_max) {
    return "what fits is cut";
  }
  const bool is_whole = SkipSpace(text, at, "") == text.size();
  if (is_cut && is_whole) return "an ellipsis in the place of nothing";
  return is_whole || is_cut ? "" : "the end is lost";
}

}  // namespace channel
