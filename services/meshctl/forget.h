#pragma once

#include <cstdint>

#include "absl/status/statusor.h"
#include "libs/bus/options.h"
#include "libs/bus/producer.h"
#include "libs/session/client.h"
#include "proto/bus/v1/bus.pb.h"

namespace meshctl {

struct Forgotten {
  std::int64_t turns_count = 0;
  bool was_known = true;  // session had something of the conversation; what it cannot read is something
  // What is stored cannot be read, so nobody knows which turns had files.
  bool leaves_files_to_their_age = false;
};

// Deletes what was said so far: first in the log, then in the store, for a deletion that the log does not know would be
// undone by a rebuild. Blocks. An error says how far it came; it may be run again.
absl::StatusOr<Forgotten> ForgetConversation(bus::Producer& producer, session::Client& client,
                                             const mesh::bus::v1::ConversationId& conversation,
                                             const bus::BusOptions& options, std::int64_t now_ms);

}  // namespace meshctl
