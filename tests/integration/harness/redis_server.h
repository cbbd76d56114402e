#pragma once

#include <cstdint>
#include <memory>
#include <string>

#include "absl/status/status.h"
#include "absl/status/statusor.h"
#include "tests/integration/harness/child_process.h"
#include "tests/integration/harness/temp_dir.h"

namespace harness {

// A real redis-server on a free port with an append-only file, as `make run` has it. Its port and data stay the same
// over Stop, Kill and Start; StartEmpty loses the data, as a failover may.
//
// Threading: one thread at a time.
class RedisServer {
 public:
  static absl::StatusOr<std::unique_ptr<RedisServer>> StartNew();  // started and ready

  std::string address() const { return "127.0.0.1:" + std::to_string(port_); }
  std::uint16_t port() const { return port_; }
  std::string log_path() const { return dir_.File("redis.log"); }

  absl::Status Start();       // returns when it answers PING. REQUIRES: not running
  absl::Status StartEmpty();  // the same with all data gone. REQUIRES: not running

  void Stop();                         // SIGTERM
  void Kill() { process_->Kill(); }    // kill -9
  void Pause() { process_->Pause(); }  // connections stay, no answers
  void Resume() { process_->Resume(); }

 private:
  RedisServer() = default;

  TempDir dir_;
  std::uint16_t port_ = 0;
  std::unique_ptr<ChildProcess> process_;
};

}  // namespace harness
