#pragma once

#include <cstddef>
#include <vector>

#include "libs/channel/codec.h"
#include "proto/bus/v1/bus.pb.h"

namespace sender {

// The sends of a reply, in order: its text in as many parts as it takes, then its rich parts as the channel can show
// them. Rich parts are said whatever `parts_max` is, up to channel::kReplyPartsMax in all; the text takes what they
// leave of it, but at least one part, and ends with an ellipsis where that is too little. Pure.
//
// Longer parts would be no way to spend fewer: each is as long as the channel takes.
std::vector<mesh::bus::v1::OutboundPart> PartsOf(const mesh::bus::v1::Reply& reply, const channel::Codec& codec,
                                                 std::size_t parts_max);

}  // namespace sender
