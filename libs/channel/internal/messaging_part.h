#pragma once

#include <string>
#include <string_view>

#include "libs/channel/internal/fit_part.h"
#include "proto/bus/v1/bus.pb.h"

// What Messenger and Instagram send alike (channels.md 3.1, 3.4).
namespace channel {

// Codec::Fit. `channel`: CHANNEL_MESSENGER or CHANNEL_INSTAGRAM.
Parts FitMessagingPart(const mesh::bus::v1::OutboundPart& part, mesh::bus::v1::Channel channel, TextLimit limit);

// {"recipient","messaging_type","message"}. `metadata`: comes back in Messenger's echo; Instagram takes none, and no
// messaging_type.
std::string MessagingBody(std::string_view user, const mesh::bus::v1::OutboundPart& part,
                          mesh::bus::v1::Channel channel, std::string_view metadata);

}  // namespace channel
