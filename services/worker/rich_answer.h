#pragma once

#include <string>
#include <string_view>
#include <vector>

#include "libs/account/account.h"
#include "proto/bus/v1/bus.pb.h"

namespace worker {

// An answer's text, taken apart (docs/rich-answers.md).
struct RichAnswer {
  std::string words;                               // the text without what became a part
  std::vector<mesh::bus::v1::OutboundPart> parts;  // files and reaction as they stood in it, then the choices
};

// Finds in the model's text
//   - a paragraph that is one Markdown image, `![caption](https://host/path.ext)`: a file, by its extension, if its
//     host is one of `account.rich_link_hosts`. Others would let a message talk the model into sending what it knows
//     away, in the path of a link that the platform fetches by itself;
//   - a fenced block ```choices with a question and lines `- title`;
//   - a fenced block ```react with one emoji: a reaction to `message_id`, the user's message.
// Whatever is not exactly so stays text; so does what is beyond kFilesMax files, one block of choices and one reaction.
// Pure, linear in the text. Without a part `words` is `text`, byte for byte.
RichAnswer ParseRichAnswer(std::string_view text, const account::Account& account, std::string_view message_id);

inline constexpr int kFilesMax = 4;
inline constexpr int kChoicesMax = 20;

// Moves what `reply.text` holds of parts to `reply.rich_parts`; `history_text` keeps the whole.
void TakeRichParts(const account::Account& account, std::string_view message_id, mesh::bus::v1::Reply& reply);

}  // namespace worker
