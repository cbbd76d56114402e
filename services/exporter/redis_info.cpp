#include "services/exporter/redis_info.h"

#include <charconv>

namespace exporter {
namespace {

std::int64_t Number(std::string_view text) {
  std::int64_t value = 0;
  const auto [end, error] = std::from_chars(text.data(), text.data() + text.size(), value);
  return error == std::errc{} && end == text.data() + text.size() ? value : 0;
}

}  // namespace

RedisInfo ParseRedisInfo(std::string_view info) {
  RedisInfo result;
  bool write_ok = false;
  bool rewrite_ok = false;
  while (!info.empty()) {
    std::string_view line = info.substr(0, info.find('\n'));
    info.remove_prefix(line.size() == info.size() ? line.size() : line.size() + 1);
    if (line.ends_with('\r')) line.remove_suffix(1);
    const std::size_t colon = line.find(':');
    if (colon == std::string_view::npos) continue;
    const std::string_view name = line.substr(0, colon);
    const std::string_view value = line.substr(colon + 1);
    if (name == "used_memory") result.used_memory_bytes = Number(value);
    if (name == "maxmemory") result.maxmemory_bytes = Number(value);
    if (name == "connected_clients") result.connected_clients = Number(value);
    if (name == "evicted_keys") result.evicted_keys = Number(value);
    if (name == "aof_enabled") result.aof_enabled = value == "1";
    if (name == "aof_last_write_status") write_ok = value == "ok";
    if (name == "aof_last_bgrewrite_status") rewrite_ok = value == "ok";
  }
  result.aof_ok = result.aof_enabled && write_ok && rewrite_ok;
  return result;
}

}  // namespace exporter
