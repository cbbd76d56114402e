#pragma once

#include <cstddef>
#include <memory>
#include <span>
#include <string>
#include <string_view>
#include <vector>

#include "absl/status/status.h"
#include "absl/status/statusor.h"
#include "libs/base/clock.h"
#include "libs/redis/options.h"
#include "libs/redis/reply.h"

namespace redis {

// One command as its arguments; bytes are sent as they are. The views must live until the call returns.
using Command = std::vector<std::string_view>;

// Commands sent in one write and answered in order; at most kPipelineCommandsMax, because their answers are all in
// memory at once.
constexpr std::size_t kPipelineCommandsMax = 1024;

// One TCP connection, RESP2. Blocking, with a deadline on every call: the command timeout of the options or the
// caller's deadline, whichever comes first.
//
// After any failure of the transport (Unavailable, DeadlineExceeded) it is closed, because an answer that comes late
// would be taken for that of the next command. It never reconnects by itself; the Pool replaces it.
// Threading: confined to one thread at a time.
// REQUIRES:  SIGPIPE is ignored in the process (app::Runner does it), because hiredis writes with write(2).
class Connection {
 public:
  // Connects, then AUTH when a password file is given and CLIENT SETNAME. Unavailable names host, port and the cause.
  static absl::StatusOr<std::unique_ptr<Connection>> Connect(const RedisOptions& options, std::string_view client_name,
                                                             base::MonotonicTime deadline);
  ~Connection();
  Connection(const Connection&) = delete;
  Connection& operator=(const Connection&) = delete;

  // Unavailable (transport; Redis cannot serve), DeadlineExceeded, or the status of an error answer.
  absl::StatusOr<Reply> Run(const Command& command, base::MonotonicTime deadline);

  // One answer per command; error answers are values of the result. Only the transport makes the whole call fail.
  // REQUIRES: 1 <= commands.size() <= kPipelineCommandsMax
  absl::StatusOr<std::vector<Reply>> RunPipeline(std::span<const Command> commands, base::MonotonicTime deadline);

  // False when the peer closed an idle connection: its first command would fail for no good reason.
  bool UsableAfterIdle() const;
  bool open() const;

 private:
  struct Rep;
  explicit Connection(std::unique_ptr<Rep> rep);
  absl::Status Fail(std::string_view doing, base::MonotonicTime deadline);

  std::unique_ptr<Rep> rep_;
};

}  // namespace redis
