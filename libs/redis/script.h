#pragma once

#include <mutex>
#include <span>
#include <string>
#include <string_view>
#include <vector>

#include "absl/status/statusor.h"
#include "libs/base/clock.h"
#include "libs/redis/pool.h"
#include "libs/redis/reply.h"

namespace redis {

// A Lua script that runs inside Redis, atomically, by its SHA. The server's cache of scripts is empty after a restart,
// a failover or SCRIPT FLUSH; it is then loaded with SCRIPT LOAD and run again. EVAL is never used, so that an ACL may
// forbid it (the user needs +evalsha +script|load).
//
// Threading: safe from any thread. Make one per source and keep it for the process's life.
class Script {
 public:
  Script(std::string_view name, std::string_view source) : name_(name), source_(source) {}
  Script(const Script&) = delete;
  Script& operator=(const Script&) = delete;

  std::string_view name() const { return name_; }

 private:
  friend absl::StatusOr<std::vector<Reply>> RunScripts(Pool::Lease& lease, std::span<const struct ScriptCall> calls,
                                                       base::MonotonicTime deadline);
  absl::StatusOr<std::string> Load(Pool::Lease& lease, base::MonotonicTime deadline) const;

  const std::string name_;
  const std::string source_;
  mutable std::mutex mutex_;
  mutable std::string sha_;  // protected by mutex_; empty until the first load
};

struct ScriptCall {
  const Script* script = nullptr;
  std::vector<std::string> keys;
  std::vector<std::string> arguments;
};

// Runs the calls in order in one round trip (more only when scripts must be loaded first). Each call is atomic, the
// list is not: when the transport fails, any first part of it may have run. When a script was missing, it and the calls
// after it run again, so a call must be idempotent. An error answer of any call fails the whole with its status.
// REQUIRES: 1 <= calls.size() <= kPipelineCommandsMax
absl::StatusOr<std::vector<Reply>> RunScripts(Pool::Lease& lease, std::span<const ScriptCall> calls,
                                              base::MonotonicTime deadline);

}  // namespace redis
