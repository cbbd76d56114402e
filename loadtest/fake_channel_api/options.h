#pragma once

#include <cstdint>
#include <string>

#include "libs/config/option_table.h"

namespace fake_channel_api {

struct Options {
  std::string address = "127.0.0.1";
  std::int32_t port = 8090;
  std::string accounts = ".run/accounts.yaml";
  std::string sends_file;  // empty: sends are kept in memory only
  bool sends_fsync = false;
  std::string status_webhooks;  // empty: none are sent
  std::int32_t threads = 1;
  std::string log_level = "info";
  std::string log_path;

  // What the first requests meet; POST /control changes it later. See faults.h.
  std::int32_t delay_ms = 0;
  std::int32_t fail_next = 0;
  std::int32_t fail_http_status = 500;
  std::int32_t fail_code = 131000;
  bool fail_with_error_object = true;
  std::int32_t rate_limit = 0;
  std::int32_t accept_then_drop = 0;
};

void RegisterOptions(config::OptionTable& table, Options* options);

}  // namespace fake_channel_api
