#include "libs/channel/internal/markup.h"

#include <algorithm>

namespace channel {
namespace {

constexpr std::string_view kSpaces = " \t";
constexpr std::string_view kCodeBlock = "```";

std::string_view Trimmed(std::string_view text) {
  const std::size_t begin = text.find_first_not_of(kSpaces);
  if (begin == std::string_view::npos) return {};
  return text.substr(begin, text.find_last_not_of(kSpaces) - begin + 1);
}

std::size_t RunLength(std::string_view text, char c) { return std::min(text.find_first_not_of(c), text.size()); }

// The fence that begins a code block, "```" or longer, or of tildes; "" for other lines.
std::string_view FenceOf(std::string_view line) {
  line = Trimmed(line);
  for (const char c : {'`', '~'}) {
    if (const std::size_t length = RunLength(line, c); length >= 3) return line.substr(0, length);
  }
  return {};
}

bool ClosesFence(std::string_view line, std::string_view fence) {
  line = Trimmed(line);
  return line.size() >= fence.size() && RunLength(line, fence.front()) == line.size();
}

bool IsRule(std::string_view line) {
  line = Trimmed(line);
  if (line.empty() || std::string_view("-*_").find(line.front()) == std::string_view::npos) return false;
  const auto marks = std::ranges::count(line, line.front());
  return marks >= 3 && std::ranges::all_of(line, [&](char c) { return c == line.front() || c == ' '; });
}

bool IsTableRow(std::string_view line) {
  line = Trimmed(line);
  return line.size() >= 2 && line.front() == '|' && line.back() == '|';
}

bool IsTableRule(std::string_view line) {
  return IsTableRow(line) && line.find_first_not_of("|-: \t") == std::string_view::npos &&
         line.find('-') != std::string_view::npos;
}

std::string TableRow(std::string_view line, Markup markup) {
  line = Trimmed(line);
  line = line.substr(1, line.size() - 2);
  std::string row;
  while (true) {
    const std::size_t bar = line.find('|');
    row += FormatInline(Trimmed(line.substr(0, bar)), markup);
    if (bar == std::string_view::npos) return row;
    row += " | ";
    line.remove_prefix(bar + 1);
  }
}

std::string Heading(std::string_view words, Markup markup) {
  // "# Title #": the closing marks belong to the heading where a space stands before them.
  const std::string_view without = words.substr(0, words.find_last_not_of('#') + 1);
  if (without.empty() || without.back() == ' ') words = Trimmed(without);
  if (words.empty()) return {};
  std::string text = FormatInline(words, markup, /*in_bold=*/true);
  return markup == Markup::kWhatsApp ? "*" + text + "*" : text;
}

// A line outside of code blocks, without its end.
std::string Line(std::string_view line, Markup markup) {
  if (IsRule(line)) return {};
  if (IsTableRow(line)) return TableRow(line, markup);
  const std::size_t indent = std::min(line.find_first_not_of(kSpaces), line.size());
  std::string text(line.substr(0, indent));
  line.remove_prefix(indent);
  if (const std::size_t level = RunLength(line, '#'); level >= 1 && level <= 6 && line.substr(level, 1) == " ") {
    return text + Heading(Trimmed(line.substr(level)), markup);
  }
  if (line.size() >= 2 && (line[0] == '*' || line[0] == '+') && line[1] == ' ') {
    text += "- ";
    line.remove_prefix(2);
  } else if (line.starts_with("> ")) {
    text += "> ";
    line.remove_prefix(2);
  }
  return text + FormatInline(line, markup);
}

}  // namespace

std::string FormatMarkdown(std::string_view markdown, Markup markup) {
  const std::string_view whole = markdown;
  std::string text;
  text.reserve(markdown.size());
  std::string_view fence;  // of the code block that is open
  bool first = true;
  const auto add = [&](std::string_view line) {
    if (!first) text += '\n';
    first = false;
    text += line;
  };
  while (true) {
    const std::size_t end = markdown.find('\n');
    const std::string_view line = markdown.substr(0, end);
    if (!fence.empty()) {
      const bool closes = ClosesFence(line, fence);
      if (!closes) add(line);
      if (closes && markup == Markup::kWhatsApp) add(kCodeBlock);
      if (closes) fence = {};
    } else if (fence = FenceOf(line); !fence.empty()) {
      if (markup == Markup::kWhatsApp) add(kCodeBlock);
    } else if (!IsTableRule(line)) {
      add(Line(line, markup));
    }
    if (end == std::string_view::npos) break;
    markdown.remove_prefix(end + 1);
  }
  if (!fence.empty() && markup == Markup::kWhatsApp) add(kCodeBlock);
  // Nothing but marks: better shown as they are than not at all.
  return text.find_first_not_of(" \t\n") == std::string::npos ? std::string(whole) : text;
}

}  // namespace channel
