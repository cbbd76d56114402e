#include "tests/integration/harness/redis_server.h"

#include <chrono>
#include <filesystem>
#include <utility>

#include "libs/base/str_cat.h"
#include "tests/integration/harness/net.h"
#include "tests/integration/harness/wait.h"

namespace harness {
namespace {

constexpr auto kReadyTimeout = std::chrono::seconds(20);
constexpr auto kStopGrace = std::chrono::seconds(5);

}  // namespace

absl::StatusOr<std::unique_ptr<RedisServer>> RedisServer::StartNew() {
  std::unique_ptr<RedisServer> server(new RedisServer);
  absl::Status status;
  for (int attempt = 0; attempt < 3; ++attempt) {  // the port may be taken between choosing it and listening on it
    server->port_ = FreePort();
    status = server->Start();
    if (status.ok()) return server;
  }
  return status;
}

absl::Status RedisServer::Start() {
  std::filesystem::create_directories(dir_.File("data"));
  absl::StatusOr<std::unique_ptr<ChildProcess>> process = ChildProcess::Start(
      {.command = {"redis-server", "--port", std::to_string(port_), "--bind", "127.0.0.1", "--dir", dir_.File("data"),
                   "--appendonly", "yes", "--appendfsync", "everysec", "--save", "", "--daemonize", "no"},
       .log_path = log_path(),
       .environment = {}});
  if (!process.ok()) return process.status();
  process_ = *std::move(process);
  // "+PONG" only: while it loads its data it answers "-LOADING".
  const bool ended_or_ready = WaitUntil(
      [this] {
        if (!process_->IsRunning()) return true;
        const absl::StatusOr<std::string> answer = AskPort(port_, "PING\r\n", 5, std::chrono::seconds(1));
        return answer.ok() && answer->starts_with("+PONG");
      },
      kReadyTimeout);
  if (ended_or_ready && process_->IsRunning()) return absl::OkStatus();
  return absl::UnavailableError(base::StrCat("redis-server did not start on port ", port_, "; see ", log_path()));
}

absl::Status RedisServer::StartEmpty() {
  std::filesystem::remove_all(dir_.File("data"));
  return Start();
}

void RedisServer::Stop() { process_->Terminate(kStopGrace); }

}  // namespace harness
