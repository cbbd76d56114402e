#pragma once

#include <cstdint>
#include <string>

#include "absl/status/status.h"
#include "libs/app/app.h"
#include "libs/bus/groups.h"
#include "libs/bus/options.h"
#include "libs/config/option_table.h"
#include "services/sender/reply_window.h"
#include "services/sender/sender_core.h"

namespace sender {

struct Options {
  app::CommonOptions common;
  bus::BusOptions bus;
  std::string accounts = "accounts.yaml";
  std::string session_target = "127.0.0.1:50051";
  double session_throttle_k = 2;
  std::string group{bus::kSenderGroup};
  std::string static_member_id;
  std::int32_t session_timeout_ms = 10000;
  std::int32_t window_records_max = 2048;
  std::int32_t window_mib_max = 64;
  std::int32_t connections_per_host_max = 64;
  double graph_throttle_k = 2;
  std::string ca_file;
  std::int32_t lease_ms = 5000;
  std::int32_t post_timeout_ms = 10000;
  std::int32_t reconcile_ms = 45000;
  std::int32_t park_probe_s = 30;
};

void RegisterOptions(config::OptionTable& table, Options* options);
absl::Status ValidateOptions(const Options& options);  // what bounds of single options cannot say
CoreOptions CoreOptionsOf(const Options& options);
ReplyWindow ReplyWindowOf(const Options& options);  // an empty one

}  // namespace sender
