#pragma once

#include <cstdint>
#include <string>
#include <vector>

#include "absl/status/statusor.h"
#include "libs/app/app.h"
#include "libs/bus/options.h"
#include "libs/config/option_table.h"
#include "proto/bus/v1/bus.pb.h"

namespace gateway {

struct Options {
  app::CommonOptions common;
  bus::BusOptions bus;
  std::vector<std::string> channels = {"whatsapp", "messenger", "instagram"};
  std::string accounts = "accounts.yaml";
  std::string address = "127.0.0.1";
  std::int32_t port = 8080;
  std::int32_t http_threads = 2;
  std::int32_t connections_max = 10000;
  std::int32_t connections_per_peer_max = 10000;
  std::int32_t delivery_timeout_ms = 3000;
  std::int32_t linger_ms = 0;
  std::int32_t lame_duck_ms = 1000;
};

void RegisterOptions(config::OptionTable& table, Options* options);

// The channels named by --channels, each once. InvalidArgument: none, or one twice.
absl::StatusOr<std::vector<mesh::bus::v1::Channel>> ChannelsOf(const Options& options);

}  // namespace gateway
