#include "libs/channel/internal/split_text.h"

#include <array>
#include <optional>

#include "libs/base/check.h"
#include "libs/unicode/category.h"
#include "libs/unicode/grapheme.h"
#include "libs/unicode/utf8.h"

namespace channel {
namespace {

constexpr std::string_view kEllipsis = "\u2026";

// How good a place for a cut is; a later enumerator is better.
enum class Boundary { kWord, kSentence, kLine, kParagraph };
constexpr std::size_t kBoundaryCount = 4;

// A part ends at `content_end`; the text goes on at `next_begin`. Between them stands only white space.
struct Cut {
  std::size_t content_end = 0;
  std::size_t next_begin = 0;
};

struct Grapheme {
  std::size_t begin = 0;
  std::size_t end = 0;
  bool is_space = false;  // nothing but white space, so that it may be dropped at a cut
  bool is_newline = false;
  char32_t first = 0;
};

Grapheme GraphemeAt(std::string_view text, std::size_t offset) {
  Grapheme grapheme{.begin = offset, .end = unicode::NextGrapheme(text, offset)};
  const unicode::Decoded decoded = unicode::DecodeUtf8(text, offset);
  grapheme.first = decoded.code_point;
  const bool is_crlf = text.substr(offset, grapheme.end - offset) == "\r\n";
  // White space with a combining mark is visible: only a lone code point (or CR LF) counts.
  grapheme.is_space = is_crlf || (decoded.length == grapheme.end - offset && unicode::IsWhitespace(decoded.code_point));
  grapheme.is_newline = is_crlf || (grapheme.is_space && (decoded.code_point == '\n' || decoded.code_point == 0x2029));
  return grapheme;
}

bool EndsSentence(char32_t c) { return c == '.' || c == '!' || c == '?' || c == 0x2026; }
// Scripts without spaces: a sentence may end here with nothing behind it.
bool EndsSentenceAlone(char32_t c) { return c == 0x3002 || c == 0xFF01 || c == 0xFF1F || c == 0x0964; }
bool ClosesQuote(char32_t c) {
  return c == '"' || c == '\'' || c == ')' || c == ']' || c == 0x2019 || c == 0x201D || c == 0x300D || c == 0xFF09;
}

std::size_t SkipSpace(std::string_view text, std::size_t offset) {
  while (offset < text.size()) {
    const Grapheme grapheme = GraphemeAt(text, offset);
    if (!grapheme.is_space) break;
    offset = grapheme.end;
  }
  return offset;
}

// Reads one part's worth of text and remembers the best places for a cut.
class PartScanner {
 public:
  PartScanner(std::string_view text, std::size_t begin, TextLimit limit) : text_(text), at_(begin), limit_(limit) {}

  // Where the part that begins here ends. `next_begin` is text.size() when all the rest fits.
  Cut FindCut() {
    while (at_ < text_.size()) {
      const Grapheme grapheme = GraphemeAt(text_, at_);
      if (grapheme.is_space) {
        TakeSpaces();
        continue;
      }
      const std::size_t length = spaces_length_ + Length(grapheme.begin, grapheme.end);
      if (used_ + length > limit_.length_max) return Best(grapheme.begin);
      if (after_lone_sentence_end_ && spaces_length_ == 0 && !ClosesQuote(grapheme.first)) {
        Remember(Boundary::kSentence, {grapheme.begin, grapheme.begin});
      }
      TakeContent(grapheme, length);
    }
    return {content_end_, text_.size()};
  }

 private:
  std::size_t Length(std::size_t begin, std::size_t end) const {
    return LengthOf(text_.substr(begin, end - begin), limit_.unit);
  }

  void TakeContent(const Grapheme& grapheme, std::size_t length) {
    used_ += length;
    spaces_length_ = 0;
    if (!ClosesQuote(grapheme.first)) {
      after_lone_sentence_end_ = EndsSentenceAlone(grapheme.first);
      after_sentence_end_ = after_lone_sentence_end_ || EndsSentence(grapheme.first);
    }
    content_end_ = grapheme.end;
    at_ = grapheme.end;
  }

  // White space counts only once something follows it inside the part: at a cut it is dropped.
  void TakeSpaces() {
    const std::size_t begin = at_;
    int newlines = 0;
    while (at_ < text_.size()) {
      const Grapheme grapheme = GraphemeAt(text_, at_);
      if (!grapheme.is_space) break;
      newlines += grapheme.is_newline ? 1 : 0;
      at_ = grapheme.end;
    }
    spaces_length_ = Length(begin, at_);
    Boundary boundary = Boundary::kWord;
    if (newlines >= 2) {
      boundary = Boundary::kParagraph;
    } else if (newlines == 1) {
      boundary = Boundary::kLine;
    } else if (after_sentence_end_) {
      boundary = Boundary::kSentence;
    }
    Remember(boundary, {begin, at_});
  }

  void Remember(Boundary boundary, Cut cut) {
    // Any boundary but a word's must leave at least half a part, or a short heading would travel alone.
    if (boundary != Boundary::kWord && used_ * 2 < limit_.length_max) boundary = Boundary::kWord;
    best_[static_cast<std::size_t>(boundary)] = cut;
  }

  Cut Best(std::size_t overflow_begin) const {
    for (std::size_t i = kBoundaryCount; i-- > 0;) {
      if (best_[i]) return *best_[i];
    }
    return {overflow_begin, overflow_begin};  // one endless word: between two graphemes
  }

  std::string_view text_;
  std::size_t at_;
  TextLimit limit_;
  std::size_t content_end_ = 0;
  std::size_t used_ = 0;           // length of the content so far, white space inside it included
  std::size_t spaces_length_ = 0;  // white space behind the content, not counted yet
  bool after_sentence_end_ = false;
  bool after_lone_sentence_end_ = false;
  std::array<std::optional<Cut>, kBoundaryCount> best_;
};

}  // namespace

std::size_t LengthOf(std::string_view text, LengthUnit unit) {
  return unit == LengthUnit::kBytes ? text.size() : unicode::CodePointCount(text);
}

std::vector<std::string> SplitText(std::string_view raw, TextLimit limit, std::size_t parts_max,
                                   std::vector<std::size_t>* begins) {
  CHECK(parts_max > 0);
  CHECK(limit.length_max > unicode::kGraphemeBytesMax + kEllipsis.size());
  const std::string text = unicode::SanitizeUtf8(raw);
  std::vector<std::string> parts;
  std::size_t begin = SkipSpace(text, 0);
  while (begin < text.size()) {
    if (begins != nullptr) begins->push_back(begin);
    Cut cut = PartScanner(text, begin, limit).FindCut();
    const bool has_more = cut.next_begin < text.size();
    if (has_more && parts.size() + 1 == parts_max) {
      TextLimit with_ellipsis = limit;
      with_ellipsis.length_max -= LengthOf(kEllipsis, limit.unit);
      cut = PartScanner(text, begin, with_ellipsis).FindCut();
      parts.push_back(text.substr(begin, cut.content_end - begin).append(kEllipsis));
      break;
    }
    parts.push_back(text.substr(begin, cut.content_end - begin));
    begin = cut.next_begin;
  }
  return parts;
}

std::string CutText(std::string_view raw, TextLimit limit) {
  std::string text = unicode::SanitizeUtf8(raw);
  if (LengthOf(text, limit.unit) <= limit.length_max) return text;
  const std::size_t length_max = limit.length_max - LengthOf(kEllipsis, limit.unit);
  std::size_t used = 0;
  std::size_t end = 0;
  while (true) {
    const std::size_t next = unicode::NextGrapheme(text, end);
    used += LengthOf(std::string_view(text).substr(end, next - end), limit.unit);
    if (used > length_max) break;
    end = next;
  }
  return text.substr(0, end).append(kEllipsis);
}

}  // namespace channel
