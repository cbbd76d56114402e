#pragma once

#include <memory>
#include <optional>
#include <string>
#include <string_view>
#include <vector>

#include "absl/status/status.h"
#include "absl/status/statusor.h"
#include "libs/account/account_book.h"
#include "libs/base/clock.h"
#include "libs/bus/options.h"
#include "libs/config/option_table.h"
#include "libs/http/client.h"
#include "libs/session/client.h"
#include "libs/telemetry/metrics.h"
#include "proto/bus/v1/bus.pb.h"

namespace meshctl {

// Where the parts of a mesh are; the defaults are those of `make run`.
struct Connections {
  std::string gateway_url = "http://127.0.0.1:8080";
  std::string graph_url = "http://127.0.0.1:8090";
  std::string accounts = ".run/accounts.yaml";
  std::string session_target = "127.0.0.1:50051";
  bus::BusOptions bus;
};
void RegisterConnections(config::OptionTable& table, Connections* connections);

// Parses a sub-command's options; .run/meshctl.yaml, which `make run` writes, is read when no --config is given. A
// value is the exit code to return at once.
std::optional<int> ParseCommand(config::OptionTable& table, int argc, const char* const* argv);

// Where the gateway takes a channel's webhooks, whether or not `gateway_url` ends in a slash.
std::string WebhookUrl(std::string_view gateway_url, std::string_view channel);

// Prints "meshctl: <what>: <message>" and returns 1.
int Fail(std::string_view what, const absl::Status& status);

// The account of a channel: the one named, or the only one configured.
absl::StatusOr<account::Account> FindAccount(const Connections& connections, std::string_view channel,
                                             std::string_view account_id);

// Says of `account_id`, which no Meta account of the file at `path` has, which ones there are.
absl::Status NoSuchAccount(const account::AccountBook& book, const std::string& path, std::string_view account_id);

base::MonotonicTime In(base::Duration duration);

}  // namespace meshctl
