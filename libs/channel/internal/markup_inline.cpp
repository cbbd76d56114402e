#include <algorithm>
#include <array>
#include <cstddef>
#include <vector>

#include "libs/channel/internal/markup.h"
#include "libs/unicode/category.h"
#include "libs/unicode/utf8.h"

namespace channel {
namespace {

constexpr std::size_t kLinkWordsMax = 1000, kLinkAddressMax = 2048;  // bytes; what is longer is no link
constexpr std::size_t kTicksMax = 3;
constexpr std::size_t kOpenMax = 64;  // marks that wait for a partner; what comes then is text

bool IsSpace(char32_t c) { return c == 0 || unicode::IsWhitespace(c); }
bool IsWord(char32_t c) { return unicode::IsLetter(c) || unicode::IsNumber(c); }
bool IsAsciiWord(char32_t c) { return c < 0x80 && IsWord(c); }

// Some marks of one kind side by side, such as "**".
struct Marks {
  char mark = 0;
  std::size_t left = 0;  // that have found no partner
  bool opens = false, closes = false;
  bool behind_word = false;              // of a script without spaces; the apps would not see the mark
  std::string closed = {}, opened = {};  // what stands for those that have one, before and behind
};

// A piece of the result: text, or marks between texts.
struct Piece {
  std::string text;
  Marks marks;  // mark 0: this is text
};

// Turns a line into pieces from left to right, matching marks as they close (as CommonMark 0.31, "process emphasis",
// within a line and without its rule of three).
class InlineFormatter {
 public:
  InlineFormatter(std::string_view line, Markup markup, bool in_bold)
      : line_(line), markup_(markup), in_bold_(in_bold) {}

  std::string Format() && {
    while (at_ < line_.size()) {
      if (!TakeEscape() && !TakeCode() && !TakeLink() && !TakeAddress() && !TakeMarks()) TakeByte();
    }
    std::string text;
    for (const Piece& piece : pieces_) {
      text += piece.text;
      text += piece.marks.closed;
      text.append(piece.marks.left, piece.marks.mark);
      text += piece.marks.opened;
    }
    return text;
  }

 private:
  std::string& Text() {
    if (pieces_.empty() || pieces_.back().marks.mark != 0) pieces_.emplace_back();
    return pieces_.back().text;
  }

  void TakeByte() { Text() += line_[at_++]; }

  bool TakeEscape() {
    constexpr std::string_view kEscapable = "\\`*_{}[]()#+-.!~|>";
    if (line_[at_] != '\\' || at_ + 1 >= line_.size()) return false;
    if (kEscapable.find(line_[at_ + 1]) == std::string_view::npos) return false;
    Text() += line_[at_ + 1];
    at_ += 2;
    return true;
  }

  std::size_t RunAt(std::size_t at) const {
    return std::min(line_.find_first_not_of(line_[at], at), line_.size()) - at;
  }

  // `code`: nothing within it is a mark.
  bool TakeCode() {
    if (line_[at_] != '`') return false;
    const std::size_t ticks = RunAt(at_);
    const std::size_t begin = at_ + ticks;
    const std::size_t end = ticks <= kTicksMax ? EndOfCode(begin, ticks) : std::string_view::npos;
    if (end == std::string_view::npos) {
      Text() += line_.substr(at_, ticks);
      at_ = begin;
      return true;
    }
    const std::string_view mark = markup_ == Markup::kWhatsApp ? "`" : "";
    (Text() += mark) += line_.substr(begin, end - begin);
    Text() += mark;
    at_ = end + ticks;
    return true;
  }

  std::size_t EndOfCode(std::size_t from, std::size_t ticks) {
    if (no_more_ticks_[ticks]) return std::string_view::npos;
    while ((from = line_.find('`', from)) != std::string_view::npos) {
      const std::size_t length = RunAt(from);
      if (length == ticks) return from;
      from += length;
    }
    no_more_ticks_[ticks] = true;
    return std::string_view::npos;
  }

  // [words](address) and ![words](address); an address may have balanced parentheses, and a "title" behind it.
  bool TakeLink() {
    const std::size_t open = line_[at_] == '!' ? at_ + 1 : at_;
    if (open >= line_.size() || line_[open] != '[') return false;
    const std::string_view words = line_.substr(open + 1, kLinkWordsMax);
    const std::size_t close = words.find(']');
    if (close == std::string_view::npos || words.substr(close + 1, 1) != "(") return false;
    const std::string_view rest = line_.substr(open + 1 + close + 2, kLinkAddressMax);
    std::size_t end = 0;
    for (std::size_t depth = 1; end < rest.size(); ++end) {
      if (rest[end] == '(') ++depth;
      if (rest[end] == ')' && --depth == 0) break;
    }
    if (end == rest.size()) return false;
    const std::string_view address = rest.substr(0, std::min(rest.find(' '), end));
    const std::string shown = FormatInline(words.substr(0, close), markup_, in_bold_);
    if (shown.empty() || shown == address) {
      Text() += address;
    } else {
      Text() += shown;
      if (!address.empty()) ((Text() += " (") += address) += ")";
    }
    at_ = open + 1 + close + 2 + end + 1;
    return true;
  }

  // <https://example.com>
  bool TakeAddress() {
    const std::string_view rest = line_.substr(at_, kLinkAddressMax);
    if (!rest.starts_with("<http://") && !rest.starts_with("<https://") && !rest.starts_with("<mailto:")) return false;
    const std::size_t end = rest.find_first_of("> ");
    if (end == std::string_view::npos || rest[end] != '>') return false;
    Text() += rest.substr(1, end - 1);
    at_ += end + 1;
    return true;
  }

  char32_t Before(std::size_t at) const {
    if (at == 0) return 0;
    std::size_t begin = at - 1;
    while (begin > 0 && at - begin < 4 && (static_cast<unsigned char>(line_[begin]) & 0xC0) == 0x80) --begin;
    return unicode::DecodeUtf8(line_, begin).code_point;
  }
  char32_t Behind(std::size_t at) const { return at < line_.size() ? unicode::DecodeUtf8(line_, at).code_point : 0; }

  bool TakeMarks() {
    const char mark = line_[at_];
    if (mark != '*' && mark != '_' && mark != '~') return false;
    const std::size_t length = RunAt(at_);
    const char32_t before = Before(at_), behind = Behind(at_ + length);
    at_ += length;
    if (length > 3 || (mark == '~' && length != 2) || open_.size() == kOpenMax) {
      Text() += std::string(length, mark);
      return true;
    }
    Marks marks{.mark = mark, .left = length, .opens = !IsSpace(behind), .closes = !IsSpace(before)};
    // Beside ASCII words it is no formatting: snake_case, 2*3*4, x**2. Scripts without spaces have no other place for
    // it.
    if (IsAsciiWord(before) || (length == 1 && IsWord(before))) marks.opens = false;
    if (IsAsciiWord(behind) || (length == 1 && IsWord(behind))) marks.closes = false;
    if (marks.closes) Match(marks, IsWord(behind));
    marks.behind_word = IsWord(before);
    marks.opens = marks.opens && marks.left > 0;
    if (marks.opens) open_.push_back(pieces_.size());
    pieces_.push_back({.text = {}, .marks = std::move(marks)});
    return true;
  }

  void Match(Marks& closer, bool closes_in_word) {
    while (closer.left > 0) {
      const auto found = std::find_if(open_.rbegin(), open_.rend(),
                                      [&](std::size_t piece) { return pieces_[piece].marks.mark == closer.mark; });
      if (found == open_.rend()) return;
      // Whatever opened behind it stays open without a partner.
      open_.erase(found.base(), open_.end());
      Marks& opener = pieces_[open_.back()].marks;
      const std::size_t count = opener.left >= 2 && closer.left >= 2 ? 2 : 1;
      const bool is_seen = !opener.behind_word && !closes_in_word;
      const std::string shown = is_seen ? ShownMark(closer.mark, count) : std::string();
      opener.left -= count;
      closer.left -= count;
      opener.opened = shown + opener.opened;
      closer.closed += shown;
      if (opener.left == 0) open_.pop_back();
    }
  }

  std::string ShownMark(char mark, std::size_t count) const {
    if (markup_ == Markup::kPlain) return {};
    if (mark == '~') return "~";
    if (count == 1) return "_";
    return in_bold_ ? "" : "*";
  }

  const std::string_view line_;
  const Markup markup_;
  const bool in_bold_;
  std::size_t at_ = 0;
  std::vector<Piece> pieces_;
  std::vector<std::size_t> open_;                    // pieces with marks that wait for a partner
  std::array<bool, kTicksMax + 1> no_more_ticks_{};  // of so many no run is left in the line
};

}  // namespace

std::string FormatInline(std::string_view line, Markup markup, bool in_bold) {
  return InlineFormatter(line, markup, in_bold).Format();
}

}  // namespace channel
