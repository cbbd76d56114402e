#include "tests/integration/harness/kafka_broker.h"

#include <chrono>
#include <cstdlib>
#include <filesystem>
#include <fstream>
#include <iterator>
#include <utility>

#include "libs/base/str_cat.h"
#include "tests/integration/harness/net.h"
#include "tests/integration/harness/wait.h"

namespace harness {
namespace {

constexpr auto kFormatTimeout = std::chrono::seconds(60);
constexpr auto kReadyTimeout = std::chrono::seconds(60);
constexpr auto kStopGrace = std::chrono::seconds(15);

// After a kill the controller holds the broker's old registration until its session ends, and the restart waits for
// that.
constexpr const char* kFastRestart = "broker.session.timeout.ms=2000\nbroker.heartbeat.interval.ms=400\n";

// ApiVersions, version 0 (https://kafka.apache.org/protocol#The_Messages_ApiVersions): the first request that a broker
// answers once it processes requests at all. Size, key 18, version 0, correlation id 1, null client id.
constexpr std::string_view kApiVersionsRequest("\0\0\0\x0a\0\x12\0\0\0\0\0\x01\xff\xff", 14);

std::string LibsFolder() {
  const char* folder = std::getenv("MESH_KAFKA_LIBS");
  return folder != nullptr ? folder : ".run/kafka/libs";
}

void Replace(std::string* text, const std::string& name, const std::string& value) {
  for (std::size_t at = text->find(name); at != std::string::npos; at = text->find(name, at + value.size())) {
    text->replace(at, name.size(), value);
  }
}

// The last lines of a log, for the message of a failure.
std::string Tail(const std::string& path) {
  std::ifstream file(path);
  const std::string text((std::istreambuf_iterator<char>(file)), std::istreambuf_iterator<char>());
  return text.substr(text.size() > 2000 ? text.size() - 2000 : 0);
}

}  // namespace

absl::StatusOr<std::unique_ptr<KafkaBroker>> KafkaBroker::StartNew(const std::string& extra_properties) {
  std::unique_ptr<KafkaBroker> broker(new KafkaBroker);
  broker->libs_ = LibsFolder();
  if (!std::filesystem::exists(broker->libs_)) {
    return absl::NotFoundError(
        base::StrCat("no Kafka jars in ", broker->libs_, ": run scripts/kafka/fetch_jars.sh, or set MESH_KAFKA_LIBS"));
  }
  // Between choosing a port and listening on it another process may take it; then another one is tried.
  absl::Status status;
  for (int attempt = 0; attempt < 3; ++attempt) {
    broker->port_ = FreePort();
    status = broker->Format(extra_properties);
    if (status.ok()) status = broker->Start();
    if (status.ok()) return broker;
    std::filesystem::remove_all(broker->dir_.File("data"));
  }
  return status;
}

absl::Status KafkaBroker::Format(const std::string& extra_properties) {
  std::ifstream file("scripts/kafka/server.properties.in");
  if (!file) return absl::NotFoundError("scripts/kafka/server.properties.in: run tests from the source folder");
  std::string properties((std::istreambuf_iterator<char>(file)), std::istreambuf_iterator<char>());
  Replace(&properties, "@PORT@", std::to_string(port_));
  Replace(&properties, "@CONTROLLER_PORT@", std::to_string(FreePort()));
  Replace(&properties, "@DATA_DIR@", dir_.File("data"));
  std::ofstream(dir_.File("server.properties")) << properties << "\n" << kFastRestart << extra_properties << "\n";

  std::vector<std::string> command = JavaCommand("-Xmx128m", "kafka.tools.StorageTool");
  for (const char* argument : {"format", "-t", "bXVzZW1lc2gtdGVzdHMhIQ", "-c"}) command.emplace_back(argument);
  command.push_back(dir_.File("server.properties"));
  const absl::StatusOr<int> exit_status =
      RunToEnd({.command = command, .log_path = log_path(), .environment = {}}, kFormatTimeout);
  if (!exit_status.ok()) return exit_status.status();
  if (*exit_status != 0) return absl::InternalError(base::StrCat("StorageTool failed: ", Tail(log_path())));
  return absl::OkStatus();
}

std::vector<std::string> KafkaBroker::JavaCommand(const std::string& heap, const std::string& main_class) const {
  // Serial collector and first compiler tier alone: half the start-up time, and tests do not run long enough for more.
  return {"java", heap, "-XX:+UseSerialGC", "-XX:TieredStopAtLevel=1", "-cp", libs_ + "/*", main_class};
}

absl::Status KafkaBroker::Start() {
  std::vector<std::string> command = JavaCommand("-Xmx512m", "kafka.Kafka");
  command.push_back(dir_.File("server.properties"));
  absl::StatusOr<std::unique_ptr<ChildProcess>> process =
      ChildProcess::Start({.command = command, .log_path = log_path(), .environment = {}});
  if (!process.ok()) return process.status();
  process_ = *std::move(process);
  const bool ended_or_ready = WaitUntil(
      [this] {
        return !process_->IsRunning() ||
               AskPort(port_, kApiVersionsRequest, /*bytes_min=*/8, std::chrono::seconds(1)).ok();
      },
      kReadyTimeout);
  if (ended_or_ready && process_->IsRunning()) return absl::OkStatus();
  return absl::UnavailableError(base::StrCat("the broker did not start: ", Tail(log_path())));
}

void KafkaBroker::Stop() { process_->Terminate(kStopGrace); }

}  // namespace harness
