#pragma once

#include <string>
#include <string_view>

#include "proto/bus/v1/bus.pb.h"

namespace session {

// What history holds as the user's message: the text and which files came with it, or a sentence that names what came
// without text; and of any text as much as it takes (kTextBytesMax), whole code points. So whoever is answered by a
// later turn is answered in knowledge of them. One function each for whoever projects turns, so that a
// rebuilt history equals the first one.
std::string UserText(const mesh::bus::v1::Turn& turn);
// Whether the user may have sent a file with it: UserText says so of all that had one, and of a message that was unsent
// nothing is known any more.
bool MayNameFiles(std::string_view user_text);
std::string HistoryText(std::string_view text);

// What the history holds as the reply (through HistoryText): the answer as the model wrote it, also where parts of it
// are sent as something else than text.
inline const std::string& WrittenText(const mesh::bus::v1::Reply& reply) {
  return reply.history_text().empty() ? reply.text() : reply.history_text();
}

}  // namespace session
