#pragma once

#include <cstdint>
#include <string_view>

#include "proto/bus/v1/bus.pb.h"

namespace media {

// What an attachment is to a user. kNone has no file that could be fetched: a location, a contact, a link.
enum class Kind { kNone, kImage, kSticker, kAudio, kVideo, kDocument, kStory };

// By the channel's own word for the attachment (channels.md 2.1 to 2.3).
Kind KindOf(std::string_view attachment_type);

// The largest file that the channel itself lets through (channels.md 3.4). Beyond it, it is not what it says.
std::int64_t BytesMax(mesh::bus::v1::Channel channel, Kind kind);

std::string_view Noun(Kind kind);  // with its article: "an image"

}  // namespace media
