#include "libs/redis/options.h"

#include <string_view>

#include "libs/base/str_cat.h"

namespace redis {

void RegisterRedisOptions(config::OptionTable& table, RedisOptions* options) {
  table.Add("redis-host", &options->host, {.doc = "Name or address of the Redis primary."});
  table.Add("redis-port", &options->port, {.doc = "Port of the Redis primary.", .min = 1, .max = 65535});
  table.Add("redis-username", &options->username, {.doc = "Redis ACL user; empty for the default user."});
  table.Add("redis-password-file", &options->password_file,
            {.doc = "File that holds the Redis password; empty when Redis asks for none."});
  table.Add(
      "redis-key-prefix", &options->key_prefix,
      {.doc = "First part of every key, so that an ACL can confine the services and two meshes can share a Redis."});
  table.Add("redis-pool-size", &options->pool_size,
            {.doc = "Connections at most; callers wait for a free one until their deadline.",
             .unit = "connections",
             .min = 1,
             .max = 1024});
  table.Add("redis-connect-timeout-ms", &options->connect_timeout_ms,
            {.doc = "Time for a TCP connection to Redis.", .unit = "ms", .min = 10, .max = 60000});
  table.Add("redis-command-timeout-ms", &options->command_timeout_ms,
            {.doc = "Time for the answer to one command or pipeline; a slower Redis counts as down.",
             .unit = "ms",
             .min = 10,
             .max = 60000});
  table.Add(
      "redis-throttle-k", &options->throttle_k,
      {.doc = "Calls that may go to Redis for each one that it accepts, over two minutes; what is beyond is refused "
              "here, as Unavailable, while Redis cannot keep up. Lower spares an overloaded Redis more, higher "
              "notices sooner that it has room.",
       .min = 1,
       .max = 1000});
}

absl::Status ValidateRedisOptions(const RedisOptions& options) {
  if (options.host.empty()) return absl::InvalidArgumentError("--redis-host must not be empty");
  if (options.key_prefix.empty() || options.key_prefix.find_first_of("{}") != std::string::npos) {
    return absl::InvalidArgumentError(
        base::StrCat("--redis-key-prefix must be set and must not contain braces, got '", options.key_prefix, "'"));
  }
  return absl::OkStatus();
}

}  // namespace redis
