#pragma once

#include <string>
#include <string_view>

#include "absl/status/statusor.h"
#include "proto/bus/v1/bus.pb.h"
#include "proto/session/v1/session.pb.h"

namespace meshctl {

// The user whom an operator names with --from, as webhooks and so all records name them: WhatsApp's numbers have no
// plus. InvalidArgument for what can be no user of the channel: it would name a conversation that nobody has.
//
// A business-scoped id of WhatsApp is opaque but for its country: "US.1349..." (channels.md 2.1).
absl::StatusOr<std::string> UserFrom(mesh::bus::v1::Channel channel, std::string_view text);

// Whether session has anything of a conversation: words, a pause or an opt-out.
bool IsKnown(const mesh::session::v1::GetSessionResponse& stored);

}  // namespace meshctl
