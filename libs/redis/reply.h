#pragma once

#include <cstdint>
#include <span>
#include <string>
#include <string_view>
#include <vector>

#include "absl/status/status.h"

namespace redis {

// An answer of the server as a plain value. An error answer inside a pipeline or an array is a value too (kError).
struct Reply {
  enum class Kind { kNil, kInteger, kString, kArray, kError };

  Kind kind = Kind::kNil;
  std::int64_t integer = 0;     // kInteger
  std::string text;             // kString: the bytes; kError: the server's message
  std::vector<Reply> elements;  // kArray

  bool is_nil() const { return kind == Kind::kNil; }
  absl::Status ErrorStatus() const;  // OK unless kError; see StatusFromErrorReply
};

// What an error answer means to a caller. The first word decides:
//   Unavailable  the server cannot serve now and will later, or an operator must act while work waits: LOADING, MISCONF
//                (disk full), READONLY (a demoted primary), OOM, BUSY, MASTERDOWN, CLUSTERDOWN, TRYAGAIN, NOREPLICAS,
//                the limit of clients, and refused credentials (NOAUTH, WRONGPASS, NOPERM: a wrong password must not
//                send work to the dead letter)
//   NotFound     NOSCRIPT
//   Internal     everything else: a command or a key of ours is wrong
// Word list: https://redis.io/docs/latest/develop/reference/protocol-spec/#simple-errors and redis 7.0 src/server.c.
absl::Status StatusFromErrorReply(std::string_view message);

// The lower-case first word of an error answer when StatusFromErrorReply knows it, else "other": a metric label.
std::string_view ErrorKind(std::string_view message);
std::span<const std::string_view> ErrorKinds();  // all values that ErrorKind can give

// True when the answer says that this server serves nobody at present (LOADING, MISCONF, READONLY, ...), not just this
// command: then a Pool stops asking until a probe succeeds.
bool SaysServerIsDown(std::string_view message);

}  // namespace redis
