#pragma once

#include <cstdint>
#include <string_view>

namespace exporter {

// What the exporter reads of the answer to INFO (https://redis.io/commands/info/). Fields that are missing stay 0.
struct RedisInfo {
  std::int64_t used_memory_bytes = 0;
  std::int64_t maxmemory_bytes = 0;  // 0: no limit
  std::int64_t connected_clients = 0;
  std::int64_t evicted_keys = 0;
  bool aof_enabled = false;
  bool aof_ok = false;  // the last write and the last rewrite succeeded
};

RedisInfo ParseRedisInfo(std::string_view info);

}  // namespace exporter
