#pragma once

#include <cstdint>
#include <string>

#include "absl/status/status.h"
#include "libs/config/option_table.h"

namespace redis {

// How to reach one Redis (or Valkey) primary. Limits are for all threads of the process together.
struct RedisOptions {
  std::string host = "127.0.0.1";
  std::int32_t port = 6379;
  std::string username;       // empty: the default user
  std::string password_file;  // empty: no AUTH
  std::string key_prefix = "mesh";
  std::int32_t pool_size = 16;
  std::int32_t connect_timeout_ms = 500;
  std::int32_t command_timeout_ms = 1000;
  double throttle_k = 2;  // see base::AdaptiveThrottle
};

void RegisterRedisOptions(config::OptionTable& table, RedisOptions* options);

// What bounds of single options cannot say: a host is named, and the key prefix has no brace (it would end up as the
// cluster's hash tag and put every key on one node).
absl::Status ValidateRedisOptions(const RedisOptions& options);

}  // namespace redis
