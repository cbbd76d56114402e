#pragma once

#include <string>

#include "proto/bus/v1/bus.pb.h"

namespace session {

// What history holds as the user's message: the text, or a sentence that names what came without text. One function for
// whoever projects turns, so that a rebuilt history equals the first one.
std::string UserText(const mesh::bus::v1::Turn& turn);

}  // namespace session
