#pragma once

#include <cstdint>
#include <memory>
#include <string>

#include "absl/status/status.h"
#include "absl/status/statusor.h"
#include "tests/integration/harness/child_process.h"
#include "tests/integration/harness/temp_dir.h"

namespace harness {

// A real single-node Kafka broker on free ports, with the settings of scripts/kafka/server.properties.in. Its port and
// data stay the same over Stop, Kill and Start. Ready in about 5 s (format 2 s, start 3 s), about 350 MB.
//
// The jars are in the folder named by MESH_KAFKA_LIBS, else .run/kafka/libs (scripts/kafka/fetch_jars.sh brings them).
// Threading: one thread at a time.
class KafkaBroker {
 public:
  // Started and ready. `extra_properties` are lines appended to the settings.
  static absl::StatusOr<std::unique_ptr<KafkaBroker>> StartNew(const std::string& extra_properties = "");

  std::string address() const { return "127.0.0.1:" + std::to_string(port_); }
  std::uint16_t port() const { return port_; }
  std::string log_path() const { return dir_.File("kafka.log"); }

  // Returns when the broker answers requests. REQUIRES: not running
  absl::Status Start();

  void Stop();                         // SIGTERM: the broker writes its state and leaves
  void Kill() { process_->Kill(); }    // kill -9
  void Pause() { process_->Pause(); }  // connections stay, no answers: a broker that hangs
  void Resume() { process_->Resume(); }

 private:
  KafkaBroker() = default;
  absl::Status Format(const std::string& extra_properties);
  std::vector<std::string> JavaCommand(const std::string& heap, const std::string& main_class) const;

  TempDir dir_;
  std::uint16_t port_ = 0;
  std::string libs_;
  std::unique_ptr<ChildProcess> process_;
};

}  // namespace harness
