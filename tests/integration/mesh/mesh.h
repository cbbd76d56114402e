#pragma once

#include <cstdint>
#include <map>
#include <memory>
#include <string>
#include <string_view>
#include <utility>
#include <vector>

#include "absl/status/status.h"
#include "absl/status/statusor.h"
#include "libs/base/clock.h"
#include "libs/bus/options.h"
#include "libs/http/client.h"
#include "libs/session/client.h"
#include "libs/telemetry/metrics.h"
#include "tests/integration/harness/child_process.h"
#include "tests/integration/harness/kafka_broker.h"
#include "tests/integration/harness/redis_server.h"
#include "tests/integration/harness/temp_dir.h"

namespace mesh_test {

struct MeshOptions {
  std::string engine = "echo";  // or "llm"
  std::vector<std::string> worker_flags;
  std::string model_path = {};  // of the llm; empty: the default model
  std::vector<std::pair<std::string, std::string>> worker_environment = {};
  std::vector<std::string> account_fields = {};  // of every account, as "key: value"
};

// One line of the fake Graph API's file: what a user has seen.
struct Send {
  std::int64_t ts_ms = 0;
  std::string channel;
  std::string user;
  std::string message_id;
  std::string text;
  std::string kind;     // of what is more than text
  std::string content;  // its JSON
  std::string in_reply_to;
  std::string traceparent;
};

// What a user was shown besides messages: `read`, `typing` or a sender_action.
struct Action {
  std::int64_t ts_ms = 0;
  std::string channel;
  std::string user;        // Messenger and Instagram
  std::string message_id;  // WhatsApp
  std::string action;
};

// The whole mesh as real processes on free ports: broker, store, fake Graph API and the services, with one development
// account a channel. Tests post webhooks as Meta does and look at the users' screens.
//
// Threading: one thread.
class Mesh {
 public:
  static absl::StatusOr<std::unique_ptr<Mesh>> StartNew(const MeshOptions& options);

  // The account of a channel ("whatsapp", "messenger", "instagram") and its app secret.
  static std::string AccountId(std::string_view channel);

  // Posts a body to the gateway. Status 0 when nothing answered.
  int Post(std::string_view channel, const std::string& body, const std::string& signature_header);
  int PostSigned(std::string_view channel, const std::string& body);
  // A text message of a user, signed; the message id makes it the same or another message.
  int PostText(std::string_view channel, std::string_view user, std::string_view message_id, std::string_view text);

  void SetTraceparent(std::string traceparent) {
    traceparent_ = std::move(traceparent);
  }  // of later posts; empty: none

  // What `user` has seen so far, in order; all users when empty.
  std::vector<Send> Screen(std::string_view user = "") const;
  // Waits until `user` has seen at least `count` messages; then what they are (fewer when the time was up).
  std::vector<Send> WaitForScreen(std::string_view user, std::size_t count,
                                  base::Duration timeout = std::chrono::seconds(30));

  // Of all users, in the order in which the fake Graph API took them since it was started.
  std::vector<Action> Actions();

  // A service by its binary's name.
  harness::ChildProcess& process(const std::string& service);
  absl::Status Restart(const std::string& service);  // starts it again after it was killed or terminated
  // Of the service's next start, in place of what MeshOptions gave it.
  void SetEnvironment(const std::string& service, std::vector<std::pair<std::string, std::string>> environment);
  absl::Status WaitReady(const std::string& service, base::Duration timeout = std::chrono::seconds(60));
  bool IsReady(const std::string& service);
  std::string Get(const std::string& url);  // body of a GET, empty on failure
  std::string AdminUrl(const std::string& service) const;
  double Metric(const std::string& service, std::string_view line_start);  // 0 when absent

  // Runs `meshctl` to its end; code -1 when it does not end in time.
  struct CommandResult {
    int code = -1;
    std::string output;  // both streams
  };
  CommandResult Meshctl(std::vector<std::string> arguments);

  std::string MediaFolder() const { return dir_.File("media"); }  // of the worker
  harness::KafkaBroker& kafka() { return *kafka_; }
  harness::RedisServer& redis() { return *redis_; }
  session::Client& session() { return *session_; }
  const bus::BusOptions& bus() const { return bus_; }
  std::string LogEnds() const;  // the end of every service's log, for failure messages
  std::string LogText(const std::string& service) const;

 private:
  struct Service {
    std::vector<std::string> command;
    std::vector<std::pair<std::string, std::string>> environment;
    std::uint16_t admin_port = 0;
    std::string log_path;
    std::unique_ptr<harness::ChildProcess> process;
  };

  Mesh() = default;
  void WriteAccounts(const MeshOptions& options);
  void Define(const std::string& name, std::uint16_t admin_port, std::vector<std::string> flags);
  void DefineServices(const MeshOptions& options);
  absl::Status StartProcess(Service& service);

  harness::TempDir dir_;
  std::unique_ptr<harness::KafkaBroker> kafka_;
  std::unique_ptr<harness::RedisServer> redis_;
  std::uint16_t graph_port_ = 0;
  std::uint16_t gateway_port_ = 0;
  std::uint16_t session_port_ = 0;
  bus::BusOptions bus_;
  std::string traceparent_;
  int commands_ = 0;  // of meshctl, each with a log of its own
  telemetry::Registry registry_;
  std::unique_ptr<http::Client> http_;
  std::unique_ptr<session::Client> session_;
  std::map<std::string, Service> services_;
};

// The mesh that all tests of a binary share; started by the first, stopped at exit. Ends the process when it cannot
// start.
Mesh& SharedMesh(const MeshOptions& options = {});

}  // namespace mesh_test
