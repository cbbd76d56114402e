#pragma once

#include <string>
#include <string_view>

namespace channel {

// What a channel's apps show as bold, italic, struck out and code.
enum class Markup {
  kWhatsApp,  // *bold* _italic_ ~struck~ `code` ```block```, "- " lists, "> " quotes
  kPlain,     // Messenger and Instagram show every mark as it stands, so none is left
};

// Models write Markdown; this turns it into the channel's own formatting. Known are headings, bold, italic, struck out,
// code, lists, quotes, rules, tables, links and escapes; everything else stays as it is. No word of the text is lost,
// but for the language named behind a code fence, and a text of nothing but marks stays as it is. A link's address
// stands in parentheses behind its words.
//
// Pure; linear in the text. Marks that have no partner in their line, or stand where the apps would not see them as
// marks (in the middle of a word), are treated as text or dropped. The text may have ill-formed UTF-8; it is kept.
std::string FormatMarkdown(std::string_view markdown, Markup markup);

// The marks within one line; the part of FormatMarkdown that knows nothing of blocks. `in_bold`: the line will be bold
// as a whole, so that bold within it needs no mark.
std::string FormatInline(std::string_view line, Markup markup, bool in_bold = false);

}  // namespace channel
