#pragma once

#include <string>
#include <string_view>

#include "libs/channel/internal/fit_part.h"
#include "proto/bus/v1/bus.pb.h"

namespace channel::whatsapp {

// Codec::Fit (channels.md 3.4).
Parts FitPart(const mesh::bus::v1::OutboundPart& part);

// Whether Meta knows this id of a message: not empty, and not made here for one that came without.
bool IsPlatformId(std::string_view message_id);

// The body of POST .../messages (channels.md 3.1). `in_reply_to`: the message that is quoted; empty, or one whose id is
// our own derivation, for none. A reaction names its message itself.
std::string PartBody(std::string_view user, const mesh::bus::v1::OutboundPart& part, std::string_view in_reply_to,
                     std::string_view callback_data);

}  // namespace channel::whatsapp
