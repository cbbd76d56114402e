#pragma once

#include <cstdint>
#include <optional>

#include "libs/channel/codec.h"
#include "libs/channel/graph_error.h"

namespace channel {

// What this project does on each error code of the Graph API: channels.md 3.2, the column "action".
struct GraphErrorRule {
  std::int32_t code_first = 0;  // inclusive range of `error.code`
  std::int32_t code_last = 0;
  GraphErrorClass error_class = GraphErrorClass::kUnknown;
  SendVerdict verdict = SendVerdict::kFail;
  BackoffScope backoff_scope = BackoffScope::kReply;
  bool retry_once = false;
};

// nullopt for a code the table does not know. On overlapping ranges the narrower one stands first.
std::optional<GraphErrorRule> FindGraphErrorRule(std::int64_t code, std::int64_t subcode = 0);

}  // namespace channel
