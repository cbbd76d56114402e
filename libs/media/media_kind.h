#pragma once

#include <cstdint>
#include <string_view>

#include "libs/attachment/file_kind.h"
#include "proto/bus/v1/bus.pb.h"

namespace media {

using attachment::Kind;
using attachment::KindOf;

// The largest file that the channel itself lets through (channels.md 3.4). Beyond it, it is not what it says.
std::int64_t BytesMax(mesh::bus::v1::Channel channel, Kind kind);

std::string_view Noun(Kind kind);  // with its article: "an image"

}  // namespace media
